"""What the sections under `## Changes` say, as values."""

from __future__ import annotations

from typing import NamedTuple

from split_ci import patch


class Pair(NamedTuple):
    """One `Before:`/`After:` pair.

    Texts are whole lines, ended by line feeds, or empty; `count` is how often before must occur.
    `line` and `after_line` are the lines of the opening fences: the text itself starts one line below.
    """

    before: str
    after: str
    count: int  # type: ignore[assignment]
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
    text_line: int = 0  # of the opening fence


class Replace(NamedTuple):
    """The whole content of a file that exists.

    `text` lacks the last line feed for `(no final newline)`; line ends follow the file. `executable` sets the bit; without
    it the mode stays what it is.
    """

    path: str
    text: str
    executable: bool
    line: int
    text_line: int = 0  # of the opening fence


class Delete(NamedTuple):
    path: str
    line: int


class Move(NamedTuple):
    source: str
    target: str
    line: int


class Patch(NamedTuple):
    """git's own unified diff, as text with line feeds as line ends.

    Carriage returns are there only where an `escaped` fence wrote them, and bytes that are not UTF-8 are surrogates.
    """

    diff: str
    line: int
    text_line: int = 0  # of the opening fence


class Instruct(NamedTuple):
    paths: tuple[str, ...]
    prose: str
    line: int


Change = Edit | Create | Replace | Delete | Move | Patch | Instruct
Exact = Edit | Create | Replace | Delete | Move | Patch


def touched(change: Change) -> tuple[str, ...]:
    """Every path that a change names, each once: a move's source and target, all of a patch."""
    if isinstance(change, Move):
        return (change.source, change.target)
    if isinstance(change, Instruct):
        return change.paths
    if isinstance(change, Patch):
        return tuple(dict.fromkeys(path for path, _ in patch.patch_paths(change.diff)))
    return (change.path,)
