"""A spec: one Markdown file, `specs/<id>.md`, read into values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from split_ci import frontmatter
from split_ci.change import Change, Create, Delete, Edit, Exact, Instruct, Move, Pair, Patch, Replace, touched
from split_ci.criterion import Criterion, Red, read_accept
from split_ci.frontmatter import Value
from split_ci.invisible import hidden, invisibles, name
from split_ci.keys import Keys
from split_ci.problems import CODES, problem
from split_ci.sections import Body, read_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.problems import Problem

__all__ = [
    "Change", "Create", "Criterion", "Delete", "Edit", "Exact", "Instruct", "Limits", "Move", "Pair", "Parsed", "Patch",
    "Red", "Replace", "Spec", "id_fault", "parse_spec", "spec_id", "touched",
]  # fmt: skip

ID = r"[a-z0-9][a-z0-9-]{0,62}"
MAX_BYTES = 8 * 1024 * 1024
MAX_TITLE = 72
KEYS = ("title", "status", "needs", "implementer", "read", "allow", "protected", "waive", "accept", "limits")


class Limits(NamedTuple):
    """Caps of one dispatch; None is the configuration's."""

    rounds: int | None = None
    minutes: float | None = None
    tokens: int | None = None
    usd: float | None = None


class Spec(NamedTuple):
    id: str
    path: str  # where the file lies, `specs/<id>.md`
    data: bytes  # the file itself
    title: str
    status: str  # draft | ready
    accept: tuple[Criterion, ...]
    changes: tuple[Change, ...]
    why: str
    checklist: str
    needs: tuple[str, ...] = ()
    implementer: str | None = None
    read: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    waive: tuple[str, ...] = ()
    limits: Limits = Limits()
    lines: Mapping[str, int] = {}  # front matter key -> its line, for messages

    @property
    def digest(self) -> str:
        """SHA-256 of the file's bytes, hex: with the id it names the generation."""
        from hashlib import sha256  # noqa: PLC0415 - the hook asks for no digest, and pays for no import

        return sha256(self.data).hexdigest()


class Parsed(NamedTuple):
    """A spec, or None with the problems that kept it from being one. A spec may come with problems too.

    None only where the file is not text, is too large, or its name is no id: all else is reported, and what could be
    read is there to be judged. Nothing may be dispatched from a spec with a problem of severity error.
    """

    spec: Spec | None
    problems: tuple[Problem, ...]


def spec_id(path: str) -> str:
    """The file's stem, whether it is an id or not."""
    return path.rpartition("/")[2].removesuffix(".md")


def id_fault(stem: str) -> str | None:
    """Why a file stem is no spec id; None where it is one."""
    if re.fullmatch(ID, stem):
        return "the branch `split-ci/coaching` holds lessons" if stem == "coaching" else None
    if len(stem) > 63:
        return f"it has {len(stem)} characters, at most 63 are allowed"
    return "an id is lower-case letters, digits and hyphens, and starts with a letter or a digit"


def parse_spec(data: bytes, path: str) -> Parsed:
    """Reads the bytes of `specs/<id>.md`. Never raises for what the bytes hold."""
    problems: list[Problem] = []
    stem = spec_id(path)
    fault = id_fault(stem)
    if fault or not path.endswith(".md"):
        said = f"`{stem[:80]}` is not a spec id: {fault}" if fault else "a spec's name ends in `.md`"
        problems.append(problem("SP113", path, 1, said, "rename the file, such as `specs/fold-the-loaders.md`"))
    text = _text(data, path, problems)
    if text is None:
        return Parsed(None, tuple(problems))
    head = frontmatter.read(text, path)
    body = read_body(head.body, path, head.body_line) if head.body or head.value else Body((), "", "", ())
    problems += [*head.problems, *_hidden(text[: len(text) - len(head.body)], path)]
    keys = Keys(head.value or Value("map", 1, 1), path, problems if head.value else [], KEYS)
    spec = Spec(
        id=stem,
        path=path,
        data=data,
        title=_title(keys) or "",
        status=_status(keys),
        accept=read_accept(keys),
        changes=body.changes,
        why=body.why,
        checklist=body.checklist,
        needs=_ids(keys, "needs"),
        implementer=_name(keys, "implementer"),
        read=keys.texts("read"),
        allow=keys.texts("allow"),
        protected=keys.texts("protected"),
        waive=_codes(keys),
        limits=_limits(keys),
        lines=keys.lines,
    )
    found = sorted([*problems, *body.problems], key=lambda p: (p.line, p.column, p.code))
    return Parsed(None if fault else spec, tuple(found))


