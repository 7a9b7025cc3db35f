"""Which files are pending specs: plain Markdown files directly in the specs folder, each with an id of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci.overlay import in_conflict
from split_ci.paths import fold
from split_ci.problems import problem
from split_ci.tree import UNMERGED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from split_ci.ports import Entry, Tree
    from split_ci.problems import Problem

NOT_SPECS = ("TEMPLATE.md", "README.md", "landed", "coaching")
KINDS = {"100755": "an executable file", "120000": "a symlink", "160000": "a submodule", "040000": "a folder"}


class Found(NamedTuple):
    """A file of the specs folder; a spec only where no problem names it."""

    id: str
    path: str
    entry: Entry


def pending(tree: Tree, folder: str = "specs") -> list[Found]:
    """What lies in the specs folder and is, or should be, a spec, sorted by path. What has landed already is left out."""
    listed = {}
    for name in tree.names(folder):
        entry = tree.entry(f"{folder}/{name}")
        if entry is not None:
            listed[name] = entry
    return sort_out(listed, landed(tree, folder), folder)


def sort_out(listed: Mapping[str, Entry], done: Mapping[str, Entry], folder: str) -> list[Found]:
    """The same from a listing (name -> entry) and the landed specs (id -> entry)."""
    found = []
    for name, entry in sorted(listed.items()):
        if name in NOT_SPECS or (name.startswith(".") and not name.endswith(".md")):
            continue
        stem = name.removesuffix(".md")
        twin = done.get(stem)
        if twin is None or not twin.oid or twin.oid != entry.oid:
            found.append(Found(stem, f"{folder}/{name}", entry))
    return found


def landed(tree: Tree, folder: str = "specs") -> dict[str, Entry]:
    """Landed specs: id -> entry."""
    found = {}
    for name in tree.names(f"{folder}/landed"):
        entry = tree.entry(f"{folder}/landed/{name}")
        if entry is not None and name.endswith(".md"):
            found[name.removesuffix(".md")] = entry
    return found


def name_problems(found: Iterable[Found], done: Mapping[str, Entry]) -> Iterator[Problem]:
    """SP114 and SP115: kinds of files, ids that fall together, ids that have landed."""
    by_key: dict[str, list[str]] = {}
    for file in found:
        by_key.setdefault(fold(file.id), []).append(file.path)
    for file in found:
        yield from _kind_problems(file)
        others = [path for path in by_key[fold(file.id)] if path != file.path]
        if others:
            message = f"its id falls together with that of {_shown(others[0])}"
            yield problem("SP115", file.path, 1, message, "rename one of the two")
        if file.id in done:
            message = f"a spec `{file.id}` has landed already, with another text"
            yield problem("SP115", file.path, 1, message, "give this one a new id: rename the file")


def _kind_problems(file: Found) -> Iterator[Problem]:
    path = file.path
    kind = KINDS.get(file.entry.mode)
    if file.entry.mode == UNMERGED:
        yield problem("SP310", path, 1, *in_conflict(path)[1:])
    elif kind:
        fix = (
            f"chmod -x {path}" if file.entry.mode == "100755" else "put its text into a plain file `<id>.md` of this folder"
        )
        yield problem("SP114", path, 1, f"it is {kind}, and a spec is a plain file", fix)
    elif not file.path.endswith(".md"):
        yield problem(
            "SP114",
            path,
            1,
            "it is not a Markdown file, and this folder holds specs only",
            "rename it to `<id>.md`, or move it",
        )


def _shown(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]
