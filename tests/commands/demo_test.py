"""The demo, whole: what it promises is there when it ends, and running it again changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import git, split_ci

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Any]]]:
    """The demo's repository, and what it printed as JSON, by id."""
    folder = tmp_path_factory.mktemp("demo") / "evening"
    done = split_ci(folder.parent, "demo", "--dir", str(folder), "--format", "json")
    return folder, {one["id"]: one for one in json.loads(done.stdout)["specs"]}


def test_fourteen_specs_are_done_and_approved(evening: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    repo, found = evening
    assert len(found) == 14
    assert {one["outcome"] for one in found.values()} == {"done"}
    assert {one["review"]["decision"] for one in found.values()} == {"approve"}
    assert len(git(repo, "for-each-ref", "refs/heads/split-ci/").splitlines()) == 14


def test_exact_specs_cost_no_implementer(evening: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    _, found = evening
    paid = {name for name, one in found.items() if one["usage"]["implementer"]["calls"]}
    assert paid == {"absorb-commit-style", "sweep-references"}


def test_one_is_sent_back_and_its_lesson_is_carried(evening: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    repo, found = evening
    one = found["absorb-commit-style"]
    assert one["rounds"] == 2
    assert len(one["sent_back"]) == 1
    assert one["taught"] == one["lessons"] != []
    assert one["taught"][0] in git(repo, "ls-tree", "--name-only", "main", "specs/coaching/")
    log = git(repo, "log", "--format=%s", "main..split-ci/absorb-commit-style").splitlines()
    assert log == ["Absorb the commit style into the commit message skill"] * 2


def test_recorded_replies_say_so(evening: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    repo, found = evening
    assert all(one["review"]["recorded"] and "scripted" in one["review"]["by"] for one in found.values())
    assert "by strong (scripted)" in git(repo, "notes", "--ref=split-ci-review", "show", "split-ci/sync-recipes")
    assert "scripted" in git(repo, "log", "-1", "--format=%(trailers:key=Implementer)", "split-ci/sweep-references")


def test_a_clone_says_the_same(evening: tuple[Path, dict[str, dict[str, Any]]], tmp_path: Path) -> None:
    repo, _ = evening
    git(tmp_path, "clone", "-q", str(repo), "clone")
    here, there = (
        json.loads(split_ci(each, "status", "--format", "json").stdout)["specs"] for each in (repo, tmp_path / "clone")
    )
    assert [(s["id"], s["state"], s["criteria"], s["usd"], s["rounds"]) for s in here] == [
        (s["id"], s["state"], s["criteria"], s["usd"], s["rounds"]) for s in there
    ]


def test_everything_lands_and_then_nothing_is_left(evening: tuple[Path, dict[str, dict[str, Any]]], tmp_path: Path) -> None:
    repo, _ = evening
    again = json.loads(split_ci(repo, "run", "--format", "json").stdout)["specs"]
    assert {one["outcome"] for one in again} == {"unchanged"}
    git(tmp_path, "clone", "-q", str(repo), "clone")
    clone = tmp_path / "clone"
    git(
        clone,
        "fetch",
        "-q",
        "origin",
        "refs/notes/*:refs/notes/*",
        "refs/split-ci/*:refs/split-ci/*",
        "refs/heads/split-ci/*:refs/heads/split-ci/*",
    )
    git(clone, "config", "user.name", "Ada")
    git(clone, "config", "user.email", "ada@example.org")
    split_ci(clone, "land")
    assert git(clone, "ls-files", "skills").splitlines() == [
        "skills/README.md", "skills/commit-message/SKILL.md", "skills/lint/SKILL.md", "skills/release-notes/SKILL.md",
        "skills/sql-review/SKILL.md", "skills/write-docs/SKILL.md",
    ]  # fmt: skip
    assert git(clone, "status", "--porcelain") == ""
    assert (clone / "recipes" / "commit.yaml").read_text().splitlines()[2:] == ["  - lint", "  - commit-message"]


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = split_ci(tmp_path, "demo", "--dir", ".", code=2)
    assert "is not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
