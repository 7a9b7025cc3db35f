"""Commands that can only pass: `true`, `(exit 0)`, `make || :`, `[ 1 ]`, `cd .`. Nothing is run.

A small reading of the shell's grammar. What a piece of a command can come to is a set of ends: it goes on with a status, or
it leaves the shell with one. Whatever isn't known for certain may come to all of them.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from split_ci.ends import ANY, BAD, GOOD, NEVER, End, ends_of
from split_ci.shell import tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from split_ci.ends import Ends
    from split_ci.shell import Token

    Step = Callable[["End"], Ends]  # what comes of a command that is begun with such a status

SEPARATORS = (";", "&", "\n")
CLOSING = ("}", ")", "then", "elif", "else", "fi", "do", "done")
UNREAD = ("case", "esac", "function", "select", "coproc")
FLOW = ("return", "break", "continue", "trap", "alias", "shift", ".", "source")
PREFIXES = ("command", "builtin", "nohup", "nice", "env", "time", "timeout")  # before another command
SHELLS = ("sh", "bash", "dash", "ash", "zsh", "ksh")
SPECIAL = (":", "exit", "set", "export", "readonly", "unset", "exec", "eval", "shift", "times", "trap", "return", ".")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
REDIRECTION = re.compile(r"[0-9]*(?:<>|>>|>\||[<>])&?(.*)", re.DOTALL)
HARMLESS = re.compile(r"/dev/null|[0-9]|-")
MOST = 4096  # tokens: what is longer is more than nothing
DEEPEST = 50


def always_passes(command: str) -> bool:
    """Whether a command can only exit 0, or is nothing at all."""
    found = tokens(command)
    if found is None or len(found) > MOST:
        return False
    try:
        return all(end.passes for end in _Reading(found, 0).all())
    except _UnreadError:
        return False


class _UnreadError(Exception):
    """A piece of the grammar that isn't read here."""


