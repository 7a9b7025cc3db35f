"""Which lines of a result a pull request shows: out of git, since a forge refuses a whole review for one other line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from split_ci.git import FILE_MODES, SYMLINK

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from split_ci.git import Repo

Lines = tuple[range, ...]
BIGGEST_BYTES = 500_000  # forges show no diff of a larger file
MOST_LINES = 20_000
_HUNK = re.compile(rb"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
NO_MODE = "000000"


class _Side(NamedTuple):
    mode: str
    blob: str


def shown_lines(repo: Repo, base: str, head: str, paths: Collection[str]) -> dict[str, Lines]:
    """For each path, the lines of the head (from 1) that the diff from the base shows: changed ones and three around them.

    Moves are followed as forges follow them: of a file that was moved, only what else changed is in the diff.
    """
    found = {}
    for path, (was, now) in _pairs(repo, base, head).items():
        if path in paths and now.mode in (*FILE_MODES, SYMLINK):
            found[path] = _lines(repo, was, now)
    return found


def _pairs(repo: Repo, base: str, head: str) -> Mapping[str, tuple[_Side, _Side]]:
    """Path at the head -> what it was made of, and what it is."""
    out = repo.git("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "-M50%", "-l1000", base, head)
    fields = iter(out.decode("utf-8", "surrogateescape").split("\0")[:-1])
    found = {}
    for meta in fields:
        old_mode, mode, old, new, kind = meta.removeprefix(":").split(" ")
        path = next(fields)
        if kind[0] in "RC":
            path = next(fields)
        found[path] = _Side(old_mode, old), _Side(mode, new)
    return found


def _lines(repo: Repo, was: _Side, now: _Side) -> Lines:
    if was.blob == now.blob:
        return ()
    if was.mode == NO_MODE or (was.mode == SYMLINK) != (now.mode == SYMLINK):  # shown as a new file
        data = repo.git("cat-file", "blob", now.blob)
        if len(data) > BIGGEST_BYTES or b"\0" in data[:8000] or not data:
            return ()
        count = data.count(b"\n") + (not data.endswith(b"\n"))
        return (range(1, count + 1),) if count <= MOST_LINES else ()
    diff = repo.git(
        "diff", "--no-color", "--no-ext-diff", "-U3", "--inter-hunk-context=0", "--diff-algorithm=myers", was.blob, now.blob
    )
    if len(diff) > BIGGEST_BYTES:
        return ()
    starts = ((int(start), int(count or 1)) for start, count in _HUNK.findall(diff))
    return tuple(range(start, start + count) for start, count in starts if count)


def is_shown(lines: Mapping[str, Lines], path: str, line: int) -> bool:
    """Whether a line of a file is in the diff."""
    return any(line in part for part in lines.get(path, ()))
