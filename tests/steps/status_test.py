"""Status: from git alone, and a clone says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from split_ci import ledger, mirror, notes
from split_ci.config import Config
from split_ci.errors import WorldError
from split_ci.forges.local import Local
from split_ci.git import Repo
from split_ci.ledger import entry_of_changeset, entry_of_verdict
from split_ci.ports import Outcome, Usage
from split_ci.steps.record import attempt_updates, record
from split_ci.steps.status import STATES, Status, status
from split_ci.store import Quarantine
from tests.builders import commit, git, make_repo, spec, split_ci
from tests.reviewed import Result, add_result, judge, parsed

if TYPE_CHECKING:
    from pathlib import Path

    from split_ci.verdict import Verdict

EDIT = spec("### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\ntwo\n```\n")
OTHER = spec("### Create `b.txt`\n```\nb\n```\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "r", {"a.txt": "one\n", "specs/one.md": EDIT})


def keep(result: Result, verdict: Verdict | None = None, **more: Any) -> None:
    """What `run` leaves behind: the attempt's ref, the ledger and the review."""
    entry = entry_of_changeset(result.changeset, result.head, result.results)._replace(**more)
    verdicts = [verdict] if verdict else []
    with Quarantine(result.repo) as quarantine:
        _, updates = attempt_updates(result.repo, [(result.spec.id, result.head)])
        entries = [entry, *map(entry_of_verdict, verdicts)]
        assert quarantine.admit([*updates, *ledger.note_updates(quarantine, entries, verdicts)]) == []


def told(root: Path) -> dict[str, Status]:
    return {one.id: one for one in status(Repo.find(str(root)), Config())}


def test_a_repository_without_specs_has_none(tmp_path: Path) -> None:
    assert told(make_repo(tmp_path / "empty")) == {}
    assert told(make_repo(tmp_path / "r", {"a.txt": "one\n"})) == {}


def test_ready_then_done_then_approved_then_landed(root: Path) -> None:
    assert told(root)["one"].state == "ready"
    result = add_result(root, EDIT, usage=Usage(1, 10, 0, 5, 0.25))
    keep(result)
    one = told(root)["one"]
    assert (one.state, one.branch, one.head, one.rounds, one.green, one.criteria, one.usd) == (
        "done", "split-ci/one", result.head, 1, 1, 1, 0.25,
    )  # fmt: skip
    Local(result.repo).ensure_reviews([judge(result)])
    assert told(root)["one"].state == "approved"
    git(root, "merge", "-q", "--no-edit", "split-ci/one")
    git(root, "branch", "-q", "-D", "split-ci/one")
    landed = told(root)["one"]
    assert (landed.state, landed.branch) == ("landed", None)
    assert (landed.rounds, landed.green, landed.usd) == (1, 1, 0.25)


PENDING = {
    "draft": (EDIT.replace("status: ready", "status: draft"), "draft"),
    "invalid, no spec": ("nothing\n", "invalid"),
    "invalid, it does not fit": (EDIT.replace("\none\n", "\nthree\n"), "invalid"),
    "waiting": (OTHER.replace("status: ready", "status: ready\nneeds: [one]"), "waiting"),
}


@pytest.mark.parametrize("row", PENDING)
def test_what_has_no_result(row: str, root: Path) -> None:
    text, state = PENDING[row]
    commit(root, {"specs/two.md": text})
    two = told(root)["two"]
    assert two.state == state
    assert two.waits_for == (("one",) if state == "waiting" else ())
    assert bool(two.reason) == (state == "invalid")


@pytest.mark.parametrize("outcome", ["failed", "refused", "stale", "over-limit", "blocked"])
def test_an_attempt_without_a_result_says_how_it_ended(outcome: Any, root: Path) -> None:
    repo, one = Repo.find(str(root)), parsed(EDIT)
    base = repo.commit("HEAD")
    entry = ledger.Entry(
        "one", one.digest, "1234", "implementer", "cheap", ledger.now(), None, base, outcome=outcome, reason="it broke",
        usage=Usage(1, usd=None),
    )  # fmt: skip
    ledger.write(repo, [entry])
    found = told(root)["one"]
    assert (found.state, found.reason, found.usd) == (outcome, "it broke", None)
    commit(root, {"specs/one.md": EDIT.replace("Because.", "Why not.")})
    assert told(root)["one"].state == "ready"  # a new generation


@pytest.mark.parametrize(("decision", "state"), [("request_changes", "changes-requested"), ("incomplete", "incomplete")])
def test_a_review_that_is_no_approval(decision: Any, state: str, root: Path) -> None:
    result = add_result(root, EDIT)
    keep(result, judge(result)._replace(decision=decision))
    assert told(root)["one"].state == state


