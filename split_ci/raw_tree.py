"""Tree objects as git keeps them, parsed; what was read last is remembered by the whole process: an id is its content."""

from __future__ import annotations

from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING

from split_ci.errors import WorldError

if TYPE_CHECKING:
    from re import Pattern

    Folder = dict[bytes, tuple[bytes, bytes, bytes]]  # name -> (mode, name, binary id), as a tree object has it

MAX_ENTRIES = 150_000  # remembered: some 45 MB


def parse_tree(data: bytes, size: int) -> Folder:
    """A raw tree object's entries, `size` being that of a binary object id. Raises WorldError where it is no tree."""
    pattern = _patterns.get(size)
    if pattern is None:
        import re  # noqa: PLC0415 - only where a commit's tree is read

        pattern = _patterns[size] = re.compile(rb"([0-7]+) ([^\0]+)\0(.{%d})" % size, re.DOTALL)
    found = pattern.findall(data)
    if sum(map(len, chain.from_iterable(found))) + 2 * len(found) != len(data):
        raise WorldError("a tree of the repository is malformed", hint="git fsck")
    return {entry[1]: entry for entry in found}


class Remembered:
    """Parsed trees by their id, `most` entries in all; the one not used for longest goes first. Safe between threads."""

    def __init__(self, most: int = MAX_ENTRIES) -> None:
        self._most = most
        self._held = 0
        self._folders: dict[str, Folder] = {}
        self._lock = Lock()

    def get(self, oid: str) -> Folder | None:
        with self._lock:
            found = self._folders.pop(oid, None)
            if found is not None:
                self._folders[oid] = found  # last: the order is that of use
            return found

    def put(self, oid: str, folder: Folder) -> None:
        with self._lock:
            if oid in self._folders:
                return
            self._folders[oid] = folder
            self._held += len(folder)
            while self._held > self._most and len(self._folders) > 1:
                self._held -= len(self._folders.pop(next(iter(self._folders))))


_patterns: dict[int, Pattern[bytes]] = {}
REMEMBERED = Remembered()
