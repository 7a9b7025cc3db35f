"""What no model may change: the spec, what its exact sections wrote, `blob` paths, and what the criteria's commands name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci import paths
from split_ci.spec import Edit, Instruct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from split_ci.spec import Spec

BREAKS = ";&|()<>=`\n"  # what ends a word besides blanks; `--config=x` names x
GLOB = "*?["


def frozen_paths(spec: Spec, written: Iterable[str], exists: Callable[[str], bool]) -> tuple[str, ...]:
    """Paths of files and folders, sorted. `written`: what exact sections wrote; `exists` tells whether the base has a path.

    A path that an Instruct section names is the model's, whatever a command says, and so is that of an edit which no longer
    fits and is to be ported; what lies below a frozen folder is frozen.
    """
    written = set(written)
    instructed = {path for change in spec.changes if isinstance(change, Instruct) for path in change.paths}
    drifted = {change.path for change in spec.changes if isinstance(change, Edit)} - written
    named = {word for c in spec.accept if c.kind == "run" for word in words(c.subject) if exists(word)}
    blobs = {c.subject for c in spec.accept if c.kind == "blob"}
    return tuple(sorted({spec.path, *written, *blobs, *(named - instructed - drifted)}))


def is_frozen(path: str, frozen: Iterable[str], spec: Spec) -> bool:
    """Whether a path is frozen, or lies in a frozen folder without being named by an Instruct section."""
    if path in frozen:
        return True
    if any(path in change.paths for change in spec.changes if isinstance(change, Instruct)):
        return False
    return any(path.startswith(f"{folder}/") for folder in frozen)


def words(command: str) -> list[str]:
    """The words of a shell command that may be paths: without quotes, `./`, a test's `::name`, a final `/`; no globs."""
    for character in BREAKS:
        command = command.replace(character, " ")
    try:
        from shlex import split  # noqa: PLC0415

        found = split(command)
    except ValueError:
        found = command.replace('"', " ").replace("'", " ").split()
    return [w for w in map(_path, found) if w]


def _path(word: str) -> str:
    word = word.split("::", maxsplit=1)[0].rstrip("/")
    while word.startswith("./"):
        word = word[2:]
    return "" if any(c in word for c in GLOB) or paths.path_fault(word) else word
