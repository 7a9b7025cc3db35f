"""Proves pending specs against a tree: from the work tree's files, from the index, or from a commit. Writes nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from split_ci.errors import UsageError
from split_ci.pending import Found
from split_ci.problems import CODES
from split_ci.proof import judge_all, source_of
from split_ci.tree import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.git import Repo
    from split_ci.problems import Problem
    from split_ci.proof import Checked, Source


def check(
    repo: Repo, paths: Sequence[str] = (), *, staged: bool = False, at: str | None = None, cwd: str = "."
) -> list[Checked]:
    """Every pending spec (or those at `paths`, relative to `cwd`) with its problems, sorted by path.

    By hand: specs from their files, the tree from the index. `staged`: both from the index; what a commit only makes
    stale is a warning. `at`: both from that commit. Raises UsageError for a bad revision, path or configuration.
    """
    source = source_of(repo, staged=staged, at=at)
    wanted = _wanted(repo, paths, cwd, source) if paths else None
    if wanted is not None:
        source = _with_strangers(repo, source, wanted, by_hand=not staged and at is None)
    checked = judge_all(source)
    if staged:
        checked = _soften(repo, source, checked)
    if wanted is None:
        return checked
    return [one for one in checked if any(_within(one.path, path) for path in wanted)]


# --- PATH arguments


def _wanted(repo: Repo, paths: Sequence[str], cwd: str, source: Source) -> list[str]:
    """PATH arguments as paths from the root; the root itself, and what the specs folder lies in, mean the whole folder.

    The id of a pending spec means its file, where no file is called so.
    """
    out = []
    folder, by_id = source.config.specs, {file.id: file.path for file in source.found}
    for path in paths:
        if path in by_id and not os.path.lexists(os.path.join(cwd, path)):
            out.append(by_id[path])
            continue
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
            strangers.append(Found(stem, path, Entry("100644", "")))
        else:
            raise UsageError(f"{path}: there is no spec, and specs lie in {folder}/", hint="split-ci status")
    return source._replace(found=(*source.found, *strangers)) if strangers else source


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
    return one.code in CODES and one.code not in ("SP201", "SP310") and one.code[:3] in ("SP2", "SP3", "SP6")
