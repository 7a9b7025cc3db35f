"""A spec: one Markdown file, `specs/<id>.md`, read into values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.problems import Problem


class Pair(NamedTuple):
    """One `Before:`/`After:` pair. Texts are whole lines ending in `\\n` (or empty); `count` is how often before must occur."""

    before: str
    after: str
    count: int
    line: int
    after_line: int


class Edit(NamedTuple):
    path: str
    pairs: tuple[Pair, ...]
    line: int


class Create(NamedTuple):
    """A new file; `text` is its exact content, line ends and final newline already as they will be."""

    path: str
    text: str
    executable: bool
    line: int


class Replace(NamedTuple):
    """The whole content of a file that exists. `final_newline` is false for `(no final newline)`; line ends follow the file."""

    path: str
    text: str
    executable: bool
    line: int


class Delete(NamedTuple):
    path: str
    line: int


class Move(NamedTuple):
    source: str
    target: str
    line: int


class Patch(NamedTuple):
    """git's own unified diff, as text with `\\n` line ends (carriage returns only where an `escaped` fence wrote them)."""

    diff: str
    line: int


class Instruct(NamedTuple):
    paths: tuple[str, ...]
    prose: str
    line: int


Change = Edit | Create | Replace | Delete | Move | Patch | Instruct
Exact = Edit | Create | Replace | Delete | Move | Patch


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
        raise NotImplementedError


class Limits(NamedTuple):
    """Caps of one dispatch; None is the configuration's."""

    rounds: int | None = None
    minutes: float | None = None
    tokens: int | None = None
    usd: float | None = None


class Spec(NamedTuple):
    id: str
    path: str  # where the file lies, `specs/<id>.md`
    digest: str  # sha256 of the file's bytes, hex: with the id it names the generation
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


class Parsed(NamedTuple):
    """A spec, or None with the problems that kept it from being one. A spec may come with problems too."""

    spec: Spec | None
    problems: tuple[Problem, ...]


def parse_spec(data: bytes, path: str) -> Parsed:
    """Reads the bytes of `specs/<id>.md`. Never raises for what the bytes hold."""
    raise NotImplementedError
