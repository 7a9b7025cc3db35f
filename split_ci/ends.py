"""What single commands can come to: those that pass whatever happens, those that fail, and all the others.

A set of ends: the shell goes on with a status, or it is left with one. Whatever isn't known for certain may come to both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.shell import Token

    Ends = frozenset["End"]


class End(NamedTuple):
    """What a command may come to: whether it leaves the shell, and whether its status is 0."""

    left: bool
    passes: bool


GOOD, BAD = frozenset([End(left=False, passes=True)]), frozenset([End(left=False, passes=False)])
OPEN = GOOD | BAD  # a program's
ANY = OPEN | {End(left=True, passes=True), End(left=True, passes=False)}  # of what may leave the shell
NEVER: Ends = frozenset()
BARE = ("umask", "wait", "date", "id", "whoami", "uname", "hostname", "env")  # they pass without a word
PASSING = (*BARE, "true", ":", "echo", "printf", "pwd", "sleep", "cd", "ls", "times", "unset")
HERE = re.compile(r"/|(?:/?\.\.?)(?:/\.\.?)*/?")  # `.`, `..`, `/`: folders that are always there
NUMBERS = ("-eq", "-ne", "-lt", "-le", "-gt", "-ge")


def ends_of(name: str, given: Sequence[Token]) -> Ends:
    """What a command that changes no flow can come to."""
    if name == "false":
        return BAD
    if name in ("[", "[[", "test"):
        return _test(name, given)
    if name in ("set", "export", "readonly"):
        plain = all(one.fixed and re.match(r"[-+]\w+\Z|[A-Za-z_]\w*(?:=|\Z)", one.text) for one in given)
        return GOOD if plain else ANY
    return GOOD if name in PASSING and _fitting(name, given) else OPEN


def _fitting(name: str, given: Sequence[Token]) -> bool:
    """Whether a command that passes passes with these words."""
    if name == "printf":
        return bool(given) and given[0].fixed and not re.search(r"%(?![%s])|\\[^nt\\]", given[0].text)
    if name == "sleep":
        return bool(given) and all(one.fixed and re.fullmatch(r"[0-9.]*[0-9][smhd]?", one.text) for one in given)
    if name in ("cd", "ls"):
        return len(given) < 2 and all(map(_is_here, given))
    return name not in BARE or not given


def _is_here(word: Token) -> bool:
    return word.fixed and HERE.fullmatch(word.text) is not None


def _test(name: str, given: Sequence[Token]) -> Ends:
    """`test …`, `[ … ]` and `[[ … ]]` over words that are always the same."""
    closing = {"[": "]", "[[": "]]"}.get(name)
    words = list(given)
    if closing and (not words or words.pop().text != closing):
        return OPEN
    found = _tested(words)
    return OPEN if found is None else GOOD if found else BAD


def _tested(words: Sequence[Token]) -> bool | None:
    """Whether it holds; None where that isn't always the same."""
    texts = [word.text for word in words]
    if texts[:1] == ["!"] and len(texts) > 1:
        inner = _tested(words[1:])
        return None if inner is None else not inner
    if len(words) == 2 and texts[0] in ("-d", "-e", "-r", "-x") and _is_here(words[1]):
        return True
    if not all(word.fixed for word in words) or len(words) > 3:
        return None
    if len(words) < 2:
        return bool(words and texts[0])
    if len(words) == 2:
        return {"-n": bool(texts[1]), "-z": not texts[1]}.get(texts[0])
    return _compared(*texts)


def _compared(one: str, how: str, other: str) -> bool | None:
    if how in NUMBERS and re.fullmatch(r"-?[0-9]{1,18}", one) and re.fullmatch(r"-?[0-9]{1,18}", other):
        a, b = int(one), int(other)
        return (a == b, a != b, a < b, a <= b, a > b, a >= b)[NUMBERS.index(how)]
    known = {
        "=": one == other, "==": one == other, "!=": one != other, "-a": bool(one and other), "-o": bool(one or other),
    }  # fmt: skip
    return known.get(how)