def test_a_review_that_the_world_cut_off_is_none_yet(root: Path) -> None:
    result = add_result(root, EDIT)
    cut = judge(result)._replace(
        decision="incomplete", world=True, summary="Read.\nNot finished: strong: 503\nincomplete: x"
    )
    keep(result, cut)
    one = told(root)["one"]
    assert (one.state, one.reason) == ("done", "its review was cut off, and is asked for again: strong: 503")


def test_a_new_generation_has_no_result_yet(root: Path) -> None:
    keep(add_result(root, EDIT))
    commit(root, {"specs/one.md": EDIT.replace("Because.", "Why not.")})
    assert told(root)["one"].state == "ready"
    assert told(root)["one"].branch == "split-ci/one"


def test_a_person_s_commit_is_said(root: Path) -> None:
    keep(add_result(root, EDIT))
    git(root, "checkout", "-q", "split-ci/one")
    commit(root, {"a.txt": "mine\n"})
    git(root, "checkout", "-q", "main")
    one = told(root)["one"]
    assert (one.state, one.reason) == ("blocked", "split-ci/one holds a commit that is not the bot's")


def test_a_person_who_writes_like_the_bot_is_still_a_person(root: Path) -> None:
    keep(add_result(root, EDIT))
    bot = {"GIT_AUTHOR_NAME": "split-ci[bot]", "GIT_COMMITTER_EMAIL": "split-ci[bot]@users.noreply.github.com"}
    message = git(root, "log", "-1", "--format=%B", "split-ci/one")
    forged = git(root, "commit-tree", "-p", "split-ci/one", "-m", message, "split-ci/one^{tree}", env=bot)
    git(root, "update-ref", "refs/heads/split-ci/one", forged)
    assert told(root)["one"].state == "blocked"


def test_a_need_that_changed_makes_it_stale(root: Path) -> None:
    text = OTHER.replace("status: ready", "status: ready\nneeds: [one]")
    commit(root, {"specs/two.md": text})
    one = add_result(root, EDIT)
    keep(one, judge(one))
    git(root, "checkout", "-q", "--detach", "split-ci/one")
    two = add_result(root, text, spec_id="two")
    keep(two)
    git(root, "checkout", "-q", "main")
    assert told(root)["two"].state == "done"
    commit(root, {"specs/one.md": EDIT.replace("Because.", "Why not.")})
    keep(add_result(root, EDIT.replace("Because.", "Why not.")))
    two_now = told(root)["two"]
    assert (two_now.state, two_now.reason) == ("stale", "one has changed since")


def test_a_need_whose_text_changed_makes_everything_on_it_stale(root: Path) -> None:
    needing = "status: ready\nneeds: [{}]"
    two = OTHER.replace("status: ready", needing.format("one"))
    three = OTHER.replace("b.txt", "c.txt").replace("status: ready", needing.format("two"))
    commit(root, {"specs/two.md": two, "specs/three.md": three})
    for name, text, at in (("one", EDIT, "main"), ("two", two, "split-ci/one"), ("three", three, "split-ci/two")):
        git(root, "checkout", "-q", "--detach", at)
        keep(add_result(root, text, spec_id=name))
    git(root, "checkout", "-q", "main")
    assert [told(root)[name].state for name in ("one", "two", "three")] == ["done"] * 3
    commit(root, {"specs/one.md": EDIT.replace("Because.", "Why not.")})
    found = told(root)
    assert [(found[name].state, found[name].waits_for) for name in ("one", "two", "three")] == [
        ("ready", ()), ("stale", ("one",)), ("stale", ("two",)),
    ]  # fmt: skip


def test_a_need_that_landed_with_another_text_makes_it_stale(root: Path) -> None:
    text = OTHER.replace("status: ready", "status: ready\nneeds: [one]")
    commit(root, {"specs/two.md": text})
    keep(add_result(root, EDIT))
    git(root, "checkout", "-q", "--detach", "split-ci/one")
    keep(add_result(root, text, spec_id="two"))
    git(root, "checkout", "-q", "main")
    git(root, "merge", "-q", "--squash", "split-ci/one")
    commit(root, {})
    assert told(root)["two"].state == "done"
    commit(root, {"specs/landed/one.md": EDIT.replace("Because.", "Why not.")})
    assert (told(root)["two"].state, told(root)["two"].reason) == ("stale", "one has changed since")


