"""The rules about paths: what a spec names, against what a tree holds there and on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.change import Delete, Instruct, Move, Patch, touched
from split_ci.overlay import in_conflict
from split_ci.patch import patch_paths
from split_ci.paths import fold, is_glob, out_of_reach, path_fault, protected
from split_ci.problems import problem
from split_ci.tree import UNMERGED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from split_ci.change import Change
    from split_ci.ports import Tree
    from split_ci.problems import Problem
    from split_ci.spec import Spec

FOLDER, SYMLINK, GITLINK = "040000", "120000", "160000"


class Place:
    """A tree as the rules ask for it, with what they learnt about its folders kept: one for all specs of a check."""

    def __init__(self, tree: Tree, *, specs: str = "specs", protected: Sequence[str] = ()) -> None:
        self.tree = tree
        self.specs = specs  # the folder
        self.protected = tuple(protected)  # the configuration's, beside the built-in list
        self._folds: dict[str, dict[str, list[str]]] = {}

    def alike(self, folder: str, name: str) -> list[str]:
        """The names in a folder of the tree that fall together with a name; none where the name itself is there."""
        if self.tree.entry(f"{folder}/{name}" if folder else name) is not None:
            return []
        if folder not in self._folds:
            folds: dict[str, list[str]] = {}
            for known in self.tree.names(folder):
                folds.setdefault(fold(known), []).append(known)
            self._folds[folder] = folds
        return self._folds[folder].get(fold(name), [])

    def is_protected(self, path: str) -> bool:
        return protected(path, self.protected)


def path_problems(spec: Spec, place: Place) -> Iterator[Problem]:
    free = _freed(spec.changes)
    own: dict[str, str] = {}
    for change in spec.changes:
        for path in touched(change):
            fault = _fault(spec, path, change.line) or _reach(spec, path, change.line, place)
            if fault:
                yield fault
                continue
            yield from _way_problems(spec, path, change, place, free)
            yield from _own_twins(spec, path, change.line, own, free)
            yield from _protection(spec, path, change, place)
    yield from _front_matter_paths(spec, place)


def _fault(spec: Spec, path: str, line: int) -> Problem | None:
    fault = path_fault(path)
    if fault is None:
        return None
    fix = "write the path from the repository's root, with `/`, and without anything that some system reads as another path"
    return problem("SP201", spec.path, line, f"the path {quoted(path)} {fault}", fix)


def _reach(spec: Spec, path: str, line: int, place: Place) -> Problem | None:
    if not out_of_reach(path, place.specs):
        return None
    message = f"`{path}` is out of reach: specs, lessons and split-ci's configuration are changed by people alone"
    return problem("SP205", spec.path, line, message, "take this section out, and change that file by a commit of your own")


def quoted(path: str) -> str:
    """A path as a message may show it: short, and nothing in it that a terminal obeys."""
    shown = path if path.isprintable() else ascii(path)[1:-1]
    return f"`{shown if len(shown) <= 120 else shown[:117] + '...'}`"


def _freed(changes: Iterable[Change]) -> frozenset[str]:
    """Paths that the exact sections take away: their names are free."""
    gone: set[str] = set()
    for change in changes:
        if isinstance(change, Delete):
            gone.add(change.path)
        elif isinstance(change, Move):
            gone.add(change.source)
        elif isinstance(change, Patch):
            gone.update(path for path, verb in patch_paths(change.diff) if verb in ("delete", "move"))
    return frozenset(gone)


def _way_problems(spec: Spec, path: str, change: Change, place: Place, free: Collection[str]) -> Iterator[Problem]:
    """What lies on the way to a path in the tree, from the root down: links, files, submodules, twins."""
    parts = path.split("/")
    folder = ""
    for i, name in enumerate(parts):
        here = f"{folder}/{name}" if folder else name
        for twin in place.alike(folder, name):
            there = f"{folder}/{twin}" if folder else twin
            if not _all_freed(there, place.tree, free):
                message = f"{quoted(path)} can't be told from `{there}` of the tree by some file systems"
                yield problem("SP203", spec.path, change.line, message, f"spell it `{there}`, or move that one away first")
                return
        entry = place.tree.entry(here)
        if entry is None:
            return
        last = i == len(parts) - 1
        if last and entry.mode == FOLDER and _all_freed(here, place.tree, free):
            return
        found = _obstacle(entry.mode, here, last=last, freed=here in free)
        if found:
            code, message, fix = found
            yield problem(code, spec.path, change.line, message, fix)
            return
        folder = here


def _obstacle(mode: str, here: str, *, last: bool, freed: bool) -> tuple[str, str, str] | None:
    if mode == SYMLINK:
        fix = "name the file that it points to; change the link itself by a commit of your own"
        return "SP202", f"`{here}` is a symlink: what is behind it is not followed", fix
    if mode == UNMERGED:
        return in_conflict(here)
    if mode == GITLINK:
        return "SP208", f"`{here}` is a submodule: its files belong to another repository", "change them there"
    if mode == FOLDER and last:
        return (
            "SP207",
            f"`{here}` is a folder, and a section names files",
            "name the files in it, each in a section of its own",
        )
    if mode not in (FOLDER, SYMLINK) and not last and not freed:
        return (
            "SP207",
            f"`{here}` is a file, so nothing can lie below it",
            f"delete or move `{here}` in a section before this one",
        )
    return None


def _all_freed(path: str, tree: Tree, free: Collection[str]) -> bool:
    """Whether nothing is left of a file or folder once the freed paths are gone."""
    entry = tree.entry(path)
    if entry is None or entry.mode != FOLDER:
        return path in free
    return bool(free) and all(_all_freed(f"{path}/{name}", tree, free) for name in tree.names(path))


def _own_twins(spec: Spec, path: str, line: int, own: dict[str, str], free: Collection[str]) -> Iterator[Problem]:
    """Two paths of one spec that stay and fall together; `own` collects folded path -> path, folders on the way included."""
    at = len(path) if path not in free else 0
    while at > 0:
        here = path[:at]
        known = own.setdefault(fold(here), here)
        if known != here:
            message = f"{quoted(here)} and {quoted(known)} can't be told from each other by some file systems"
            yield problem("SP203", spec.path, line, message, "spell both the same way")
            return
        at = path.rfind("/", 0, at)


def _protection(spec: Spec, path: str, change: Change, place: Place) -> Iterator[Problem]:
    if not place.is_protected(path):
        return
    if isinstance(change, Instruct):
        message = f"`{path}` is protected: a model never changes it"
        yield problem(
            "SP206", spec.path, change.line, message, f"write it out in an exact section, and add `{path}` to `protected`"
        )
    elif path not in spec.protected:
        message = f"`{path}` is protected, and the front matter doesn't name it"
        yield problem("SP204", spec.path, change.line, message, f'add it to the front matter: protected: ["{path}"]')


def _front_matter_paths(spec: Spec, place: Place) -> Iterator[Problem]:
    exact = {path for change in spec.changes if not isinstance(change, Instruct) for path in touched(change)}
    line = spec.lines.get("protected", 1)
    for path in spec.protected:
        fault = _fault(spec, path, line)
        if fault:
            yield fault
        elif path not in exact:
            message = f"`protected` names {quoted(path)}, which no exact section changes"
            yield problem(
                "SP209", spec.path, line, message, "take the line out, so that the list says what is really changed"
            )
    for glob in spec.allow:
        yield from _allowed(spec, glob, spec.lines.get("allow", 1), place)
    for glob in spec.read:
        fault = _fault(spec, glob, spec.lines.get("read", 1))
        if fault:
            yield fault
    for criterion in spec.accept:
        if criterion.kind != "run":
            fault = _fault(spec, criterion.subject, criterion.line)
            if fault:
                yield fault


def _allowed(spec: Spec, glob: str, line: int, place: Place) -> Iterator[Problem]:
    """A glob is capped where it meets protected paths; a name or a folder that is nothing but protected is a mistake."""
    literal = glob.removesuffix("/**")
    found = _fault(spec, glob, line) or _reach(spec, literal, line, place)
    if found:
        yield found
    elif not is_glob(literal) and place.is_protected(literal):
        yield problem(
            "SP206",
            spec.path,
            line,
            f"`allow` names {quoted(glob)}, which is protected",
            "a model never changes it: take it out",
        )
