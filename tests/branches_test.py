from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci import branches
from split_ci.git import Repo
from tests.builders import commit, git, make_repo, spec
from tests.results_of import exact, published

if TYPE_CHECKING:
    from pathlib import Path

BASE = {"a.txt": "one\n", "specs/s.md": spec("### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\nONE\n```\n")}


def read(repo: Path) -> branches.Branches:
    here = Repo.find(str(repo))
    with here.objects() as objects:
        return branches.read(here, objects)


def test_a_result_says_what_it_is_of(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", BASE)
    one = exact(repo, "s")
    done = published(repo, one)
    found = read(repo)
    assert found.by_id == {"s": branches.Branch("s", done.head or "", one.digest, one.base, "exact", 1, ())}
    assert found.attempts == {"s": {1: done.head}}
    assert found.checked_out == {"refs/heads/main": str(repo)}


def test_a_persons_commits_are_named_newest_first(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", BASE)
    done = published(repo, exact(repo, "s"))
    git(repo, "checkout", "-q", "split-ci/s")
    first, second = commit(repo, {"x": "1"}), commit(repo, {"x": "2"})
    branch = read(repo).by_id["s"]
    assert (branch.head, branch.foreign, branch.rounds) == (second, (second, first), 1)
    git(repo, "reset", "-q", "--hard", str(done.head))
    git(repo, "commit", "-q", "--amend", "--no-edit", "--date=2020-01-01T00:00:00Z")
    amended = git(repo, "rev-parse", "HEAD")
    branch = read(repo).by_id["s"]
    assert (branch.foreign[0], branch.digest) == (amended, None)  # its trailers say nothing: it is not the bot's


def test_other_branches_are_none_of_them(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", BASE)
    for name in ("split-ci/coaching", "split-ci/deep/er", "other"):
        git(repo, "branch", name)
    assert read(repo).by_id == {}


def test_attempt_numbers_are_given_once(tmp_path: Path) -> None:
    found = branches.Branches({}, {"s": {1: "a", 7: "b"}}, {}, {})
    assert found.attempt_ref("s", "b") == ("refs/split-ci/attempts/s/7", True)
    assert found.attempt_ref("s", "c") == ("refs/split-ci/attempts/s/8", False)
    assert found.attempt_ref("s", "d") == ("refs/split-ci/attempts/s/9", False)
    assert found.attempt_ref("s", "c") == ("refs/split-ci/attempts/s/8", True)
    assert found.attempt_ref("t", "c") == ("refs/split-ci/attempts/t/1", False)


def test_trailers_are_the_last_paragraph() -> None:
    assert branches.trailers("T\n\nSpec: a\n\nSpec: b\nBase: c\nno trailer\nTwo words: d\n") == {"Spec": "b", "Base": "c"}
    assert branches.trailers("") == {}
