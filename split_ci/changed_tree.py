"""A tree with some files changed, as a tree: what a model's edits make of the one before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.ports import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.ports import File, Tree

FOLDER, SYMLINK, GITLINK = "040000", "120000", "160000"


class ChangedTree:
    """A tree with some files changed. A `ports.Tree`; the changed ones have no object id."""

    def __init__(self, tree: Tree, files: Mapping[str, File | None]) -> None:
        self._tree = tree
        self._files = files
        self._new: dict[str, set[str]] = {}  # folder -> names that lead to a file that is there
        self._thinned: set[str] = set()  # folders above a file that is gone: they may be gone too
        for path, file in files.items():
            self._note(path, there=file is not None)

    def _note(self, path: str, *, there: bool) -> None:
        while path:
            path, _, name = path.rpartition("/")
            if there:
                self._new.setdefault(path, set()).add(name)
            else:
                self._thinned.add(path)

    def entry(self, path: str) -> Entry | None:
        file = self._files.get(path)
        if file is not None:
            return Entry(file.mode, "")
        if path in self._new:
            return Entry(FOLDER, "")
        if path in self._files or (path in self._thinned and not self.names(path)):
            return None
        return self._tree.entry(path)

    def names(self, folder: str) -> Sequence[str]:
        start = folder + "/" if folder else ""
        new = self._new.get(folder, set())
        kept = [name for name in self._tree.names(folder) if name not in new and self._still(start + name)]
        return sorted([*kept, *new])

    def _still(self, path: str) -> bool:
        """Whether what the tree has at a path is there after the changes."""
        return path not in self._files and (path not in self._thinned or bool(self.names(path)))

    def read(self, path: str) -> File | None:
        return self._files[path] if path in self._files else self._tree.read(path)

    def paths(self) -> Mapping[str, Entry]:
        found = {p: e for p, e in self._tree.paths().items() if self._files.get(p, True) is not None}
        found.update({p: Entry(f.mode, "") for p, f in self._files.items() if f is not None})
        return found
