"""`split-ci dispatch`: what is due is computed each time, one run for each generation, and no more than the limits allow."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from split_ci.commands.dispatch import look, start_all
from split_ci.config import find_config
from split_ci.errors import WorldError
from split_ci.forges.github_actions import GitHubActions
from split_ci.forges.github_place import find_place
from split_ci.git import Repo
from split_ci.ledger import Entry, write
from split_ci.lesson import Lesson
from split_ci.notes import review_notes
from split_ci.ports import Usage
from split_ci.pull_state import ticked
from split_ci.store import Quarantine
from split_ci.verdict import CriterionDecision, Finding, Verdict
from tests.builders import PERSON, git, spec, split_ci
from tests.forges.hub import QUICK, Hub
from tests.github import Answer, Fault, serving
from tests.invariants import untouched
from tests.results_of import spec_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from split_ci.steps.due import Due
    from split_ci.verdict import Decision
    from tests.github.actions import Run

EDIT = "### Edit `{0}`\nBefore:\n```\none\n```\nAfter:\n```\nuno\n```\n"
ACCEPT = "  - contains: {{in: {0}, text: uno}}"
CONFIG = """\
forge: github
models: {{cheap: {{api: scripted, model: small, replies: r.json}}}}
implementers: [exact, cheap]
limits: {{rounds: 2, parallel: {parallel}, pulls: {pulls}, usd: 0.25, usd_per_day: {usd}}}
"""
ALL = {"parallel": 8, "pulls": 30, "usd": 5}
WRONG = Finding("a.txt", 1, "It is not Italian.")


def files(*ids: str, extra: str = "", changes: str = EDIT, **limits: object) -> dict[str, str | bytes]:
    """A file and a spec of that name for each id, the configuration, and the workflow."""
    found: dict[str, str | bytes] = {
        ".split-ci.yaml": CONFIG.format(**{**ALL, **limits}), "r.json": '{"replies": []}',
        ".github/workflows/split-ci-spec.yml": "on: workflow_dispatch\n",
    }  # fmt: skip
    for id_ in ids:
        found[f"{id_}.txt"] = "one\n"
        found[f"specs/{id_}.md"] = spec(changes.format(f"{id_}.txt"), accept=ACCEPT.format(f"{id_}.txt"), extra=extra)
    return found


class Place(Hub):
    """A repository whose dispatch is looked at."""

    def look(self, most: int = 8) -> Due:
        repo = Repo.find(str(self.repo))
        return look(repo, find_config(repo, {}), self.forge(), self.engine(), most)

    def engine(self) -> GitHubActions:
        return GitHubActions(find_place(Repo.find(str(self.repo)), self.server.env()), QUICK, pause=0.0)

    def dispatch(self, most: int = 8) -> list[str]:
        return start_all(self.engine(), self.look(most).starts)

    def starts(self) -> list[str]:
        return [one.id for one in self.look().starts]

    def why(self, id_: str = "a") -> str:
        found = [one.why for one in self.look().held if one.id == id_]
        assert len(found) == 1, found
        return found[0]

    @property
    def runs(self) -> list[Run]:
        return self.server.world.engine.runs

    def ran(self, id_: str = "a", conclusion: str = "failure", *, hours_ago: float = 0, digest: str = "") -> Run:
        """A run that ended."""
        inputs = {"spec": id_, "digest": digest or self.digest(id_)}
        run = self.server.world.engine.add(self.server.world, inputs, hours_ago=hours_ago)
        run.ended(conclusion)
        return run

    def digest(self, id_: str = "a") -> str:
        return spec_at(self.repo, id_).digest

    def tried(self, outcome: str = "failed", *, id_: str = "a", hours_ago: float = 0, **more: Any) -> Entry:
        """An attempt in the ledger of the origin."""
        at = more.pop("at", "") or (datetime.now(UTC) - timedelta(hours=hours_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
        base = more.pop("base", None) or git(self.repo, "rev-parse", "origin/main")
        entry = Entry(
            id_, self.digest(id_), f"{abs(hash((id_, at, outcome, str(more)))):016x}"[:16],
            more.pop("role", "implementer"), "cheap", at,
            more.pop("commit", None), base, outcome=outcome, reason=more.pop("reason", "it is wrong"), **more,
        )  # fmt: skip
        self.forge().transact(Repo.find(str(self.repo)), lambda there: write(there, [entry]))
        return entry

    def result(self, id_: str = "a") -> str:
        """The spec's result: a branch and a pull request."""
        self.make(id_, "origin/main")
        head: str = self.publish(id_)["head"]
        git(self.repo, "fetch", "-q", "origin", f"split-ci/{id_}")
        return head

    def reviewed(
        self, head: str, decision: Decision, *findings: Finding, id_: str = "a", shown: bool = True, world: bool = False,
        lessons: tuple[Lesson, ...] = (),
    ) -> None:  # fmt: skip
        met = (CriterionDecision("a1", "met"),)
        base = git(self.repo, "rev-parse", f"{head}~1")
        verdict = Verdict(
            id_,
            self.digest(id_),
            base,
            head,
            "strong",
            False,
            decision,
            "Said.",
            findings,
            met,
            (),
            lessons,
            review="0" * 16,
            world=world,
        )

        def put(there: Repo) -> None:
            with Quarantine(there) as quarantine:
                update = review_notes(quarantine, [verdict])
                assert update
                assert quarantine.admit([update]) == []

        self.forge().transact(Repo.find(str(self.repo)), put)
        if shown:
            state = {"state": "success", "context": "split-ci/review", "description": "said"}
            self.forge().client.post(f"statuses/{head}", state)

    def tick(self, box: str) -> None:
        """A person ticks a box of the newest pull request."""
        pull = self.server.world.pulls[-1]
        lines = (pull.body or "").split("\n")
        at = next(n for n, line in enumerate(lines) if f"split-ci-box {box}" in line)
        lines[at] = lines[at].replace("[ ]", "[x]")
        pull.body = "\r\n".join(lines)
        assert ticked(pull.body) == {box}


