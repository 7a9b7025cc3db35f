from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.changeset import Changed
from split_ci.git import Repo
from split_ci.implementers.exact import attempt_id, derive, outcome_of
from split_ci.ports import File, Outcome
from tests.builders import git, make_repo, spec
from tests.results_of import spec_at

if TYPE_CHECKING:
    from pathlib import Path

EDIT = "### Edit `a.txt`\nBefore:\n```\n{}\n```\nAfter:\n```\nTWO\n```\n\n### Move `old` to `new`\n"
BASE = {
    "a.txt": "one\ntwo\n", "old": "o\n", "docs/x.md": "x\n", "specs/good.md": spec(EDIT.format("two")),
    "specs/stale.md": spec(EDIT.format("three")), "specs/prose.md": spec("### Instruct `docs/x.md`\nSay hello.\n"),
}  # fmt: skip


def test_what_exact_sections_make_of_a_base(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", BASE)
    changes, applied = derive(spec_at(repo, "good"), Repo.find(str(repo)).tree("HEAD"))
    assert changes == (
        Changed("a.txt", File(b"one\nTWO\n"), git(repo, "rev-parse", "HEAD:a.txt")),
        Changed("new", File(b"o\n"), None),
        Changed("old", None, git(repo, "rev-parse", "HEAD:old")),
    )
    assert outcome_of(applied) == Outcome("done")


def test_why_it_is_not_done(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", BASE)
    tree = Repo.find(str(repo)).tree("HEAD")
    stale, prose = spec_at(repo, "stale"), spec_at(repo, "prose")
    outcome = outcome_of(derive(stale, tree)[1], stale)
    assert outcome.name == "stale"
    assert outcome.reason.startswith("specs/stale.md:15: SP301: ")
    assert outcome_of(derive(prose, tree)[1], prose) == Outcome(
        "failed", "`Instruct` of docs/x.md needs a model, and none is configured"
    )


def test_the_same_work_is_the_same_attempt() -> None:
    assert attempt_id("d", "b") == attempt_id("d", "b", 1)
    assert len({attempt_id("d", "b"), attempt_id("e", "b"), attempt_id("d", "c"), attempt_id("d", "b", 2)}) == 4
    assert len(attempt_id("d", "b")) == 16
