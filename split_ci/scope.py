"""What a changeset may hold, given its spec and the base: the rules of the gate, values in, the first fault out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.frozen import frozen_paths, is_frozen
from split_ci.invisible import invisibles, name
from split_ci.paths import fold, matches, out_of_reach, path_fault
from split_ci.spec import Instruct

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from split_ci.changeset import Changed, Changeset
    from split_ci.path_rules import Place
    from split_ci.ports import File
    from split_ci.spec import Spec

FOLDER, SYMLINK, GITLINK = "040000", "120000", "160000"
FILE_MODES = ("100644", "100755")
MAX_FILES = 20_000
MAX_MODEL_FILES = 400
MAX_MODEL_BYTES = 2 * 1024 * 1024
MAX_MODEL_LINE = 1024 * 1024


def structure_fault(changeset: Changeset, place: Place, specs: str) -> str | None:
    """Why no commit may be made of a changeset at all: its paths, modes and blob ids against the base."""
    if changeset.spec_path != f"{specs}/{changeset.id}.md":
        return f"{changeset.spec_path}: rule spec-path: the spec of {changeset.id} lies at {specs}/{changeset.id}.md"
    if len(changeset.changes) > MAX_FILES:
        return f"{changeset.id}: rule size: {len(changeset.changes)} files, the cap is {MAX_FILES}"
    gone = {c.path for c in changeset.changes if c.file is None}
    faults = (_path_fault(c, place, gone, specs) for c in changeset.changes)
    return next(filter(None, faults), None) or _own_twin(changeset.changes)


def _path_fault(changed: Changed, place: Place, gone: Collection[str], specs: str) -> str | None:
    path = changed.path
    fault = path_fault(path)
    if fault:
        return f"{path[:200]!r}: rule path: it {fault}"
    if out_of_reach(path, specs):
        return f"{path}: rule out-of-reach: specs, lessons and split-ci's configuration are changed by people alone"
    return _entry_fault(changed, place) or _way_fault(changed, place, gone)


def _entry_fault(changed: Changed, place: Place) -> str | None:
    """Against what the base holds at the path itself."""
    path, entry = changed.path, place.tree.entry(changed.path)
    here = None if entry is None or entry.mode == FOLDER else entry.oid
    if changed.was != here:
        return f"{path}: rule was: it was written against {changed.was or 'no file'}, the base holds {here or 'none'}"
    if entry is not None and entry.mode in (SYMLINK, GITLINK) and (changed.file is not None or changed.by != "exact"):
        return f"{path}: rule type: it is a {'symlink' if entry.mode == SYMLINK else 'submodule'} in the base"
    if changed.file is None:
        return None if here else f"{path}: rule deletion: the base holds no such file"
    if changed.file.mode not in FILE_MODES:
        return f"{path}: rule mode: {changed.file.mode} is not one of {', '.join(FILE_MODES)}"
    return None


def _way_fault(changed: Changed, place: Place, gone: Collection[str]) -> str | None:
    """What lies on the way of a file that is written: files and links of the base, and names that fall together."""
    if changed.file is None or changed.was is not None:
        return None
    folder = ""
    for part in changed.path.split("/"):
        for twin in place.alike(folder, part):
            there = f"{folder}/{twin}" if folder else twin
            if not _all_gone(there, place, gone):
                return f"{changed.path}: rule twins: some file systems can't tell it from {there} of the base"
        folder = f"{folder}/{part}" if folder else part
        entry = place.tree.entry(folder)
        if entry is None:
            return None
        if entry.mode != FOLDER and folder not in gone and folder != changed.path:
            return f"{changed.path}: rule way: {folder} is no folder in the base"
    return None


def _all_gone(path: str, place: Place, gone: Collection[str]) -> bool:
    entry = place.tree.entry(path)
    if entry is None or entry.mode != FOLDER:
        return path in gone
    return bool(gone) and all(_all_gone(f"{path}/{name}", place, gone) for name in place.tree.names(path))


def _own_twin(changes: Iterable[Changed]) -> str | None:
    """Two written paths, or folders on their way, that some file systems can't tell apart."""
    seen: dict[str, str] = {}
    for changed in changes:
        at = len(changed.path) if changed.file is not None else 0
        while at > 0:
            here = changed.path[:at]
            known = seen.setdefault(fold(here), here)
            if known != here:
                return f"{here}: rule twins: some file systems can't tell it from {known}"
            at = changed.path.rfind("/", 0, at)
    return None