Made = "Callable[..., Place]"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Makes the one place of a test, with its files."""
    servers = []

    def make(found: dict[str, str | bytes]) -> Place:
        made = Place(tmp_path, found)
        serve = serving(made.bare)
        made.server = serve.__enter__()
        servers.append(serve)
        return made

    yield make
    for serve in servers:
        serve.__exit__(None, None, None)


def test_a_run_for_each_pending_spec_and_not_twice(place: Callable[..., Place]) -> None:
    here = place(files("a", "b"))
    with untouched(here.repo):
        assert here.dispatch() == ["a", "b"]
        assert here.dispatch() == []
    head = git(here.repo, "rev-parse", "origin/main")
    assert [run.inputs for run in here.runs] == [
        {"spec": id_, "base": head, "digest": here.digest(id_)} for id_ in ("a", "b")
    ]
    assert here.why("a").startswith("a run of it is queued: https://github.com/ada/one/actions/runs/")


def test_it_is_the_branch_that_is_started_and_no_tag_of_its_name(place: Callable[..., Place]) -> None:
    here = place(files("a", "b"))
    assert start_all(here.engine(), here.look(most=1).starts) == ["a"]
    git(
        here.bare,
        "update-ref",
        "refs/tags/main",
        git(here.bare, "commit-tree", "-m", "by hand", "main^{tree}", env=PERSON).strip(),
    )
    assert here.dispatch() == ["b"]
    asked = [line.body["ref"] for line in here.server.log if line.path.endswith("/dispatches")]
    assert asked == ["main", "refs/heads/main"]


def test_nothing_is_pending(place: Callable[..., Place]) -> None:
    here = place(files())
    assert here.look()[1:] == ((), ())


def test_by_the_command_line(place: Callable[..., Place], tmp_path: Path) -> None:
    here = place(files("a"))
    output, summary = tmp_path / "output", tmp_path / "summary"
    dry = here.told("dispatch", "--dry-run")
    assert [one["id"] for one in dry["due"]] == ["a"]
    assert here.runs == []
    done = here.cli("dispatch", "--format", "github", GITHUB_OUTPUT=str(output), GITHUB_STEP_SUMMARY=str(summary))
    assert "started  a: this generation has no result yet" in done.stdout
    assert output.read_text().endswith("started=1\nheld=0\n")
    assert "| `a` | started | `this generation has no result yet` |" in summary.read_text()
    again = here.told("dispatch")
    assert (again["started"], [one["id"] for one in again["held"]]) == ([], ["a"])
    assert len(here.runs) == 1


@pytest.mark.parametrize(("value", "runs"), [("true", 0), ("1", 0), ("yes", 0), ("false", 1), ("0", 1), ("", 1)])
def test_paused(place: Callable[..., Place], value: str, runs: int) -> None:
    here = place(files("a"))
    done = here.cli("dispatch", SPLIT_CI_PAUSED=value)
    assert len(here.runs) == runs
    assert ("dispatch is paused" in done.stdout) == (not runs)


def test_no_forge_that_starts_runs(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    (here.repo / ".split-ci.yaml").write_text("forge: local\n")
    assert "forge: 'local' starts no runs" in here.cli("dispatch", code=2).stderr


def test_a_workflow_that_is_not_installed(place: Callable[..., Place]) -> None:
    found = files("a")
    del found[".github/workflows/split-ci-spec.yml"]
    here = place(found)
    done = here.cli("dispatch", code=4)
    assert "the default branch has no .github/workflows/split-ci-spec.yml" in done.stderr
    assert "next: split-ci init" in done.stderr


# --- what is held back, and why


def _landed_need(here: Place) -> None:
    here.land({"specs/b.md": None, "specs/landed/b.md": (here.repo / "specs/b.md").read_bytes()})


def test_a_need_has_to_land_first(place: Callable[..., Place]) -> None:
    here = place({**files("b"), **files("a", extra="needs: [b]\n")})
    assert here.starts() == ["b"]
    assert here.why() == "it waits for b, which must land first"
    _landed_need(here)
    assert here.starts() == ["a"]


def test_drafts_and_broken_specs_hold_nobody_up(place: Callable[..., Place]) -> None:
    found = files("a", "b")
    found["specs/a.md"] = str(found["specs/a.md"]).replace("status: ready", "status: draft")
    here = place({**found, "specs/c.md": "no front matter\n"})
    assert here.starts() == ["b"]
    assert here.why("a") == "it is a draft"
    assert here.why("c").startswith("specs/c.md:1: SP103 ")


def test_what_overlaps_comes_one_after_the_other(place: Callable[..., Place]) -> None:
    found = files("a", "c")
    found["specs/b.md"] = found["specs/a.md"]
    here = place({**found, ".split-ci.yaml": CONFIG.format(**ALL)})
    here.land({"specs/b.md": str(found["specs/a.md"]).replace("title: A change", "title: Another")})
    assert "SP603" in here.why("b"), "two that change one line have no order"
    here.land({"specs/b.md": spec("### Instruct `a.txt`\nSay more.\n", accept=ACCEPT.format("a.txt"))})
    assert here.dispatch() == ["a", "c"]
    assert here.why("b") == "it overlaps a"
    here.runs[0].ended()
    here.result("a")
    assert "b" in here.starts()


@pytest.mark.parametrize("status", ["queued", "in_progress", "waiting", "pending", "requested"])
def test_what_is_in_flight_is_left_alone_however_old(place: Callable[..., Place], status: str) -> None:
    here = place(files("a"))
    run = here.ran(hours_ago=24 * 20)
    run.status, run.conclusion = status, None
    assert here.starts() == []


def test_a_run_by_hand_of_any_text_is_in_flight_too(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    here.server.world.engine.add(here.server.world, {"spec": "a"})
    assert here.starts() == []


def test_a_run_of_another_branch_is_none(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    run = here.ran()
    run.status, run.branch = "queued", "topic"
    assert here.starts() == ["a"]


# --- limits


def test_no_more_runs_than_may_be_in_flight(place: Callable[..., Place]) -> None:
    """S24: a batch with a remainder that is seen."""
    ids = [f"s{n:03}" for n in range(60)]
    here = place(files(*ids))
    assert here.dispatch(3) == ids[:3]
    found = here.look(3)
    assert found.starts == ()
    assert found.held[10].why == "3 runs are in flight, and 3 may be (limits.parallel)"
    assert len(found.held) == 60
    here.runs[1].ended("failure")
    assert [one.id for one in here.look(3).starts] == ["s003"]


def test_no_more_pull_requests_than_may_be_open(place: Callable[..., Place]) -> None:
    here = place(files("a", "b", "c", pulls=2))
    here.result("a")
    found = here.look()
    assert [one.id for one in found.starts] == ["a", "b"], "the one that has its pull request goes on"
    assert here.why("c") == "2 pull requests are open or on their way, and 2 may be (limits.pulls)"


def test_the_day_s_money(place: Callable[..., Place]) -> None:
    """C10: what is in flight is reserved; the day is passed by one run at the most."""
    here = place({**files("e"), **files("a", "b", "c", "d", changes="### Instruct `{0}`\nSay it.\n", usd=0.7)})
    here.tried("failed", id_="d", usage=Usage(1, 10, 0, 10, 0.3), world=True, hours_ago=0)
    assert here.dispatch() == ["a", "b", "e"]
    assert here.why("c") == ("0.3000 USD are spent today and 0.5000 may be by runs in flight, of 0.7 (limits.usd_per_day)")


def test_yesterday_s_money_is_yesterday_s(place: Callable[..., Place]) -> None:
    here = place(files("a", usd=0.2))
    here.tried("failed", id_="a", usage=Usage(1, 10, 0, 10, 0.3), world=True, hours_ago=30)
    assert here.starts() == ["a"]


# --- again


def test_a_no_is_not_asked_again(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    here.tried("failed", hours_ago=100)
    assert here.why() == "failed: it is wrong (until the spec changes, or somebody asks by hand)"
    here.land({"specs/a.md": spec(EDIT.format("a.txt"), accept=ACCEPT.format("a.txt"), title="Another")})
    assert here.starts() == ["a"]


def test_stale_is_another_question_on_another_base(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    here.tried("stale")
    assert here.why().startswith("stale: ")
    here.land({"z.txt": "z\n"})
    assert here.starts() == ["a"]


HOURS = [(1, 0.9, False), (1, 1.1, True), (2, 1.9, False), (2, 2.1, True), (3, 3.9, False), (3, 4.1, True), (9, 23.9, False),
         (9, 24.1, True)]  # fmt: skip


@pytest.mark.parametrize(("times", "hours", "again"), HOURS)
@pytest.mark.parametrize("kind", ["attempts", "runs"])
def test_l12_the_world_s_faults_wait_longer_each_time(
    place: Callable[..., Place], kind: str, times: int, hours: float, *, again: bool
) -> None:
    """A provider that is down for a day: others go on, and this one comes back."""
    here = place(files("a", "b"))
    for n in range(times):
        ago = hours + (times - 1 - n)
        if kind == "attempts":
            here.tried(hours_ago=ago, world=True, reason="503")
        else:
            here.ran(hours_ago=ago)
    assert here.starts() == (["a", "b"] if again else ["b"])
    if not again:
        assert here.why().startswith(f"what is outside of it failed {'once' if times == 1 else f'{times} times'}: the next ")


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "soon"])
def test_a_time_that_nobody_can_have_measured_holds_nothing_up(place: Callable[..., Place], at: str) -> None:
    """Whoever may push may push a line of the ledger."""
    here = place(files("a", "b"))
    here.tried(hours_ago=2, world=True, reason="503", at=at)
    assert here.starts() == ["a", "b"]


def test_a_run_by_hand_that_failed_is_of_the_text_that_it_began_with(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    run = here.server.world.engine.add(here.server.world, {"spec": "a"})
    run.ended("cancelled")
    assert here.why().startswith("what is outside of it failed once")
    here.land({"specs/a.md": spec(EDIT.format("a.txt"), accept=ACCEPT.format("a.txt"), title="Another")})
    assert here.starts() == ["a"]


def test_one_try_leaves_an_attempt_and_a_run_and_is_one(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    here.ran(hours_ago=1.2)
    here.tried(hours_ago=1.1, world=True)
    assert here.starts() == ["a"]


@pytest.mark.parametrize("conclusion", ["cancelled", "timed_out", "failure", "startup_failure"])
def test_k11_what_was_cut_off_is_due_again(place: Callable[..., Place], conclusion: str) -> None:
    here = place(files("a"))
    here.ran(conclusion=conclusion, hours_ago=2)
    assert here.starts() == ["a"]


def test_c02_runs_that_were_cancelled_in_a_queue_are_not_lost(place: Callable[..., Place]) -> None:
    here = place(files("a", "b", "c"))
    assert here.dispatch() == ["a", "b", "c"]
    for run in here.runs:
        run.ended("cancelled")
        run.created_at = (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert here.dispatch() == ["a", "b", "c"]


def test_failures_before_a_success_don_t_count(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    for ago in (9, 8, 7, 6):
        here.ran(hours_ago=ago)
    here.ran(conclusion="success", hours_ago=5)
    here.ran(hours_ago=1.1)
    assert here.starts() == ["a"]


def test_what_was_paid_for_keeps_its_base(place: Callable[..., Place]) -> None:
    """An attempt that came to something, in a run that was cut off before its branch: it is used where it was made."""
    here = place(files("a"))
    old = git(here.repo, "rev-parse", "origin/main")
    kept = git(here.repo, "commit-tree", "origin/main^{tree}", "-p", "origin/main", "-m", "an attempt")
    git(here.repo, "push", "-q", "origin", f"{kept}:refs/split-ci/attempts/a/1")
    here.tried("done", commit=kept, usage=Usage(1, 10, 0, 10, 0.1), hours_ago=2, reason="")
    here.land({"z.txt": "z\n"})
    (start,) = here.look().starts
    assert start.base == old


def test_a_default_branch_that_was_pushed_over_has_no_old_base(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    here.tried("done", commit=git(here.repo, "rev-parse", "origin/main"), usage=Usage(1, 10, 0, 10, 0.1), hours_ago=2)
    git(here.repo, "commit", "-q", "--amend", "-m", "over")
    git(here.repo, "push", "-q", "-f", "origin", "main")
    (start,) = here.look().starts
    assert start.base == git(here.repo, "rev-parse", "main")


# --- results


def test_a_result_without_a_review_is_gone_on_with(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    base = git(here.repo, "rev-parse", "origin/main")
    here.result()
    here.land({"z.txt": "z\n"})
    (start,) = here.look().starts
    assert start == ("a", here.digest(), base, "its result has no review yet", None, False)


def test_a_review_that_is_not_shown_is_gone_on_with(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    head = here.result()
    here.reviewed(head, "approve", shown=False)
    assert [one.why for one in here.look().starts] == ["its review is not shown yet"]
    here.forge().client.post(f"statuses/{head}", {"state": "success", "context": "split-ci/review"})
    assert here.why() == "this generation has a result, and its review says approve"


def test_a_lesson_that_was_not_taught_is_gone_on_with(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    head = here.result()
    here.reviewed(head, "approve", lessons=(Lesson("x", "implementer", "Mind the order. A review found it wrong."),))
    assert [one.why for one in here.look().starts] == ["what its review teaches is not shown yet"]
    git(here.repo, "push", "-q", "origin", f"{head}:refs/split-ci/coached/a")
    assert here.why() == "this generation has a result, and its review says approve"


@pytest.mark.parametrize(("times", "hours", "again"), HOURS)
def test_a_review_that_the_world_cut_off_is_due_again_and_waits_longer_each_time(
    place: Callable[..., Place], times: int, hours: float, *, again: bool
) -> None:
    here = place(files("a"))
    head = here.result()
    here.reviewed(head, "incomplete", world=True)
    for n in range(times):
        cut: dict[str, Any] = {"commit": head, "decision": "incomplete", "world": True, "reason": "", "usage": Usage(1)}
        here.tried("done", role="architect", hours_ago=hours + (times - 1 - n), **cut)
    if again:
        assert [one.why for one in here.look().starts] == ["its review was cut off by something outside of it"]
    else:
        assert here.why().startswith(f"what is outside of it failed {'once' if times == 1 else f'{times} times'}: the next ")
    here.reviewed(head, "approve")
    assert here.why() == "this generation has a result, and its review says approve"


def test_a_review_that_was_cut_off_and_then_made_keeps_the_next_round_from_nothing(place: Callable[..., Place]) -> None:
    here = place(files("a", changes="### Instruct `a.txt`\nSay it.\n"))
    head = _by_model(here)
    here.tried("done", role="architect", commit=head, decision="incomplete", world=True, reason="", usage=Usage(1))
    here.reviewed(head, "request_changes", WRONG)
    assert [one.why for one in here.look().starts] == ["its review asks for changes"]


def test_a_review_that_is_incomplete_by_itself_is_an_answer(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    here.reviewed(here.result(), "incomplete")
    assert here.why() == "this generation has a result, and its review says incomplete"


def test_a_review_that_asks_for_changes(place: Callable[..., Place]) -> None:
    found = files("a", changes="### Instruct `a.txt`\nSay it.\n")
    here = place(found)
    head = _by_model(here)
    here.reviewed(head, "request_changes", WRONG)
    assert [one.why for one in here.look().starts] == ["its review asks for changes"]
    here.tried("failed", round=2, base=git(here.repo, "rev-parse", f"{head}~1"), reason="no edit block")
    assert here.why().startswith("failed: no edit block")


def _by_model(here: Place) -> str:
    """A result that a model has a part in."""
    replies = [{"match": {}, "text": "a.txt\n<<<<<<< SEARCH\none\n=======\nuno\n>>>>>>> REPLACE\n"}]
    (here.repo / "r.json").write_text(json.dumps({"replies": replies}))
    return here.result()


def test_somebody_s_closed_pull_request_is_respected(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    here.result()
    world = here.server.world
    world.close(world.pulls[-1], world.tokens["ada-token"])
    git(here.repo, "push", "-q", "origin", ":split-ci/a")
    assert here.why() == "its pull request #1 was closed: that holds until the spec changes, or it is reopened"
    here.land({"specs/a.md": spec(EDIT.format("a.txt"), accept=ACCEPT.format("a.txt"), title="Another")})
    assert here.starts() == ["a"]


# --- boxes


def test_a_box_for_a_result_anew(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    head = here.result()
    here.reviewed(head, "approve")
    here.tick("anew")
    assert "there is no newer base" in here.why()
    new = here.land({"z.txt": "z\n"})
    (start,) = here.look().starts
    assert (start.base, start.pull, start.anew) == (new, 1, True)
    assert here.dispatch() == ["a"]
    assert here.runs[-1].inputs == {"spec": "a", "base": new, "digest": here.digest(), "pull": "1", "anew": "true"}
    assert here.dispatch() == []
    here.runs[-1].ended("failure")
    here.tried("failed", base=new)
    assert here.why().startswith("failed: it is wrong"), "the tick was heard, and the answer was no"


def test_a_box_for_another_round(place: Callable[..., Place]) -> None:
    here = place(files("a", changes="### Instruct `a.txt`\nSay it.\n"))
    head = _by_model(here)
    here.reviewed(head, "incomplete", WRONG)
    assert "its review says incomplete" in here.why()
    here.tick("round")
    (start,) = here.look().starts
    assert (start.pull, start.anew) == (1, False)


def test_a_tick_for_a_head_that_has_moved_was_heard(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    here.reviewed(here.result(), "approve")
    here.tick("anew")
    pull = here.server.world.pulls[-1]
    pull.body = (pull.body or "").replace(pull.head_sha, "0" * 40)
    here.land({"z.txt": "z\n"})
    assert here.starts() == []


def test_a_stranger_s_pull_request_has_no_boxes(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    here.reviewed(here.result(), "approve")
    here.tick("anew")
    here.server.world.pulls[-1].author = here.server.world.tokens["mallory-token"]
    here.land({"z.txt": "z\n"})
    assert [one.why for one in here.look().starts] == []


# --- faults


def test_f15_a_list_that_lags_starts_nothing_twice(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    here.server.world.engine.lag = 3
    assert here.dispatch() == ["a"]
    assert here.dispatch() == []
    assert len(here.runs) == 1


LOST = {
    "heard, and the answer is lost": Fault(method="POST", path="dispatches", done=True),
    "not heard": Fault(method="POST", path="dispatches"),
    "heard, and 502": Fault(Answer(502), method="POST", path="dispatches", done=True),
    "not heard, and 502": Fault(Answer(502), method="POST", path="dispatches"),
    "a slow one": Fault(Answer(429, {"message": "slow"}, {"Retry-After": "0"}), method="POST", path="dispatches"),
}


@pytest.mark.parametrize("name", LOST)
def test_a_start_whose_answer_is_lost_is_one_run(place: Callable[..., Place], name: str) -> None:
    here = place(files("a"))
    here.server.faults.append(LOST[name])
    assert here.dispatch() == ["a"]
    assert [run.inputs["spec"] for run in here.runs] == ["a"]


def test_killed_between_any_two_calls(place: Callable[..., Place]) -> None:
    """The forge is gone after n requests, each time one later; the end is the same, and nothing was started twice."""
    here = place(files("a", "b"))
    for calls in range(1, 60):
        gone = Fault(Answer(401, {"message": "Bad credentials"}), skip=calls, times=0)
        here.server.faults = [gone]
        try:
            here.dispatch()
        except WorldError:
            continue
        if not gone.hit:
            break
    else:
        pytest.fail("it never came to its end")
    here.server.faults = []
    assert here.dispatch() == []
    assert sorted(run.inputs["spec"] for run in here.runs) == ["a", "b"]


BROKEN: Sequence[tuple[str, object]] = [
    ("no list", {"total_count": 0}), ("a list of words", {"workflow_runs": ["x"]}), ("HTML", b"<html>"), ("nothing", None),
    ("no title", {"workflow_runs": [{"id": 1, "head_branch": "main", "event": "workflow_dispatch"}]}),
]  # fmt: skip


@pytest.mark.parametrize("name", [name for name, _ in BROKEN])
def test_a_list_that_is_none_starts_nothing(place: Callable[..., Place], name: str) -> None:
    here = place(files("a"))
    here.server.faults = [Fault(Answer(200, dict(BROKEN)[name]), path="/runs", times=0)]
    with pytest.raises(WorldError):
        here.dispatch()
    here.server.faults = []
    assert here.runs == []


def test_no_permission_is_said(place: Callable[..., Place]) -> None:
    here = place(files("a"))
    actor = here.server.world.tokens["bot-token"]
    here.server.world.tokens["bot-token"] = actor._replace(may=frozenset())
    done = here.cli("dispatch", code=4)
    assert "Resource not accessible by integration" in done.stderr
    assert "actions" in done.stderr


def test_what_a_run_that_was_dispatched_begins_with(place: Callable[..., Place]) -> None:
    """Dispatch and admit say the same: what one starts, the other lets begin."""
    here = place(files("a"))
    here.dispatch()
    inputs = here.runs[-1].inputs
    said = here.told("admit", inputs["spec"], "--base", inputs["base"], "--digest", inputs["digest"])
    assert (said["go"], said["base"], said["round"]) == (True, inputs["base"], 1)
    here.make("a", "origin/main")
    here.publish("a")
    assert here.told("admit", "a")["why"] == "its result has no review yet"
    assert split_ci(here.repo, "admit", "--pull", "1", env=here.server.env()).stdout.startswith("a: round 1 from ")
    assert "no open pull request" in here.cli("admit", "--pull", "2", code=1).stderr
    assert "it is of split-ci/a, no result of b" in here.cli("admit", "b", "--pull", "1", code=1).stderr
