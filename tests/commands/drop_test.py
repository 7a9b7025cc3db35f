from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.builders import commit, git, make_repo, spec, split_ci
from tests.invariants import untouched
from tests.results_of import exact, published

if TYPE_CHECKING:
    from pathlib import Path

BASE = {"a.txt": "one\n", "specs/s.md": spec("### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\nONE\n```\n")}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    repo = make_repo(tmp_path / "r", BASE)
    published(repo, exact(repo, "s"))
    return repo


def refs(repo: Path) -> list[str]:
    return git(repo, "for-each-ref", "--format=%(refname)", "refs/heads/split-ci", "refs/split-ci").splitlines()


def persons_commit(repo: Path) -> str:
    git(repo, "worktree", "add", "-q", "../w", "split-ci/s")
    theirs = commit(repo.parent / "w", {"a.txt": "mine\n"})
    git(repo, "worktree", "remove", "../w")
    return theirs


def test_branch_and_attempts_go_and_notes_stay(repo: Path) -> None:
    head = git(repo, "rev-parse", "split-ci/s")
    git(repo, "notes", "--ref=split-ci", "add", "-m", "{}", head)
    git(repo, "update-ref", "refs/split-ci/coached/s", head)
    with untouched(repo):
        said = split_ci(repo, "drop", "s").stdout
    assert said == f"s: dropped split-ci/s (was {head[:12]}) and 1 attempt ref; what it cost stays in the ledger\n"
    assert refs(repo) == []
    assert git(repo, "notes", "--ref=split-ci", "show", head) == "{}"
    assert "there is no result of 's'" in split_ci(repo, "drop", "s", code=2).stderr
    assert published(repo, exact(repo, "s")).head == head


def test_a_persons_commit_is_left_alone_or_kept(repo: Path) -> None:
    theirs = persons_commit(repo)
    said = split_ci(repo, "drop", "s", code=1).stdout
    assert said == (
        f"s: blocked: split-ci/s holds {theirs[:12]}, which is not the bot's: --force keeps it under refs/split-ci/dropped/\n"
    )
    assert git(repo, "rev-parse", "split-ci/s") == theirs
    done = json.loads(split_ci(repo, "drop", "s", "--force", "--format", "json").stdout)
    assert (done["outcome"], done["kept"]) == ("done", f"refs/split-ci/dropped/s/{theirs[:12]}")
    assert refs(repo) == [f"refs/split-ci/dropped/s/{theirs[:12]}"]
    assert git(repo, "rev-parse", refs(repo)[0]) == theirs


def test_a_branch_that_is_checked_out_stays(repo: Path) -> None:
    git(repo, "checkout", "-q", "split-ci/s")
    said = split_ci(repo, "drop", "s", "--force", code=1).stdout
    assert said == f"s: blocked: split-ci/s is checked out in {repo}\n"
    assert len(refs(repo)) == 2