class _Reading:
    """Recursive descent over a command's tokens; each method answers with a step: what its piece comes to after another."""

    def __init__(self, found: Sequence[Token], depth: int) -> None:
        self._tokens = found
        self._at = 0
        self._depth = depth
        words = [one.text for one in found]
        options = [word for word in words if re.fullmatch(r"-\w+", word)] if "set" in words else []
        self._strict = any("e" in one for one in options) or "errexit" in words
        self._bound = any("u" in one for one in options) or "nounset" in words
        self._piped = "pipefail" in words

    def all(self) -> Ends:
        step = self._list()
        if self._at < len(self._tokens):
            raise _UnreadError
        return step(End(left=False, passes=True))

    # --- tokens

    def _is(self, *texts: str) -> bool:
        """Whether an operator comes next, or a word without quotes, which may be of the grammar."""
        one = self._tokens[self._at] if self._at < len(self._tokens) else None
        return one is not None and one.text in texts and one.raw in ("", one.text)

    def _take(self, *texts: str) -> str:
        if not self._is(*texts):
            raise _UnreadError
        self._at += 1
        return self._tokens[self._at - 1].text

    def _skip(self, *operators: str) -> None:
        while self._is(*operators):
            self._at += 1

    def _words(self) -> list[Token]:
        start = self._at
        while self._at < len(self._tokens) and not self._tokens[self._at].operator:
            self._at += 1
        return list(self._tokens[start : self._at])

    # --- lists

    def _list(self) -> Step:
        """Commands up to a closing word, or to the end."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise _UnreadError
        steps = []
        self._skip("\n", ";")
        while self._at < len(self._tokens) and not self._is(*CLOSING):
            steps.append(self._and_or())
            self._skip(*SEPARATORS)
        self._depth -= 1
        return cache(lambda before: _after(frozenset([before]), steps))  # asked for both statuses at each level

    def _and_or(self) -> Step:
        first = self._pipeline()
        others: list[tuple[str, Step]] = []
        while self._is("&&", "||"):
            operator = self._take("&&", "||")
            self._skip("\n")
            others.append((operator, self._pipeline()))
        if self._is("&"):
            if self._redirects(self._at + 1):
                raise _UnreadError
            return _always(GOOD)

        def ends(before: End) -> Ends:
            found = first(before)
            for operator, step in others:
                asked = {end for end in found if not end.left and end.passes == (operator == "&&")}
                found = (found - asked).union(*map(step, asked))
            return frozenset(End(left or (self._strict and not passes), passes) for left, passes in found)

        return ends

    def _redirects(self, at: int) -> bool:
        """Whether the `&` before is one of `&>`, which some shells read as one thing and others as two."""
        after = self._tokens[at] if at < len(self._tokens) else None
        return after is not None and after.raw[:1] == ">" and after.at == self._tokens[at - 1].at + 1

    def _pipeline(self) -> Step:
        turned = False
        while self._is("!"):
            self._at += 1
            turned = not turned
        parts = [self._command()]
        while self._is("|", "|&"):
            self._at += 1
            self._skip("\n")
            parts.append(self._command())

        def ends(before: End) -> Ends:
            each = [part(before) for part in parts]
            found = each[-1] if len(each) == 1 else _inside(each[-1])
            if self._piped and any(not end.passes for one in each for end in one):
                found |= BAD
            return frozenset(end if end.left else End(left=False, passes=end.passes != turned) for end in found)

        return ends

    # --- commands

    def _command(self) -> Step:
        if self._is(*UNREAD):
            raise _UnreadError
        compound = {
            "(": self._group, "{": self._group, "if": self._if, "for": self._for, "while": self._loop, "until": self._loop,
        }  # fmt: skip
        opening = next((word for word in compound if self._is(word)), None)
        if opening is None:
            return self._simple()
        self._at += 1
        step = compound[opening]()
        rest, fails = _redirections(self._words())
        if rest:
            raise _UnreadError
        return lambda before: step(before) | fails

    def _group(self) -> Step:
        number = self._number()
        if number is not None:
            return _always(GOOD if number else BAD)
        opening = self._tokens[self._at - 1].text
        step = self._list()
        self._take(")" if opening == "(" else "}")
        return step if opening == "{" else lambda before: _inside(step(before))

    def _number(self) -> int | None:
        """`((1))`: arithmetic where the shell knows it, and of no use where it doesn't."""
        texts = [one.text for one in self._tokens[self._at - 1 : self._at + 4]]
        if texts[:2] + texts[3:] != ["(", "(", ")", ")"] or not texts[2].isdigit():
            return None
        self._at += 4
        return int(texts[2])

    def _if(self) -> Step:
        asked = self._list()
        self._take("then")
        then, other = self._list(), self._otherwise()

        def ends(before: End) -> Ends:
            found = asked(before)
            return frozenset(end for end in found if end.left).union(
                *((then if end.passes else other)(end) for end in found if not end.left)
            )

        return ends

    def _otherwise(self) -> Step:
        if self._take("elif", "else", "fi") == "fi":
            return _always(GOOD)
        if self._is_after("elif"):
            return self._if()
        step = self._list()
        self._take("fi")
        return step

    def _is_after(self, text: str) -> bool:
        return self._tokens[self._at - 1].text == text

    def _for(self) -> Step:
        self._at += 1  # the name
        if self._is("in"):
            self._words()
        self._skip(";", "\n")
        step = self._body()
        return lambda before: GOOD | step(before) | step(End(left=False, passes=False))

    def _loop(self) -> Step:
        """One that never begins passes; whether another ends, nobody knows."""
        begins = self._is_after("while")
        asked = self._list()
        self._body()
        return lambda before: GOOD if asked(before) == (BAD if begins else GOOD) else ANY

    def _body(self) -> Step:
        self._take("do")
        step = self._list()
        self._take("done")
        return step

    def _simple(self) -> Step:
        words, fails = _redirections(self._words())
        if self._is("("):
            raise _UnreadError  # a function, or an array
        if self._may_leave(words):
            return _always(ANY)
        while words and ASSIGNMENT.match(words[0].raw):
            if "$(" in words[0].raw or "`" in words[0].raw:
                fails = BAD
            words = words[1:]
        if not words:
            return _always(GOOD | fails)
        if fails and words[0].text in SPECIAL:
            return _always(ANY)
        step = self._named(words)
        return lambda before: step(before) | fails

    def _may_leave(self, words: Iterable[Token]) -> bool:
        """Whether an expansion may end the shell: `${x:?}`, a division by zero, an unset variable under `set -u`."""
        open_ = [word.raw for word in words if not word.fixed and "$" in word.raw]
        return any(self._bound or "$((" in raw or ("${" in raw and "?" in raw) for raw in open_)

    def _named(self, words: Sequence[Token]) -> Step:
        """What a command comes to by its name; `words` are without assignments and redirections."""
        name, given = re.sub(r"\A(?:/usr)?/bin/", "", words[0].text), words[1:]
        if not words[0].fixed or name in FLOW:
            return _always(ANY)
        if name == "exit":
            return _leaving(given)
        if name in ("exec", "eval") or (name in SHELLS and len(given) > 1 and re.fullmatch(r"-[a-z]*c", given[0].text)):
            return self._handed_on(name, given)
        after = _after_prefix(name, given)
        return self._named(after) if after else _always(ends_of(name, given))

    def _handed_on(self, name: str, given: Sequence[Token]) -> Step:
        """`exec …`, `eval …` and `sh -c …`."""
        if name == "exec":
            then = self._named(given) if given else None
            return (lambda before: _left(then(before))) if then else _always(GOOD)
        if name == "eval":
            return self._text(" ".join(one.text for one in given), given)
        flags = given[0].text[1:-1]
        step = self._text((f"set -{flags}\n" if flags else "") + given[1].text, given)
        return _always(_inside(step(End(left=False, passes=True))))

    def _text(self, text: str, given: Iterable[Token]) -> Step:
        """A command in a command's words."""
        found = tokens(text) if all(one.fixed for one in given) else None
        if found is None:
            return _always(ANY)
        inner = _Reading(found, self._depth + 1)
        step = inner._list()
        return step if inner._at == len(found) else _always(ANY)