def _text(data: bytes, path: str, problems: list[Problem]) -> str | None:
    r"""The file as text with `\n` line ends; None, and a problem, where it is not plain UTF-8."""
    if len(data) > MAX_BYTES:
        said = f"the file has {len(data):,} bytes, at most {MAX_BYTES:,} are allowed"
        problems.append(problem("SP102", path, 1, said, "split it into several specs"))
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = len(data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8", "replace")) + 1
        said = f"byte 0x{data[error.start]:02x} is not UTF-8"
        problems.append(
            problem(
                "SP101",
                path,
                line,
                said,
                "save it as UTF-8; write odd bytes in a fence whose info ends in `escaped`",
                column,
            )
        )
        return None
    text = text.replace("\r\n", "\n")
    ok = True
    for char, what, escape in (("\r", "a carriage return", r"\r"), ("\0", "a NUL", r"\0")):
        at = text.find(char)
        if at >= 0:
            ok = False
            line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
            fix = f"write `{escape}` in a fence whose info ends in `escaped`"
            problems.append(problem("SP101", path, line, f"the file holds {what}", fix, column))
    return text if ok else None


def _hidden(head: str, path: str) -> list[Problem]:
    """Characters of the front matter that can't be seen, such as turn a command's words round."""
    if not hidden(head):
        return []
    return [
        problem(
            "SP413", path, head.count("\n", 0, at) + 1, f"the front matter holds an invisible character, {name(char)}",
            "take it away", at - head.rfind("\n", 0, at),
        )
        for at, char in invisibles(head)
    ]  # fmt: skip


def _title(keys: Keys) -> str | None:
    title = keys.text("title")
    if title is None:
        if "title" not in keys.values:
            keys.missing("title", "say in at most 72 characters what changes")
        return None
    value = keys.values["title"]
    if len(title) > MAX_TITLE:
        keys.say(
            "SP112",
            value,
            f"`title` has {len(title)} characters",
            f"say it in at most {MAX_TITLE}; the rest goes to `## Why`",
        )
    if not title.isprintable() or title != title.strip():
        keys.say("SP112", value, "`title` holds more than one line of plain text", "write one line")
    return title


def _status(keys: Keys) -> str:
    status = keys.text("status")
    if status not in (None, "draft", "ready"):
        keys.say("SP112", keys.values["status"], f"`status` is `{status}`", "write `draft` or `ready`")
    return "ready" if status == "ready" else "draft"


def _name(keys: Keys, key: str) -> str | None:
    name = keys.text(key)
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", name):
        keys.say("SP112", keys.values[key], f"`{key}` is not a name", "write the name of an implementer of `.split-ci.yaml`")
        return None
    return name


def _ids(keys: Keys, key: str) -> tuple[str, ...]:
    found: list[str] = []
    for text, value in keys.texts_at(key):
        fault = id_fault(text)
        if fault:
            keys.say(
                "SP112",
                value,
                f"`{text[:80]}` is not a spec id: {fault}",
                "write the name of a file in `specs/`, without `.md`",
            )
        elif text in found:
            keys.say("SP112", value, f"`{text}` is in `{key}` twice", "take one away")
        else:
            found.append(text)
    return tuple(found)


def _codes(keys: Keys) -> tuple[str, ...]:
    found: list[str] = []
    for text, value in keys.texts_at("waive"):
        if text not in CODES:
            keys.say("SP112", value, f"`{text}` is not the code of a problem", "write a code that `split-ci check` printed")
        elif not CODES[text].waivable:
            keys.say(
                "SP112",
                value,
                f"{text} can't be waived: {CODES[text].title}",
                "mend what it says; only judgements of taste can be waived",
            )
        else:
            found.append(text)
    return tuple(dict.fromkeys(found))


def _limits(keys: Keys) -> Limits:
    inner = keys.inner("limits", Limits._fields)
    if inner is None:
        return Limits()
    return Limits(
        inner.whole("rounds", 1, 100),
        inner.number("minutes", 1440),
        inner.whole("tokens", 1, 10**9),
        inner.number("usd", 10_000),
    )
