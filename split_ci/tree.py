"""One snapshot of a repository's files, as every reader of it sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


UNMERGED = "unmerged"  # the mode of a path in conflict: the index holds no one version of it


class File(NamedTuple):
    """A file as git keeps it: bytes and mode (`100644` or `100755`; `120000` and `160000` are read, never written)."""

    data: bytes
    mode: str = "100644"


class Entry(NamedTuple):
    """One name in a tree: git's mode (`040000` for a folder) and object id."""

    mode: str
    oid: str


class Tree(Protocol):
    """Reads one snapshot: a commit, or the index. Paths are relative to the root, with `/`, without a leading slash."""

    def entry(self, path: str) -> Entry | None: ...

    def names(self, folder: str) -> Sequence[str]:
        """The names directly in a folder (`""` is the root); empty where there is no such folder."""
        ...

    def read(self, path: str) -> File | None:
        """The file at a path; None where there is none, or where it is a folder or a gitlink."""
        ...

    def paths(self) -> Mapping[str, Entry]:
        """Every file below the root. Costs a listing of the whole tree: for globs only."""
        ...
