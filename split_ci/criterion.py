"""Criteria: the entries of `accept`, which say when a result is right."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, NamedTuple

from split_ci import regex_cost, shell, vacuous
from split_ci.keys import Keys

if TYPE_CHECKING:
    from split_ci.frontmatter import Value

KINDS = ("run", "exists", "missing", "contains", "lacks", "blob")
TELLING_WAYS = 100_000  # that two texts of three characters may be read before "matches every text" is left to the run
ONE_OF = "one of `run`, `exists`, `missing`, `contains`, `lacks`, `blob`"


class Red(NamedTuple):
    """How a `run` criterion must fail on the base, where the author says so."""

    exit: int | None = None
    text: str | None = None


class Criterion(NamedTuple):
    """One entry of `accept`. `kind` is run, exists, missing, contains, lacks or blob; the fields it doesn't use are empty.

    `subject` is the command, the path or the glob; `text`/`regex` what contains and lacks look for; `blob`/`mode` a blob's.
    """

    id: str
    kind: str
    subject: str
    line: int
    guard: bool = False
    text: str | None = None
    regex: str | None = None
    blob: str | None = None
    mode: str | None = None
    red: Red | None = None

    def __str__(self) -> str:
        """As a person would say it: the command, or `missing src/a.py`."""
        if self.kind == "run":
            return self.subject
        if self.kind == "blob":
            return f"blob {self.subject} is {self.blob}" + (f" ({self.mode})" if self.mode else "")
        if self.regex is not None:
            return f"{self.subject} {self.kind} /{self.regex}/"
        if self.text is not None:
            return f"{self.subject} {self.kind} {self.text!r}"
        return f"{self.kind} {self.subject}"


def read_accept(keys: Keys) -> tuple[Criterion, ...]:
    """The criteria below the front matter's `accept`, with ids in the order of the entries; problems go to the keys'."""
    value = keys.values.get("accept")
    if value is None:
        keys.missing("accept", "say how a result is proved: `accept:`, `  - run: …`")
        return ()
    if value.kind != "list":
        keys.wrong("accept", value, "a list")
        return ()
    entries = [_entry(keys, item, number) for number, item in enumerate(value.items, 1)]
    found = tuple(entry for entry in entries if entry is not None)
    if len(found) == len(entries) and all(entry.guard for entry in found):
        said = "every criterion is a guard" if found else "there is no criterion"
        keys.say("SP501", value, said, "add one that is red on the base and green on the result")
    return found


def _entry(keys: Keys, item: Value, number: int) -> Criterion | None:
    where = f"accept[{number}]"
    if item.kind != "map":
        keys.say("SP111", item, f"`{where}` is not a mapping", f"write {ONE_OF}, such as `- run: make test`")
        return None
    inner = Keys(item, keys.path, keys.problems, (*KINDS, "guard", "red"), f"{where}.")
    kinds = [kind for kind in KINDS if kind in inner.values]
    guard = inner.flag("guard")
    red = _red(inner, kinds, guard=guard)
    if len(kinds) != 1:
        said = (
            f"`{where}` holds {' and '.join(f'`{kind}`' for kind in kinds)}"
            if kinds
            else f"`{where}` says nothing to look for"
        )
        inner.say("SP503", item, said, f"write exactly {ONE_OF}")
        return None
    found = READERS[kinds[0]](inner, kinds[0])
    return None if found is None else found._replace(id=f"a{number}", line=item.line, guard=guard, red=red)


def _red(keys: Keys, kinds: list[str], *, guard: bool) -> Red | None:
    inner = keys.inner("red", ("exit", "text"))
    if inner is None:
        return None
    if kinds and kinds != ["run"]:
        keys.say("SP503", inner.value, "`red` goes with `run` only", "take it away")
    elif guard:
        keys.say("SP503", inner.value, "a guard is never red", "take `red` or `guard` away")
    elif not inner.values:
        inner.missing("exit", "write `exit`, `text` or both")
    return Red(inner.whole("exit", 1, 125), inner.text("text"))


def _run(keys: Keys, kind: str) -> Criterion | None:
    value = keys.values[kind]
    if value.kind == "bool" and value.plain and value.text == "true":
        keys.say("SP502", value, "`true` always passes", "write a command that fails before the change")
        return None
    if (value.kind == "text" and not value.text.strip()) or (value.kind == "null" and not value.text):
        keys.say("SP502", value, "an empty command always passes", "write a command that fails before the change")
        return None
    command = keys.text(kind)
    if command is None:
        return None
    fault = shell.command_fault(command)
    if fault:
        keys.say(
            "SP503", value, f"a shell can't read this command: {fault}", "mend it; in YAML, a `|` block needs no quoting"
        )
    elif vacuous.always_passes(command):
        keys.say("SP502", value, f"`{_short(command)}` always passes", "write a command that fails before the change")
    return Criterion("", kind, command, value.line)


def _path(keys: Keys, kind: str) -> Criterion | None:
    subject = keys.text(kind)
    return None if subject is None else Criterion("", kind, subject, keys.values[kind].line)


def _search(keys: Keys, kind: str) -> Criterion | None:
    inner = keys.inner(kind, ("in", "text", "regex"))
    if inner is None:
        return None
    if "in" not in inner.values:
        inner.missing("in", 'write a path or a glob: `in: "**/*.py"`')
    if ("text" in inner.values) == ("regex" in inner.values):
        inner.say("SP503", inner.value, f"`{kind}` takes either `text` or `regex`", "write exactly one of them")
        return None
    subject, text, regex = inner.text("in"), _words(inner, kind), inner.text("regex")
    if regex is not None and not _is_regex(inner, kind, regex):
        return None
    if subject is None or (text is None and regex is None):
        return None
    return Criterion("", kind, subject, inner.value.line, text=text, regex=regex)


def _words(keys: Keys, kind: str) -> str | None:
    value = keys.values.get("text")
    if value is not None and value.kind == "text" and not value.text:
        said = "every file contains the empty text"
        keys.say("SP502" if kind == "contains" else "SP503", value, said, "write what to look for")
        return None
    if value is not None and value.kind == "text" and not value.plain:
        return value.text
    return keys.text("text")


def _is_regex(keys: Keys, kind: str, regex: str) -> bool:
    value = keys.values["regex"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pattern = re.compile(regex)
    except re.error as error:
        where = f" at character {error.pos + 1}" if error.pos is not None else ""
        keys.say(
            "SP503",
            value,
            f"`{_short(regex)}` is not a regular expression: {error.msg}{where}",
            "mend it, in Python's syntax",
        )
        return False
    except (OverflowError, RecursionError):
        keys.say("SP503", value, f"`{_short(regex)}` is too large a regular expression", "make it simpler")
        return False
    if _matches_everything(pattern):
        code = "SP502" if kind == "contains" else "SP503"
        keys.say(
            code, value, f"`{_short(regex)}` matches every text", "make it match what the change makes, and nothing else"
        )
    return True


def _matches_everything(pattern: re.Pattern[str]) -> bool:
    """Whether it finds something in every text; false where it would take too long to tell."""
    if not regex_cost.may_be_empty(pattern) or regex_cost.ways(pattern.pattern, TELLING_WAYS, 4) > TELLING_WAYS:
        return False
    return bool(pattern.search("") and pattern.search("\x01\n\x02"))


def _blob(keys: Keys, kind: str) -> Criterion | None:
    inner = keys.inner(kind, ("path", "id", "mode"))
    if inner is None:
        return None
    for name in ("path", "id"):
        if name not in inner.values:
            inner.missing(name, "write it: `blob: {path: …, id: …}`")
    subject, blob, mode = inner.text("path"), inner.text("id"), inner.text("mode")
    if blob is not None and not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", blob):
        inner.say(
            "SP112", inner.values["id"], "this is not the id of a blob", "write all 40 digits of `git hash-object FILE`"
        )
        blob = None
    if mode is not None and mode not in ("100644", "100755"):
        inner.say("SP112", inner.values["mode"], f"`{mode}` is not the mode of a file", 'write "100644" or "100755"')
    return None if subject is None or blob is None else Criterion("", kind, subject, inner.value.line, blob=blob, mode=mode)


def _short(text: str) -> str:
    line = text.strip().replace("\n", "; ")
    return line if len(line) <= 60 else line[:59] + "…"


READERS = {"run": _run, "exists": _path, "missing": _path, "contains": _search, "lacks": _search, "blob": _blob}
