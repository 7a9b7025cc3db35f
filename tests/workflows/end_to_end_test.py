"""A pushed spec, all the way: dispatch, the eight jobs, and what is at GitHub afterwards; and again, which changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from split_ci.workflows import Setting
from tests.builders import git, spec
from tests.lane_test import block, finding, judged
from tests.models.contract_test import said
from tests.models.servers import Answer, serving
from tests.workflows.act import ACT
from tests.workflows.hub import TOKEN, Hub, hub
from tests.workflows.leaks import command_lines, leaks
from tests.workflows.shape import ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.workflows.act import Run

pytestmark = pytest.mark.skipif(not ACT.exists(), reason="act is not installed for this system")
JOBS = list(ROWS["split-ci-spec.yml"])
EXACT = spec("### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\nuno\n```\n", accept="  - run: grep -q uno a.txt")
CRITERIA = """\
  - run: grep -q uno a.txt
  - run: "! cat /proc/[0-9]*/environ | grep -aq canary"
    guard: true"""
INSTRUCT = spec("### Instruct `a.txt`\nSay uno.\n", accept=CRITERIA)
KEYS = {"CHEAP_KEY": "sk-cheap-canary-0123456789abcdef", "STRONG_KEY": "sk-strong-canary-fedcba9876543210"}
CONFIG = """\
models:
  cheap: {{api: openai, model: small-1, base_url: "{cheap}/v1", key: CHEAP_KEY, price: {{input: 0.1, output: 0.4}}}}
  strong: {{api: anthropic, model: large-1, base_url: "{strong}", key: STRONG_KEY, price: {{input: 3, output: 15}}}}
implementers: [exact, cheap]
"""
TEXT = "Write a word that stands alone in capitals too. A review found it in small letters only."
LESSON = {"for": "implementer", "text": TEXT, "paths": ["*.txt"], "forbid": None}


def judgement(decision: str, *findings: dict[str, Any], earlier: int = 0, lessons: Sequence[object] = ()) -> Answer:
    """What an architect's model answers about `INSTRUCT`."""
    answer = json.loads(judged(decision, *findings, earlier=earlier)["text"])
    answer["criteria"].append({"id": "a2", "decision": "met", "reason": ""})
    answer["coaching"]["lessons"] = list(lessons)
    return said("anthropic", json.dumps(answer))


def everything(hub: Hub) -> dict[str, Any]:
    """All that is at GitHub, as far as anybody can see."""
    world = hub.github.world
    pulls = [(p.number, p.state, p.head, p.head_sha, p.title, p.body, p.updated_at) for p in world.pulls]
    return {
        "refs": hub.refs(), "pulls": pulls, "comments": [vars(each) for each in world.comments],
        "reviews": [vars(each) for each in world.reviews], "statuses": list(world.statuses),
    }  # fmt: skip


def ledger(hub: Hub) -> list[dict[str, Any]]:
    """Its lines, in the order in which they were written."""
    listed = git(hub.bare, "notes", "--ref=split-ci", "list").splitlines()
    lines = [line for row in listed for line in hub.show(row.split()[0]).splitlines()]
    return sorted(map(json.loads, lines), key=lambda line: (line["at"], line["role"] != "implementer"))


def nothing_leaked(hub: Hub, runs: list[Run], seen: set[bytes], secrets: dict[str, str]) -> None:
    """No secret is in a log, an output, a summary, an artifact, an object, a text at GitHub or a command line."""
    objects = git(hub.bare, "cat-file", "--batch-all-objects", "--batch", "--buffer")
    files = [path for path in hub.actions.artifacts.rglob("*") if path.is_file()]
    texts = [
        *((f"the log of run {run.id}", run.log.encode()) for run in runs),
        *((f"{call.words[0]} in run {run.id}", (call.output + call.summary).encode()) for run in runs for call in run.calls),
        *((str(path), path.read_bytes()) for path in files),
        ("an object", objects.encode(errors="surrogateescape")),
        ("GitHub", repr(everything(hub)).encode()),
        *(("a command line", line) for line in seen),
    ]
    assert files
    assert leaks(secrets, texts) == []


