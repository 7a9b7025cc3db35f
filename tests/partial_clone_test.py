"""A clone without its blobs: what needs them all says what to type, and that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import commit, git, make_repo, spec, split_ci

if TYPE_CHECKING:
    from pathlib import Path

EDIT = "### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\nnew\n```\n"
SPEC = spec(EDIT, accept="  - run: grep -q new a.txt")
NEXT = "git fetch --refetch --no-filter"


@pytest.fixture
def partial(tmp_path: Path) -> Path:
    """A sparse one: the blobs of two files were never fetched."""
    upstream = make_repo(tmp_path / "up", {"a.txt": "one\n", "src/b.txt": "b\n", "src/c.txt": "c\n", "specs/first.md": SPEC})
    git(upstream, "config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{upstream}", str(clone))
    git(clone, "sparse-checkout", "set", "--no-cone", "a.txt", "specs")
    git(clone, "checkout", "-q", "main")
    return clone


def missing(clone: Path) -> int:
    return git(clone, "rev-list", "--objects", "--missing=print", "HEAD").count("?")


@pytest.mark.parametrize("command", [("check", "--prove"), ("run",)], ids=" ".join)
def test_what_runs_criteria_says_what_to_type_and_that_mends_it(partial: Path, command: tuple[str, ...]) -> None:
    said = split_ci(partial, *command, code=4).stderr.splitlines()
    head = git(partial, "rev-parse", "HEAD")[:12]
    assert len(said) == 2
    assert said[0].startswith("split-ci: error: this is a partial clone: it lacks object ")
    assert said[0].endswith(f" and 1 more of {head}, and a checkout needs them all")
    assert said[1] == f"  next: {NEXT}"
    assert git(partial, "for-each-ref", "refs/notes", "refs/heads/split-ci", "refs/split-ci") == ""  # nobody's failure
    assert missing(partial) == 2
    git(partial, *NEXT.split()[1:])
    assert missing(partial) == 0
    split_ci(partial, *command)


def test_a_partial_clone_that_lacks_nothing_is_as_any_other(partial: Path) -> None:
    git(partial, "sparse-checkout", "disable")
    assert missing(partial) == 0
    split_ci(partial, "run")


def test_what_only_reads_fetches_what_it_reads_and_says_where_it_can_t(partial: Path, tmp_path: Path) -> None:
    split_ci(partial, "check")
    commit(tmp_path / "up", {"specs/second.md": SPEC.replace("a.txt", "src/b.txt").replace("one", "b")})
    git(partial, "pull", "-q")
    (tmp_path / "up").rename(tmp_path / "away")
    said = split_ci(partial, "check", code=4).stderr
    assert NEXT in said
    assert "Traceback" not in said
    (tmp_path / "away").rename(tmp_path / "up")
    split_ci(partial, "check")