def _after(ends: Ends, steps: Iterable[Step]) -> Ends:
    for step in steps:
        stay = frozenset(end for end in ends if end.left)
        ends = stay.union(*(step(end) for end in ends - stay))
    return ends


def _after_prefix(name: str, given: Sequence[Token]) -> Sequence[Token]:
    """The command behind `env`, `command`, `timeout 5` and their kin; nothing where it can't be told."""
    if name not in PREFIXES:
        return ()
    rest = list(given[1:] if name == "timeout" else given)
    while rest and ASSIGNMENT.match(rest[0].raw):
        rest.pop(0)
    return () if any(one.text.startswith("-") for one in (*given[:1], *rest[:1])) else rest


def _always(ends: Ends) -> Step:
    return lambda _before: ends


def _left(ends: Ends) -> Ends:
    """In the place of the shell."""
    return frozenset(End(left=True, passes=end.passes) for end in ends)


def _inside(ends: Ends) -> Ends:
    """In a shell of its own."""
    return frozenset(End(left=False, passes=end.passes) for end in ends)


def _leaving(given: Sequence[Token]) -> Step:
    """`exit`, with the status of what was before it, or its own."""
    if not given or given[0].raw.strip('"') == "$?":
        return lambda before: frozenset([End(left=True, passes=before.passes)])
    status = given[0].text
    if not given[0].fixed:
        return _always(ANY)
    return _always(frozenset([End(left=True, passes=status.isdigit() and int(status[-9:]) % 256 == 0)]))


def _redirections(words: Sequence[Token]) -> tuple[list[Token], Ends]:
    """The words without redirections, and how one of those may fail."""
    rest: list[Token] = []
    fails, waiting = NEVER, False
    for word in words:
        found = REDIRECTION.fullmatch(word.raw)
        if not found and not waiting:
            rest.append(word)
            continue
        target = found.group(1) if found else word.text
        waiting = not target
        if target and not (word.fixed and HARMLESS.fullmatch(target)):
            fails = BAD
    if waiting:
        raise _UnreadError
    return rest, fails