def exact_fault(changeset: Changeset, exact: Sequence[Changed], ported: Collection[str]) -> str | None:
    """Where the changeset's exact part is not what the spec and the base give. `ported`: paths of edits that drifted."""
    derived = {c.path: c for c in exact}
    for changed in changeset.changes:
        mine = derived.pop(changed.path, None)
        if changed.by == "exact" and (mine is None or mine.file != changed.file):
            return f"{changed.path}: rule exact: the spec's exact sections don't make this of the base"
        if changed.by != "exact" and mine is not None and changed.path not in ported:
            return f"{changed.path}: rule frozen: exact sections wrote it, and a model changed it"
    missing = next((path for path in derived if path not in ported), None)
    return f"{missing}: rule exact: the spec's exact sections change it, and the changeset doesn't" if missing else None


def model_fault(
    changeset: Changeset, spec: Spec, exact: Sequence[Changed], ported: Collection[str], place: Place
) -> str | None:
    """Where a model, or an edit that one ported, reached further than the spec lets it."""
    written = [c for c in changeset.changes if c.by != "exact"]
    if len(written) > MAX_MODEL_FILES:
        return f"{changeset.id}: rule size: a model changed {len(written)} files, the cap is {MAX_MODEL_FILES}"
    if not written:
        return None
    sections = [c.path for c in exact if c.path not in ported]
    frozen = frozen_paths(spec, sections, lambda path: place.tree.entry(path) is not None)
    named = {path for change in spec.changes if isinstance(change, Instruct) for path in change.paths}
    faults = (
        _reach_fault(c, spec, ported, named) or _frozen_fault(c, spec, frozen, place) or _content_fault(c, place)
        for c in written
    )
    return next(filter(None, faults), None)


def _reach_fault(changed: Changed, spec: Spec, ported: Collection[str], named: Collection[str]) -> str | None:
    path = changed.path
    if changed.by == "adapted" and path not in ported:
        return f"{path}: rule adapted: no edit of it has drifted"
    if path in named or path in ported or any(matches(glob, path) for glob in spec.allow):
        return None
    return f"{path}: rule scope: no Instruct section names it and `allow` doesn't cover it"


def _frozen_fault(changed: Changed, spec: Spec, frozen: Collection[str], place: Place) -> str | None:
    if is_frozen(changed.path, frozen, spec):
        return f"{changed.path}: rule frozen: a model may not change it"
    if place.is_protected(changed.path):
        return f"{changed.path}: rule protected: a model never changes it"
    return None


def _content_fault(changed: Changed, place: Place) -> str | None:
    """What a model may not put into a file: the executable bit, too much, bytes that are no text, hidden characters."""
    if changed.file is None:
        return None
    path, file, before = changed.path, changed.file, place.tree.read(changed.path) if changed.was else None
    if file.mode != (before.mode if before else "100644"):
        return f"{path}: rule mode: a model doesn't change the executable bit"
    if len(file.data) > MAX_MODEL_BYTES + (len(before.data) if before else 0):
        return f"{path}: rule size: {len(file.data)} bytes"
    try:
        text = file.data.decode()
    except UnicodeDecodeError:
        return f"{path}: rule text: not UTF-8"
    return next(_hidden(path, text, before), None)


def _hidden(path: str, text: str, before: File | None) -> Iterator[str]:
    known = before.data.decode(errors="replace") if before else ""
    for at, character in invisibles(text):
        if character not in known:
            yield f"{path}:{text.count(chr(10), 0, at) + 1}: rule invisible: {name(character)}"


def protection_fault(changeset: Changeset, spec: Spec, place: Place) -> str | None:
    """A protected path that the front matter doesn't name."""
    for changed in changeset.changes:
        if changed.path not in spec.protected and place.is_protected(changed.path):
            return f"{changed.path}: rule protected: the spec's front matter doesn't name it under `protected`"
    return None
