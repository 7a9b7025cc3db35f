"""Specs and the tree they are written against, from one of three sources, judged: the one path of check and plan."""

from __future__ import annotations

import os
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

from split_ci.config import find_config, read_config
from split_ci.errors import UsageError
from split_ci.path_rules import Place
from split_ci.pending import NOT_SPECS, Found, landed, name_problems, pending, sort_out
from split_ci.relations import need_problems, overlap_problems
from split_ci.rules import judge
from split_ci.spec import parse_spec
from split_ci.tree import UNMERGED, Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from split_ci.config import Config
    from split_ci.git import Repo
    from split_ci.ports import Tree
    from split_ci.problems import Problem
    from split_ci.spec import Spec

MOST_BYTES = 8 * 1024 * 1024 + 1  # of a spec; one more than is allowed is enough to see it
FILE, EXECUTABLE, SYMLINK, FOLDER = "100644", "100755", "120000", "040000"


class Source(NamedTuple):
    """Where text comes from: the tree, the specs in it, and the configuration."""

    tree: Tree
    config: Config
    found: tuple[Found, ...]
    read: Callable[[Found], bytes]
    landed: Mapping[str, Entry]


class Checked(NamedTuple):
    """One spec's answer. `spec` is None where the file could not be read as one."""

    id: str
    path: str
    problems: tuple[Problem, ...]
    waived: tuple[Problem, ...] = ()
    spec: Spec | None = None

    @property
    def ok(self) -> bool:
        return all(p.severity != "error" for p in self.problems)


# --- where text comes from


def source_of(repo: Repo, *, staged: bool = False, at: str | None = None) -> Source:
    """The tree, specs and configuration of one of the three sources."""
    if at is None and not staged:
        return _by_hand(repo)
    tree: Tree = repo.index_tree() if at is None else repo.tree(repo.commit(at))
    config = read_config(tree)
    _is_folder(tree, config.specs)
    found = tuple(pending(tree, config.specs))
    _warm(file.path for file in found)
    return Source(tree, config, found, lambda file: _blob(tree, file), landed(tree, config.specs))


def _warm(paths: Iterable[str]) -> None:
    """Where there is a spec to read, loads PyYAML, the largest import of all, while git answers the next question."""
    if any(path.endswith(".md") and path.rpartition("/")[2] not in NOT_SPECS for path in paths):
        Thread(target=import_module, args=("yaml",)).start()


def _blob(tree: Tree, file: Found) -> bytes:
    found = tree.read(file.path)
    return found.data if found else b""


def _by_hand(repo: Repo) -> Source:
    if repo.bare:
        raise UsageError("there is no work tree here", hint="split-ci check --at HEAD")
    tree, config = repo.index_tree(), find_config(repo)
    folder = os.path.join(repo.root, config.specs)
    _is_folder(tree, config.specs)
    if os.path.lexists(folder) and os.path.realpath(folder) != os.path.join(os.path.realpath(repo.root), config.specs):
        raise UsageError(f"{config.specs}: a symlink is not followed", hint="make it a folder")
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise UsageError(f"{config.specs}: specs are looked for in a folder, and this is none", hint="make it a folder")
    listed = _listing(folder) if os.path.isdir(folder) else {}
    _warm(listed)
    done = landed(tree, config.specs)
    for name, entry in listed.items():
        known = tree.entry(f"{config.specs}/{name}")
        if known is not None and known.mode == UNMERGED:
            listed[name] = known
        elif entry.mode == FILE and name.removesuffix(".md") in done:
            listed[name] = Entry(entry.mode, _blob_id(os.path.join(folder, name), repo.object_format))
    found = tuple(sort_out(listed, done, config.specs))
    return Source(tree, config, found, lambda file: _text(os.path.join(repo.root, file.path)), done)


def _is_folder(tree: Tree, folder: str) -> None:
    """Raises UsageError where something else is called as the folder of specs is, or lies on the way to it."""
    parts = folder.split("/")
    for here in ("/".join(parts[:n]) for n in range(1, len(parts) + 1)):
        entry = tree.entry(here)
        if entry is not None and entry.mode != FOLDER:
            raise UsageError(f"{here}: specs are looked for in a folder, and this is none", hint="make it a folder")


def _listing(folder: str) -> dict[str, Entry]:
    listed = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() or not entry.is_file():
                mode = SYMLINK if entry.is_symlink() or not entry.is_dir() else FOLDER
            else:
                mode = EXECUTABLE if entry.stat().st_mode & 0o100 else FILE
            listed[entry.name] = Entry(mode, "")
    return listed


def _text(path: str) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        return file.read(MOST_BYTES)


def _blob_id(path: str, object_format: str) -> str:
    import hashlib  # noqa: PLC0415 - only where a spec lies beside one that has landed

    data = _text(path)
    return hashlib.new(object_format, b"blob %d\0" % len(data) + data).hexdigest()


# --- judging


def judge_all(source: Source) -> list[Checked]:
    """Every file of a source, judged alone and among the others."""
    found: dict[str, list[Problem]] = {file.path: [] for file in source.found}
    own = dict.fromkeys(found, ())
    place = Place(source.tree, specs=source.config.specs, protected=source.config.protected)
    specs: dict[str, Spec] = {}
    waived: dict[str, tuple[Problem, ...]] = dict(own)
    for one in name_problems(source.found, source.landed):
        found.setdefault(one.path, []).append(one)
    for file in source.found:
        if file.entry.mode not in (FILE, EXECUTABLE) or not file.path.endswith(".md"):
            continue
        parsed = parse_spec(source.read(file), file.path)
        if parsed.spec is None:
            found[file.path] += parsed.problems
            continue
        judged = judge(parsed.spec, place, parsed.problems)
        found[file.path] += judged.problems
        waived[file.path] = judged.waived
        specs[file.path] = parsed.spec
    for one in among(list(specs.values()), source):
        found[one.path].append(one)
    return [
        Checked(file.id, file.path, _unique(found[file.path]), waived[file.path], specs.get(file.path))
        for file in source.found
    ]


def among(specs: Sequence[Spec], source: Source) -> Iterable[Problem]:
    """What specs show among each other."""
    yield from need_problems(specs, source.landed)
    yield from overlap_problems(specs, source.tree)


def _unique(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(dict.fromkeys(problems), key=lambda p: (p.line, p.column, p.code)))