def test_every_state_is_enumerated() -> None:
    assert len(STATES) == len(set(STATES)) == 14


def test_a_clone_says_the_same(root: Path, tmp_path: Path) -> None:
    commit(root, {"specs/two.md": OTHER, "specs/three.md": EDIT.replace("status: ready", "status: draft")})
    one = add_result(root, EDIT, usage=Usage(1, 10, 0, 5, 0.25))
    keep(one, judge(one))
    keep(add_result(root, OTHER, spec_id="two"))
    git(tmp_path, "clone", "-q", str(root), str(tmp_path / "c"))
    clone = Repo.find(str(tmp_path / "c"))
    assert mirror.fetch(clone)
    assert told(tmp_path / "c") == told(root)
    assert {i: s.state for i, s in told(root).items()} == {"one": "approved", "two": "done", "three": "draft"}


def test_what_is_here_is_not_overwritten(root: Path, tmp_path: Path) -> None:
    one = add_result(root, EDIT)
    keep(one, judge(one))
    git(tmp_path, "clone", "-q", str(root), str(tmp_path / "c"))
    clone = Repo.find(str(tmp_path / "c"))
    entry = entry_of_changeset(one.changeset, one.head)._replace(attempt="a" * 16, name="mine")
    ledger.write(clone, [entry])
    git(tmp_path / "c", "update-ref", "refs/split-ci/attempts/one/1", one.base)
    mirror.fetch(clone)
    assert {e.name for e in ledger.read_all(clone)} == {"exact", "rules", "mine"}
    assert set(clone.refs("refs/split-ci/attempts/").values()) == {one.base, one.head}
    before = git(tmp_path / "c", "for-each-ref")
    mirror.fetch(clone)
    assert git(tmp_path / "c", "for-each-ref") == before


def test_without_a_remote_nothing_is_fetched(root: Path) -> None:
    assert not mirror.fetch(Repo.find(str(root)))


def test_a_remote_that_is_away_is_said(root: Path) -> None:
    git(root, "remote", "add", "origin", str(root / "nowhere"))
    with pytest.raises(WorldError) as caught:
        mirror.fetch(Repo.find(str(root)))
    assert caught.value.hint == "split-ci status --offline"


def test_recording_keeps_commits_costs_and_reviews(root: Path) -> None:
    result = add_result(root, EDIT, usage=Usage(1, 10, 0, 5, 0.25))
    failed = result.changeset._replace(
        attempt="f" * 16, changes=(), outcome=Outcome("failed", "no answer"), usage=Usage(2, 20, 0, 0, None)
    )
    done = record(result.repo, [result.changeset, failed], [], [judge(result)])
    assert done.changed
    assert done.refs == ("refs/split-ci/attempts/one/1",)
    assert git(root, "rev-parse", done.refs[0]) == result.head
    assert {(e.attempt, e.outcome, e.commit) for e in ledger.read_all(result.repo)} == {
        (result.changeset.attempt, "done", result.head),
        ("f" * 16, "failed", None),
        (judge(result).review, "done", result.head),
    }
    assert notes.review_of(result.repo, result.head) == judge(result)
    before = git(root, "for-each-ref")
    assert not record(result.repo, [result.changeset, failed], [], [judge(result)]).changed
    assert git(root, "for-each-ref") == before


def test_what_a_remote_knows_is_brought_here_and_nothing_said_of_specs(root: Path, tmp_path: Path) -> None:
    result = add_result(root, EDIT)
    keep(result, judge(result))
    git(tmp_path, "clone", "-q", str(root), "clone")
    clone = tmp_path / "clone"
    for _ in range(2):
        assert split_ci(clone, "status", "--fetch").stdout == "the ledger, the reviews and the attempts of origin are here\n"
        for ref in (ledger.REF, notes.REVIEWS, "refs/split-ci/attempts/one/1"):
            assert git(clone, "rev-parse", f"{ref}^{{tree}}") == git(root, "rev-parse", f"{ref}^{{tree}}")
    assert split_ci(clone, "status", "--fetch", "--format", "json").stdout == '{\n  "fetched": true\n}\n'
    split_ci(clone, "status", "--fetch", "--offline", code=2)
    git(clone, "remote", "remove", "origin")
    assert split_ci(clone, "status", "--fetch").stdout == "there is no remote origin\n"


def test_a_reason_that_is_cut_says_so(root: Path) -> None:
    commit(root, {"specs/a.md": spec("### Delete `no/such/" + "long/" * 20 + "file`\n")})
    said = split_ci(root, "status").stdout
    assert "…" in said