def each_step_held_its_own(runs: list[Run]) -> None:
    """A key or the token is in the environment of no command but those that the rows name."""
    rows = {name: row for rows in ROWS.values() for name, row in rows.items()}
    for call in (call for run in runs for call in run.calls):
        row, command = rows[call.job], call.words[0]
        held = {name for name, value in call.env.items() if value in (*KEYS.values(), TOKEN)}
        keys = {"implement": {"CHEAP_KEY"}, "review": {"STRONG_KEY"}}[row.key] if row.key == command else set()
        wanted = ({"GITHUB_TOKEN"} if command in row.speaks else set()) | (keys & held)
        assert held == wanted, (call.job, command)


def test_an_exact_spec_becomes_a_reviewed_pull_request_at_no_cost(tmp_path: Path) -> None:
    with hub(tmp_path, {"a.txt": "one\n"}, {}, Setting("main")) as there, command_lines() as seen:
        there.push({"specs/good.md": EXACT})
        looked, (run,) = there.dispatch()
        assert looked.jobs == {"recover": "success", "dispatch": "success"}
        assert run.jobs == dict.fromkeys(JOBS, "success"), run.log

        refs, world = there.refs(), there.github.world
        head = refs["refs/heads/split-ci/good"]
        assert set(refs) == {
            "refs/heads/main", "refs/heads/split-ci/good", "refs/notes/split-ci", "refs/notes/split-ci-review",
            "refs/split-ci/attempts/good/1",
        }  # fmt: skip
        assert there.show(f"{head}:a.txt") == "uno"
        (pull,) = world.pulls
        assert (pull.head, pull.head_sha, pull.state, pull.title) == ("split-ci/good", head, "open", "A change")
        (review,) = world.reviews
        assert (review.commit, review.state) == (head, "COMMENTED")
        assert [(status.sha, status.context, status.state) for status in world.statuses] == [
            (head, "split-ci/review", "success")
        ]
        assert [(line["id"], line["role"], line["usage"]["calls"]) for line in ledger(there)] == [
            ("good", "implementer", 0), ("good", "architect", 0)
        ]  # fmt: skip
        assert "a1" in run.call("publish").summary + run.call("accept").summary

        before = everything(there)
        again, none = there.dispatch("schedule")
        assert (again.jobs, none) == ({"recover": "success", "dispatch": "success"}, [])
        by_hand = there.by_hand({"spec": "good"})
        assert (by_hand.jobs, by_hand.call("admit").output.splitlines()[0]) == ({"admit": "success"}, "go=false")
        assert everything(there) == before

        newest = there.push({"b.txt": "b\n"})
        anew = there.by_hand({"pull": "1", "anew": "true"})
        assert anew.jobs == dict.fromkeys(JOBS, "success"), anew.log
        assert git(there.bare, "rev-parse", "split-ci/good^") == newest
        assert [(pull.number, pull.head_sha) for pull in world.pulls] == [(1, there.refs()["refs/heads/split-ci/good"])]
        every = [looked, run, again, by_hand, anew]
        each_step_held_its_own(every)
    nothing_leaked(there, every, seen, {"the token": TOKEN})


def test_a_cheap_model_types_and_an_architect_sends_back_teaches_and_approves(tmp_path: Path) -> None:
    first, second = said("openai", block("uno")), said("openai", block("UNO uno").replace("\none\n", "\nuno\n"))
    sent_back, approved = (
        judgement("request_changes", finding("implementer"), lessons=[LESSON]),
        judgement("approve", earlier=1),
    )
    with (
        serving(first, second) as cheap,
        serving(sent_back, approved) as strong,
        hub(
            tmp_path,
            {"a.txt": "one\n", ".split-ci.yaml": CONFIG.format(cheap=cheap.url, strong=strong.url) + "architect: strong\n"},
            KEYS,
            Setting("main", implementer_keys=("CHEAP_KEY",), architect_keys=("STRONG_KEY",)),
        ) as there,
        command_lines() as seen,
    ):
        there.push({"specs/good.md": INSTRUCT})
        _, (one,) = there.dispatch()
        assert one.jobs == dict.fromkeys(JOBS, "success"), one.log
        world = there.github.world
        sent = there.refs()["refs/heads/split-ci/good"]
        assert [(status.sha, status.state) for status in world.statuses] == [(sent, "failure")]
        assert {(pull.head, pull.state) for pull in world.pulls} == {
            ("split-ci/good", "open"),
            ("split-ci/coaching", "open"),
        }
        (lesson,) = git(there.bare, "ls-tree", "--name-only", "split-ci/coaching", "specs/coaching/").splitlines()
        assert TEXT in there.show(f"split-ci/coaching:{lesson}")

        looked, (two,) = there.dispatch("schedule")
        assert two.jobs == dict.fromkeys(JOBS, "success"), two.log
        head = there.refs()["refs/heads/split-ci/good"]
        assert git(there.bare, "rev-list", "--parents", "-n", "1", head).split() == [head, sent]
        assert there.show(f"{head}:a.txt") == "UNO uno"
        assert (world.statuses[-1].sha, world.statuses[-1].state) == (head, "success")
        assert [(review.commit, review.state) for review in world.reviews] == [(sent, "COMMENTED"), (head, "COMMENTED")]
        assert (len(cheap.asked), len(strong.asked)) == (2, 2)
        assert [(line["role"], line["round"]) for line in ledger(there)] == [
            ("implementer", 1), ("architect", 1), ("implementer", 2), ("architect", 2)
        ]  # fmt: skip

        before = everything(there)
        again, none = there.dispatch("schedule")
        assert none == []
        assert everything(there) == before
        assert (len(cheap.asked), len(strong.asked)) == (2, 2)
        every = [one, looked, two, again]
        each_step_held_its_own(every)
    nothing_leaked(there, every, seen, {"the token": TOKEN, **KEYS})


