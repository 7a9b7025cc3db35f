"""A tree with changes upon it, none of them written anywhere: what one section makes, the next one sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci.tree import UNMERGED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.ports import File, Tree

FOLDER, SYMLINK, GITLINK = "040000", "120000", "160000"


class PathFault(NamedTuple):
    """Why a path can't be used as a section wants it; `code` is a problem's."""

    code: str
    message: str
    fix: str


class Overlay:
    """Paths as they are after the changes so far."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._files: dict[str, File | None] = {}
        self._base: dict[str, File | None] = {}
        self._folders: dict[str, int] = {}  # every folder on the way to a path of `_files`: how many files lie below
        self._moved: dict[str, str] = {}  # target -> source in the tree, of files that were only moved

    def trial(self) -> Overlay:
        """A copy to try changes on."""
        copy = Overlay(self._tree)
        copy._files, copy._base, copy._folders = dict(self._files), self._base, dict(self._folders)
        return copy

    def base(self, path: str) -> File | None:
        """The file as the tree has it."""
        if path not in self._base:
            self._base[path] = self._tree.read(path)
        return self._base[path]

    def file(self, path: str) -> File | None:
        return self._files[path] if path in self._files else self.base(path)

    def mode(self, path: str) -> str | None:
        """The mode, as git has it, of what is at a path now; None where there is nothing."""
        file = self._files.get(path)
        if file is not None:
            return file.mode
        if self._holds(path):
            return FOLDER
        if path in self._files:
            return None
        entry = self._tree.entry(path)
        if entry is None or (entry.mode == FOLDER and not self._remains(path)):
            return None
        return entry.mode

    def _holds(self, folder: str) -> bool:
        """Whether a changed file lies below."""
        return self._folders.get(folder, 0) > 0

    def _remains(self, folder: str) -> bool:
        """Whether the tree has a file below that is not gone."""
        if folder not in self._folders:
            return True
        return any(self.mode(f"{folder}/{name}") is not None for name in self._tree.names(folder))

    def put(self, files: Mapping[str, File | None], moved: Mapping[str, str] | None = None) -> None:
        """Makes changes. `moved` says, by target, which files of them came unchanged from which path, as it was before."""
        origins = {target: self.origin(source) for target, source in (moved or {}).items()}
        for path, file in files.items():
            self._count(path, (file is not None) - (self._files.get(path) is not None))
            self._files[path] = file
            self._moved.pop(path, None)
            origin = origins.get(path)
            if origin is not None:
                self._moved[path] = origin

    def _count(self, path: str, more: int) -> None:
        """Notes, for every folder on the way to a path, how many changed files are below it now."""
        folder = path.rpartition("/")[0]
        while folder:
            self._folders[folder] = self._folders.get(folder, 0) + more
            folder = folder.rpartition("/")[0]

    def origin(self, path: str) -> str | None:
        """The path in the tree whose file, unchanged, is at a path now; None where it was changed or made."""
        return self._moved.get(path) if path in self._files else path

    def target_fault(self, source: str, target: str) -> PathFault | None:
        """Why a file can't be moved to a path."""
        if not target.startswith(source + "/") and not source.startswith(target + "/"):
            return self.fault(target, there=False)
        trial = self.trial()
        trial.put({source: None})
        return trial.fault(target, there=False)

    def fault(self, path: str, *, there: bool) -> PathFault | None:
        """Why a path is not a plain file (`there`), or not free for one."""
        if any(part in ("", ".", "..") for part in path.split("/")):
            fix = "write it relative to the root, without `.` and `..`"
            return PathFault("SP201", f"`{path}` is not a path below the root", fix)
        mode = self.mode(path)
        if mode in (SYMLINK, GITLINK, FOLDER, UNMERGED):
            return _in_the_way(path, path, mode)
        if mode is None:
            fault = self._above(path)
            if fault is not None or not there:
                return fault
            return PathFault("SP303", f"`{path}` is not there", "mend the path, or make the file with `Create`")
        if not there:
            return PathFault("SP304", f"`{path}` is there already", "use `Edit` or `Replace`, or delete it first")
        return None

    def _above(self, path: str) -> PathFault | None:
        """What on the way to a path is no folder."""
        end = path.find("/")
        while end >= 0:
            mode = self.mode(path[:end])
            if mode is None:
                return None
            if mode != FOLDER:
                return _in_the_way(path, path[:end], mode)
            end = path.find("/", end + 1)
        return None

    def changes(self) -> dict[str, File | None]:
        """Every path that is not as the tree has it, with its end state."""
        found: dict[str, File | None] = {}
        for path, file in self._files.items():
            entry = self._tree.entry(path)
            was = self.base(path) if entry is not None and entry.mode not in (FOLDER, GITLINK) else None
            if file != was:
                found[path] = file
        return found

    def moved(self) -> dict[str, str]:
        """Target -> source in the tree, for files that were moved and not changed since."""
        return {target: source for target, source in self._moved.items() if target != source}


def in_conflict(path: str) -> PathFault:
    """Of a path that git could not merge: nobody can say yet what will be there."""
    said = f"`{path}` is in conflict: the index holds no one version of it"
    return PathFault("SP310", said, f"`git status` shows all conflicts; resolve this one, then `git add {path}`")


def _in_the_way(path: str, at: str, mode: str) -> PathFault:
    where = "" if at == path else f", on the way to `{path}`"
    if mode == SYMLINK:
        return PathFault("SP202", f"`{at}` is a symlink{where}", "name the file itself, by its own path")
    if mode == GITLINK:
        return PathFault("SP208", f"`{at}` is a submodule{where}", "change it in its own repository")
    if mode == UNMERGED:
        return in_conflict(at)
    if mode == FOLDER:
        return PathFault("SP207", f"`{path}` is a folder", "name a file")
    return PathFault("SP207", f"`{at}` is a file{where}", "mend the path, or move that file away first")
