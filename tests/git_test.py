from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from split_ci.errors import UsageError, WorldError
from split_ci.git import Difference, Repo, clean_env, differences
from split_ci.ports import Entry, File
from split_ci.raw_tree import parse_tree
from tests.builders import commit, git, make_repo

if TYPE_CHECKING:
    from pathlib import Path

BASE = {"a": "a\n", "dir/b": "b\n", "dir/deep/c": "c\n", "x100644 a": "trap\n"}


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_a_commits_tree(tmp_path: Path, object_format: str) -> None:
    repo = tmp_path / "r"
    repo.mkdir()
    git(repo, "init", "-q", "-b", "main", f"--object-format={object_format}")
    commit(repo, BASE)
    tree = Repo.find(str(repo)).tree("HEAD")
    assert tree.entry("dir/b") == Entry("100644", git(repo, "rev-parse", "HEAD:dir/b"))
    assert tree.entry("dir") == Entry("040000", git(repo, "rev-parse", "HEAD:dir"))
    assert [tree.entry(path) for path in ("b", "dir/x", "a/b", "no/where")] == [None] * 4
    assert sorted(tree.names("")) == ["a", "dir", "x100644 a"]
    assert sorted(tree.names("dir")) == ["b", "deep"]
    assert list(tree.names("a")) == []
    assert tree.read("dir/deep/c") == File(b"c\n")
    assert tree.read("dir") is None
    assert sorted(tree.paths()) == ["a", "dir/b", "dir/deep/c", "x100644 a"]


def test_a_tree_that_is_malformed() -> None:
    good = b"100644 a\0" + b"\1" * 20
    assert list(parse_tree(good + b"40000 d\0" + b"\2" * 20, 20)) == [b"a", b"d"]
    for bad in (good[:-1], good + b"x", b"x" + good, b"100644 \0" + b"\1" * 20):
        with pytest.raises(WorldError, match="a tree of the repository is malformed"):
            parse_tree(bad, 20)


def test_differences_of_pairs(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", BASE)
    first = git(repo, "rev-parse", "HEAD")
    second = commit(repo, {"a": "A\n", "dir/b": None, "new": "n\n"})
    here = Repo.find(str(repo))
    found = differences(here, [(first, second), (first, first), (second, first)])
    old, new = git(repo, "rev-parse", f"{first}:a"), git(repo, "rev-parse", f"{second}:a")
    assert found[0]["a"] == Difference("100644", new, "100644", old)
    assert found[0]["dir/b"].oid is None
    assert found[0]["new"].was is None
    assert found[1] == {}
    assert (sorted(found[0]), sorted(found[2])) == (["a", "dir/b", "new"], ["a", "dir/b", "new"])
    assert differences(here, []) == []


def test_the_callers_git_variables_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = make_repo(tmp_path / "r", BASE)
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "evil"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    assert not [key for key in clean_env() if key in ("GIT_INDEX_FILE", "GIT_CONFIG_COUNT")]
    assert Repo.find(str(repo)).commit("HEAD") == git(repo, "rev-parse", "HEAD")
    assert not os.path.exists(tmp_path / "evil")


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not in a git repository"):
        Repo.find(str(tmp_path))
    repo = Repo.find(str(make_repo(tmp_path / "r", BASE)))
    for rev in ("nothing", "--all", "", "a\nb"):
        with pytest.raises(UsageError, match="no commit is named"):
            repo.commit(rev)