def test_a_run_that_could_not_open_its_pull_request_is_taken_up_where_it_stopped(tmp_path: Path) -> None:
    with hub(tmp_path, {"a.txt": "one\n"}, {}, Setting("main")) as there:
        world = there.github.world
        world.actions_may_open_pulls = False
        there.push({"specs/good.md": EXACT})
        _, (run,) = there.dispatch()
        done = dict.fromkeys(("admit", "implement", "verify", "record"), "success")
        assert run.jobs == {**done, "publish": "failure"}, run.log
        assert "GitHub Actions is not permitted to create or approve pull requests" in run.log
        head = there.refs()["refs/heads/split-ci/good"]
        assert (world.pulls, world.reviews, world.statuses) == ([], [], [])

        world.actions_may_open_pulls = True
        by_hand = there.by_hand({"spec": "good"})
        assert by_hand.jobs == dict.fromkeys(JOBS, "success"), by_hand.log
        assert there.refs()["refs/heads/split-ci/good"] == head
        assert [pull.head_sha for pull in world.pulls] == [review.commit for review in world.reviews] == [head]
        assert len(ledger(there)) == 2  # the attempt and its review, each once


def test_what_a_cancelled_run_had_paid_for_is_recorded_and_not_paid_again(tmp_path: Path) -> None:
    with (
        serving(said("openai", block("uno"))) as cheap,
        hub(
            tmp_path,
            {"a.txt": "one\n", ".split-ci.yaml": CONFIG.format(cheap=cheap.url, strong=cheap.url)},
            KEYS,
            Setting("main", implementer_keys=("CHEAP_KEY",)),
        ) as there,
    ):
        there.push({"specs/good.md": INSTRUCT})
        cancelled = there.by_hand({"spec": "good"}, until="implement")
        assert cancelled.jobs == {"admit": "success", "implement": "success"}, cancelled.log
        assert (len(cheap.asked), ledger(there)) == (1, [])
        looked, none = there.dispatch("schedule")  # what was cut off waits before it is tried again, unless a person asks
        assert (looked.jobs, none) == ({"recover": "success", "dispatch": "success"}, []), looked.log
        assert [(line["role"], line["usage"]["calls"]) for line in ledger(there)] == [("implementer", 1)]
        assert "refs/split-ci/attempts/good/1" in there.refs()

        again = there.by_hand({"spec": "good"})
        assert again.jobs == dict.fromkeys(JOBS, "success"), again.log
        assert len(cheap.asked) == 1
        assert [(line["role"], line["usage"]["calls"]) for line in ledger(there)] == [("implementer", 1), ("architect", 0)]


def test_in_a_pause_nothing_is_started_and_nothing_goes_on(tmp_path: Path) -> None:
    paused = {"SPLIT_CI_PAUSED": "true"}
    with hub(tmp_path, {"a.txt": "one\n"}, {}, Setting("main")) as there:
        there.push({"specs/good.md": EXACT})
        before = everything(there)
        looked, none = there.dispatch(variables=paused)
        assert (looked.jobs, none) == ({"recover": "success"}, [])
        by_hand = there.actions.run("workflow_dispatch", "split-ci-spec.yml", {"spec": "good"}, variables=paused)
        assert (by_hand.jobs, by_hand.calls) == ({}, [])
        assert everything(there) == before
