"""What a designer may see of a repository: its map, and files that it asks for; out of one commit, within a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci.brief import quoted, shown
from split_ci.paths import path_fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.git import Repo
    from split_ci.ports import Tree

MAP_BYTES = 24 * 1024
FILE_BYTES = 64 * 1024
ALL_BYTES = 256 * 1024
READABLE = ("100644", "100755")


class Page(NamedTuple):
    """One file as it is shown: its title, and its text, or why there is none."""

    path: str
    title: str
    text: str
    fault: str = ""


def sizes(repo: Repo, commit: str) -> dict[str, int]:
    """Path -> bytes of every plain file of a commit."""
    found = {}
    for record in repo.git("ls-tree", "-r", "-l", "-z", "--full-tree", commit).split(b"\0"):
        meta, _, path = record.partition(b"\t")
        fields = meta.split()
        if len(fields) == 4 and fields[0].decode() in READABLE:
            found[path.decode("utf-8", "surrogateescape")] = int(fields[3])
    return found


def render_map(files: Mapping[str, int], limit_bytes: int = MAP_BYTES) -> str:
    """Paths with their sizes, one a line. Where they don't fit, the fullest folders are told as one line each."""
    folders = dict(files)
    names = {path: f"{quoted(path)} {size}" for path, size in files.items()}
    depth = max((path.count("/") for path in files), default=0)
    while depth and sum(len(line.encode()) + 1 for line in names.values()) > limit_bytes:
        folders, names = _folded(files, depth)
        depth -= 1
    lines = [names[path] for path in sorted(folders)]
    kept = []
    room = limit_bytes
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    more = len(lines) - len(kept)
    return "\n".join([*kept, *([f"and {more} more"] if more else [])]) + "\n"


def _folded(files: Mapping[str, int], depth: int) -> tuple[dict[str, int], dict[str, str]]:
    """The map with everything below a depth told by its folder."""
    sums: dict[str, int] = {}
    counts: dict[str, int] = {}
    for path, size in files.items():
        parts = path.split("/")
        key = path if len(parts) <= depth else "/".join(parts[:depth]) + "/"
        sums[key] = sums.get(key, 0) + size
        counts[key] = counts.get(key, 0) + 1
    names = {
        key: f"{quoted(key)} {counts[key]} files, {size}" if key.endswith("/") else f"{quoted(key)} {size}"
        for key, size in sums.items()
    }
    return sums, names


class Reading:
    """The files that were asked for; what is shown once counts against the budget, and is not shown again."""

    def __init__(self, tree: Tree, limit_bytes: int = ALL_BYTES) -> None:
        self._tree = tree
        self._room = limit_bytes
        self.read: dict[str, None] = {}

    def pages(self, paths: Sequence[str]) -> list[Page]:
        """Each path's page, in their order."""
        return [self._page(path) for path in paths]

    def _page(self, path: str) -> Page:
        fault = path_fault(path)
        if fault:
            return Page(path, "", "", f"the path {fault}")
        if path in self.read:
            return Page(path, "", "", "you were shown it already")
        entry = self._tree.entry(path)
        if entry is None or entry.mode not in READABLE:
            return Page(path, "", "", "there is no such file" if entry is None else "not a plain file")
        found = shown(self._tree.read(path))
        size = len(found.text.encode())
        if found.fault or size > FILE_BYTES or size > self._room:
            most = f"{size} bytes: at most {FILE_BYTES} of a file are shown, and {self._room} of all that is left"
            return Page(path, "", "", found.fault or most)
        self._room -= size
        self.read[path] = None
        return Page(path, f"file {quoted(path)}{found.note}", found.text)
