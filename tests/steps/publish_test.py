"""What happens again (section 6 of the design), as a table of what is there before and what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from split_ci.changeset import Changed
from split_ci.config import Config
from split_ci.git import Repo
from split_ci.ports import File, Outcome, Usage
from split_ci.steps.gate import gate
from split_ci.steps.publish import publish
from split_ci.store import Quarantine, RefUpdate
from tests.builders import commit, git, make_repo, spec
from tests.invariants import untouched
from tests.results_of import exact, green, published, with_change

if TYPE_CHECKING:
    from pathlib import Path

EDIT = "### Edit `a.txt`\nBefore:\n```\ntwo\n```\nAfter:\n```\n{}\n```\n"
ALLOW = 'allow: ["docs/**"]\n'
BASE = {"a.txt": "one\ntwo\n", "docs/x.md": "x\n", "specs/s.md": spec(EDIT.format("TWO"), extra=ALLOW)}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "r", BASE)


def refs(repo: Path) -> dict[str, str]:
    lines = git(
        repo, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/split-ci", "refs/split-ci"
    ).splitlines()
    return dict(line.split(" ") for line in lines)


def again(repo: Path) -> None:
    """An edited spec: a new generation."""
    commit(repo, {"specs/s.md": spec(EDIT.format("Two"), extra=ALLOW)})


def test_green_becomes_a_branch_and_is_kept(repo: Path) -> None:
    with untouched(repo):
        done = published(repo, exact(repo, "s"))
    assert done.outcome == Outcome("done")
    assert (done.branch, done.attempt) == ("split-ci/s", "refs/split-ci/attempts/s/1")
    assert refs(repo) == {"refs/heads/split-ci/s": done.head, "refs/split-ci/attempts/s/1": done.head}


def test_red_gets_no_branch_and_is_kept(repo: Path) -> None:
    done = published(repo, exact(repo, "s"), ok=False)
    assert done.outcome == Outcome("failed", "a1 (missing nothing.txt): it is there")
    assert refs(repo) == {"refs/split-ci/attempts/s/1": done.commit}


def test_same_generation_is_unchanged_wherever_head_is(repo: Path) -> None:
    first = published(repo, exact(repo, "s"))
    before = refs(repo)
    assert published(repo, exact(repo, "s")).outcome.name == "unchanged"
    commit(repo, {"other": "x"})
    later = published(repo, exact(repo, "s"))
    assert (later.outcome.name, later.head) == ("unchanged", first.head)
    assert refs(repo) == before


def test_new_generation_replaces_the_branch_and_keeps_the_old_attempt(repo: Path) -> None:
    first = published(repo, exact(repo, "s"))
    again(repo)
    second = published(repo, exact(repo, "s"))
    assert second.outcome == Outcome("done")
    assert refs(repo) == {
        "refs/heads/split-ci/s": second.head,
        "refs/split-ci/attempts/s/1": first.head, "refs/split-ci/attempts/s/2": second.head,
    }  # fmt: skip


def test_a_persons_commit_is_left_alone(repo: Path) -> None:
    published(repo, exact(repo, "s"))
    git(repo, "worktree", "add", "-q", "../w", "split-ci/s")
    theirs = commit(repo.parent / "w", {"a.txt": "mine\n"})
    git(repo, "worktree", "remove", "../w")
    again(repo)
    done = published(repo, exact(repo, "s"))
    assert done.outcome == Outcome("blocked", f"split-ci/s holds {theirs[:12]}, which is not the bot's: it is left alone")
    assert refs(repo)["refs/heads/split-ci/s"] == theirs


def test_a_persons_branch_of_that_name(repo: Path) -> None:
    git(repo, "branch", "split-ci/s")
    assert published(repo, exact(repo, "s")).outcome.name == "blocked"
    assert git(repo, "rev-parse", "split-ci/s") == git(repo, "rev-parse", "main")


def test_the_bots_commit_is_known_by_the_ledger_too(repo: Path) -> None:
    first = published(repo, exact(repo, "s"))
    assert first.head
    git(repo, "update-ref", "-d", "refs/split-ci/attempts/s/1")
    again(repo)
    assert published(repo, exact(repo, "s")).outcome.name == "blocked"
    git(repo, "notes", "--ref=split-ci", "add", "-m", "{}", first.head)
    assert published(repo, exact(repo, "s")).outcome.name == "done"


def test_a_branch_that_is_checked_out_is_not_moved(repo: Path) -> None:
    first = published(repo, exact(repo, "s"))
    git(repo, "worktree", "add", "-q", "../w", "split-ci/s")
    again(repo)
    done = published(repo, exact(repo, "s"))
    assert done.outcome == Outcome("blocked", f"split-ci/s is checked out in {repo.parent / 'w'}: it is left alone")
    assert refs(repo)["refs/heads/split-ci/s"] == first.head


NAMES = {
    "split-ci": "a branch is called `split-ci`, so none can be called `split-ci/…`: git branch -m split-ci another-name",
    "split-ci/s/x": "the branch split-ci/s/x takes the name",
}


@pytest.mark.parametrize("name", NAMES)
def test_branches_that_take_the_name(repo: Path, name: str) -> None:
    git(repo, "branch", name)
    assert published(repo, exact(repo, "s")).outcome == Outcome("blocked", NAMES[name])


def test_a_round_adds_a_commit_to_the_head_it_was_made_for(repo: Path) -> None:
    first = published(repo, exact(repo, "s"))
    blob = git(repo, "rev-parse", "HEAD:docs/x.md")
    one = exact(repo, "s")._replace(parent=first.head, round=2, attempt="2" * 16, implementer="cheap", usage=Usage(1))
    one = with_change(one, Changed("docs/x.md", File(b"y\n"), blob, "model"))
    second = published(repo, one)
    assert second.outcome == Outcome("done")
    assert git(repo, "rev-parse", f"{second.head}^") == first.head
    stale = published(
        repo, one._replace(changes=with_change(one, Changed("docs/x.md", File(b"z\n"), blob, "model")).changes)
    )
    assert first.head
    assert second.head
    assert stale.outcome.reason == (
        f"split-ci/s was at {first.head[:12]} when this round began and is at {second.head[:12]} now"
    )


def test_results_are_bound_to_one_changeset(repo: Path) -> None:
    here, one = Repo.find(str(repo)), exact(repo, "s")
    with Quarantine(here) as quarantine:
        through = gate(here, quarantine, [one], {}, Config())
        built = through[0].built
        assert built
        good = green(one, built.tree)
        wrong = {
            "its criteria were not run": None,
            "rule results: they are of another changeset": good._replace(changeset="0" * 64),
            f"rule results: they are of the tree {'0' * 12}, not of {built.tree[:12]}": good._replace(tree="0" * 40),
            "there is no criterion": good._replace(criteria=()),
        }
        for reason, results in wrong.items():
            (done,) = publish(here, quarantine, through, {one.attempt: results} if results else {})
            assert done.outcome.reason == reason
    assert "refs/heads/split-ci/s" not in refs(repo)


def test_a_refused_attempt_is_kept_only_if_it_cost_something(repo: Path) -> None:
    bad = exact(repo, "s")._replace(outcome=Outcome("failed", "gave up"))
    assert published(repo, bad).attempt is None
    assert refs(repo) == {}
    assert published(repo, bad._replace(usage=Usage(1, 10))).attempt == "refs/split-ci/attempts/s/1"


def test_notes_join_the_transaction_and_are_made_again_after_a_lost_race(repo: Path) -> None:
    here, one = Repo.find(str(repo)), exact(repo, "s")
    asked = []

    def notes(done: object) -> list[RefUpdate]:
        asked.append(done)
        update = quarantine.note_update("refs/notes/split-ci", {one.base: b"ours\n"}, message="m")
        if len(asked) == 1:
            git(repo, "notes", "--ref=split-ci", "add", "-m", "theirs", git(repo, "rev-parse", "HEAD^{tree}"))
        return [update]

    with Quarantine(here) as quarantine:
        through = gate(here, quarantine, [one], {}, Config())
        built = through[0].built
        assert built
        (done,) = publish(here, quarantine, through, {one.attempt: green(one, built.tree)}, notes=notes)
    assert (done.outcome.name, len(asked)) == ("done", 2)
    assert git(repo, "notes", "--ref=split-ci", "show", "HEAD") == "ours"
    assert git(repo, "notes", "--ref=split-ci", "show", "HEAD^{tree}") == "theirs"


def test_two_attempts_of_one_spec_have_refs_of_their_own(repo: Path) -> None:
    here, one = Repo.find(str(repo)), exact(repo, "s")
    blob = git(repo, "rev-parse", "HEAD:docs/x.md")
    other = with_change(one, Changed("docs/x.md", File(b"y\n"), blob, "model"))
    other = other._replace(attempt="2" * 16, usage=Usage(1), outcome=Outcome("failed", "gave up"))
    with Quarantine(here) as quarantine:
        through = gate(here, quarantine, [other, one], {}, Config())
        built = through[1].built
        assert built
        publish(here, quarantine, through, {one.attempt: green(one, built.tree)})
    assert sorted(refs(repo)) == ["refs/heads/split-ci/s", "refs/split-ci/attempts/s/1", "refs/split-ci/attempts/s/2"]
