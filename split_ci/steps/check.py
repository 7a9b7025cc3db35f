"""Proves pending specs against a tree: from the work tree's files, from the index, or from a commit. Writes nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from split_ci.config import find_config, read_config
from split_ci.errors import UsageError
from split_ci.path_rules import Place
from split_ci.pending import Found, landed, name_problems, pending, sort_out
from split_ci.ports import Entry
from split_ci.problems import CODES
from split_ci.relations import need_problems, overlap_problems
from split_ci.rules import judge
from split_ci.spec import parse_spec

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


def check(
    repo: Repo, paths: Sequence[str] = (), *, staged: bool = False, at: str | None = None, cwd: str = "."
) -> list[Checked]:
    """Every pending spec (or those at `paths`, relative to `cwd`) with its problems, sorted by path.

    By hand: specs from their files, the tree from the index. `staged`: both from the index, and what a commit only makes
    stale is a warning. `at`: both from that commit. Raises UsageError for a revision, a path or a configuration that is none.
    """
    source = source_of(repo, staged=staged, at=at)
    wanted = _wanted(repo, paths, cwd, source.config.specs) if paths else None
    if wanted is not None:
        source = _with_strangers(repo, source, wanted, by_hand=not staged and at is None)
    checked = judge_all(source)
    if staged:
        checked = _soften(repo, source, checked)
    if wanted is None:
        return checked
    return [one for one in checked if any(_within(one.path, path) for path in wanted)]


# --- where text comes from


def source_of(repo: Repo, *, staged: bool = False, at: str | None = None) -> Source:
    """The tree, specs and configuration of one of the three sources."""
    if at is None and not staged:
        return _by_hand(repo)
    tree: Tree = repo.index_tree() if at is None else repo.tree(repo.commit(at))
    config = read_config(tree)
    return Source(
        tree, config, tuple(pending(tree, config.specs)), lambda file: _blob(tree, file), landed(tree, config.specs)
    )


def _blob(tree: Tree, file: Found) -> bytes:
    found = tree.read(file.path)
    return found.data if found else b""


def _by_hand(repo: Repo) -> Source:
    if repo.bare:
        raise UsageError("there is no work tree here", hint="split-ci check --at HEAD")
    tree, config = repo.index_tree(), find_config(repo)
    done = landed(tree, config.specs)
    folder = os.path.join(repo.root, config.specs)
    listed = _listing(folder) if os.path.isdir(folder) else {}
    for name, entry in listed.items():
        if entry.mode == FILE and name.removesuffix(".md") in done:
            listed[name] = Entry(entry.mode, _blob_id(os.path.join(folder, name), repo.object_format))
    found = tuple(sort_out(listed, done, config.specs))
    return Source(tree, config, found, lambda file: _text(os.path.join(repo.root, file.path)), done)


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


# --- PATH arguments


def _wanted(repo: Repo, paths: Sequence[str], cwd: str, folder: str) -> list[str]:
    """PATH arguments as paths from the root; the root itself, and what the specs folder lies in, mean the whole folder."""
    out = []
    for path in paths:
        full = os.path.join(os.path.realpath(os.path.join(cwd, os.path.dirname(path))), os.path.basename(path))
        relative = os.path.relpath(os.path.normpath(full), os.path.realpath(repo.root))
        out.append(folder if relative == "." or _within(folder, relative) else relative)
    return out


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _with_strangers(repo: Repo, source: Source, wanted: Sequence[str], *, by_hand: bool) -> Source:
    """The source with files that were named and lie elsewhere; an error for a name at which nothing is."""
    folder = source.config.specs
    strangers = []
    for path in wanted:
        if any(_within(file.path, path) for file in source.found) or _within(path, folder):
            if not (by_hand and os.path.lexists(os.path.join(repo.root, path))) and source.tree.entry(path) is None:
                raise UsageError(f"{path}: there is nothing", hint="split-ci check")
        elif by_hand and os.path.isfile(os.path.join(repo.root, path)):
            stem = os.path.basename(path).removesuffix(".md")
            strangers.append(Found(stem, path, Entry(FILE, "")))
        else:
            raise UsageError(f"{path}: there is no spec", hint=f"specs lie in {folder}/")
    return source._replace(found=(*source.found, *strangers)) if strangers else source


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


# --- the hook


def _soften(repo: Repo, source: Source, checked: Sequence[Checked]) -> list[Checked]:
    """What the tree shows against a spec that is not part of the commit is a warning: the commit makes it stale, no more."""
    head = repo.commit_or_none("HEAD")
    base = repo.tree(head) if head else None
    entries = {file.path: file.entry for file in source.found}
    out = []
    for one in checked:
        if one.problems and base is not None and base.entry(one.path) == entries[one.path]:
            problems = tuple(p._replace(severity="warning") if _of_the_tree(p) else p for p in one.problems)
            out.append(one._replace(problems=problems))
        else:
            out.append(one)
    return out


def _of_the_tree(one: Problem) -> bool:
    return one.code in CODES and one.code != "SP201" and one.code[:3] in ("SP2", "SP3", "SP6")
