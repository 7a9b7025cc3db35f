"""A tree with changes on it reads as if they had been committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.changed_tree import ChangedTree
from split_ci.git import Repo
from split_ci.ports import File
from tests.builders import commit, make_repo

if TYPE_CHECKING:
    from pathlib import Path

CHANGES = {
    "a.txt": "changed\n",
    "d/e/f.txt": None,
    "d/g.txt": "new\n",
    "x/y/z.txt": "new\n",
    "d/h": None,
    "d/h/i.txt": "a folder now\n",
}


def test_it_reads_like_the_commit_that_has_the_changes(tmp_path: Path) -> None:
    root = make_repo(tmp_path / "r", {"a.txt": "a\n", "d/e/f.txt": "f\n", "d/h": "a file\n", "keep.txt": "k\n"})
    repo = Repo.find(str(root))
    base = repo.tree(repo.commit("HEAD"))
    (root / "d/h").unlink()
    (root / "d/e/f.txt").unlink()
    commit(root, {p: t for p, t in CHANGES.items() if t is not None})
    real = repo.tree(repo.commit("HEAD"))
    changed = ChangedTree(base, {p: None if t is None else File(t.encode()) for p, t in CHANGES.items()})
    for path in [*CHANGES, "keep.txt", "d", "d/e", "x", "x/y", "nothing", "d/nothing"]:
        mine, his = changed.entry(path), real.entry(path)
        assert (mine and mine.mode) == (his and his.mode), path
        assert changed.read(path) == real.read(path), path
    for folder in ("", "d", "d/h", "x", "x/y"):
        assert sorted(changed.names(folder)) == sorted(real.names(folder)), folder
    assert sorted(changed.paths()) == sorted(real.paths())
