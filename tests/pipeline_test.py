"""A generation through all of its jobs, each in a clone of its own, and cut off before any of them: the end is the same.

The workflow's files themselves are run elsewhere, under act; here the commands are, with what the jobs hand to each other.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from split_ci import ledger
from split_ci.git import Repo
from tests.builders import git, spec, split_ci
from tests.commands.dispatch_test import Place
from tests.github import serving
from tests.lane_test import block, finding, judged, reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from subprocess import CompletedProcess

    from tests.github.actions import Run

CONFIG = """\
forge: github
models:
  cheap: {api: scripted, model: recorded, replies: r.json, price: {input: 1, cached: 1, output: 1}}
  strong: {api: scripted, model: recorded, replies: r.json}
implementers: [exact, cheap]
architect: strong
"""
JOBS = ("admit", "implement", "verify", "publish", "review", "comment", "coach", "record")
ONE_ROUND = (reply(block("uno"), round=1), judged("approve", round=1))
TWO_ROUNDS = (
    reply(block("uno"), round=1), reply(block("UNO uno").replace("\none\n", "\nuno\n"), round=2),
    judged("request_changes", finding("implementer"), round=1), judged("approve", earlier=1, round=2),
)  # fmt: skip


class Pipeline(Place):
    """Runs are worked on as the workflow does."""

    def work(self, run: Run, before: str = "") -> None:
        """All jobs of a run, or those before one."""
        run.status = "in_progress"
        handed: dict[str, str] = {}
        for job in JOBS:
            if job == before:
                run.ended("cancelled", recorded=False)
                run.created_at = (datetime.now(UTC) - timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
                return
            if not getattr(self, f"_{job}")(run, handed):
                break
        run.ended("success")

    def until_nothing_is_due(self) -> int:
        """Dispatch after dispatch, each with what it started; how many runs there were."""
        for number in range(8):
            split_ci(self.clone(), "record", "--recover", env=self.server.env())
            if not self.dispatch():
                return number
            for run in [one for one in self.runs if one.status == "queued"]:
                self.work(run)
        raise AssertionError("it never ends")

    def clone(self) -> Path:
        """What actions/checkout leaves: a clone of the origin without credentials."""
        folder = self.root / "job"
        shutil.rmtree(folder, ignore_errors=True)
        git(self.root, "clone", "-q", str(self.bare), "job")
        return folder

    def step(self, *args: str, key: bool = False, code: int = 0) -> CompletedProcess[str]:
        """One command in the job's clone; only steps that speak to the forge have its token."""
        output = self.root / "output"
        output.unlink(missing_ok=True)
        env = {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(output), **({} if key else self.server.env())}
        return split_ci(self.root / "job", *args, env=env, code=code)

    def outputs(self) -> Mapping[str, str]:
        return dict(line.split("=", 1) for line in (self.root / "output").read_text().splitlines())

    def _admit(self, run: Run, handed: dict[str, str]) -> bool:
        self.clone()
        asked = [run.inputs["spec"], *(f"--{name}={run.inputs.get(name, '')}" for name in ("base", "digest", "pull"))]
        anew = ["--anew"] if run.inputs.get("anew") == "true" else []
        self.step("admit", *asked, *anew, "--format", "github")
        handed.update(self.outputs())
        return handed["go"] == "true"

    def _implement(self, run: Run, handed: dict[str, str]) -> bool:
        folder = self.clone()
        self.step("status", "--fetch")
        self.step(
            "implement", handed["id"], "--base", handed["base"], "--round", handed["round"], "--parent", handed["parent"],
            "--out", "../out/changeset.json", key=True,
        )  # fmt: skip
        assert git(folder, "status", "--porcelain") == ""
        self._hand_on(run, "changeset")
        return True

    def _hand_on(self, run: Run, kind: str) -> None:
        out = self.root / "out"
        files = {path.name: path.read_bytes() for path in out.iterdir()}
        self.server.world.engine.leave(self.server.world, run, f"split-ci-{kind}-1", files)
        (self.root / "handed").mkdir(exist_ok=True)
        for name, data in files.items():
            (self.root / "handed" / name).write_bytes(data)
        shutil.rmtree(out)

    def _verify(self, run: Run, handed: dict[str, str]) -> bool:
        self.clone()
        self.step("gate", "../handed/changeset.json", "--base", handed["base"])
        (self.root / "out").mkdir()
        self.step("accept", "../handed/changeset.json", "--out", "../out/results.json")
        self._hand_on(run, "results")
        return True

    def _publish(self, _run: Run, handed: dict[str, str]) -> bool:
        self.clone()
        anew = ["--anew"] if handed["anew"] == "true" else []
        done = self.step(
            "publish", "../handed/changeset.json", "--accept", "../handed/results.json", "--base", handed["base"], *anew,
            "--format", "json",
        )  # fmt: skip
        handed["head"] = json.loads(done.stdout)["head"]
        return True

    def _review(self, run: Run, handed: dict[str, str]) -> bool:
        self.clone()
        self.step("status", "--fetch")
        self.step(
            "review", handed["head"], "--accept", "../handed/results.json", "--round", handed["round"],
            "--out", "../out/review.json", key=True,
        )  # fmt: skip
        self._hand_on(run, "review")
        return True

    def _comment(self, _run: Run, _handed: dict[str, str]) -> bool:
        self.clone()
        self.step("comment", "../handed/review.json")
        return True

    def _coach(self, _run: Run, _handed: dict[str, str]) -> bool:
        self.clone()
        self.step("coach", "../handed/review.json")
        return True

    def _record(self, _run: Run, _handed: dict[str, str]) -> bool:
        self.clone()
        files = sorted(str(path) for path in (self.root / "handed").glob("*.json"))
        self.step("record", *files)
        shutil.rmtree(self.root / "handed")
        return True

    # --- what there is in the end

    def paid(self) -> list[tuple[str, int, str]]:
        """(role, round, how it ended) of every attempt and review that a model was paid for."""
        found = self.forge().transact(Repo.find(str(self.repo)), ledger.read_all)
        return sorted((e.role, e.round, e.decision or e.outcome) for e in found for _ in range(e.usage.calls))

    def shown(self) -> dict[str, Any]:
        """The pull requests, reviews and the state of the newest head, as people see them."""
        world = self.server.world
        heads = {
            ref.removeprefix("refs/heads/split-ci/"): oid for ref, oid in self.refs().items() if "heads/split-ci" in ref
        }
        return {
            "heads": heads, "pulls": [(pull.head, pull.state, pull.head_sha) for pull in world.pulls],
            "reviews": [one.commit for one in world.reviews],
            "states": sorted({(one.sha, one.context, one.state) for one in world.statuses}),
        }  # fmt: skip


@pytest.fixture
def pipeline(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Pipeline]:
    replies = getattr(request, "param", ONE_ROUND)
    made = Pipeline(tmp_path, {
        "a.txt": "one\n", ".split-ci.yaml": CONFIG, "r.json": json.dumps({"replies": replies}),
        ".github/workflows/split-ci-spec.yml": "on: workflow_dispatch\n",
        "specs/first.md": spec("### Instruct `a.txt`\nSay uno.\n", accept="  - contains: {in: a.txt, text: uno}"),
    })  # fmt: skip
    with serving(made.bare) as made.server:
        yield made


@pytest.mark.parametrize("pipeline", [TWO_ROUNDS], indirect=True)
def test_two_rounds(pipeline: Pipeline) -> None:
    assert pipeline.until_nothing_is_due() == 2
    assert pipeline.paid() == [
        ("architect", 1, "request_changes"), ("architect", 2, "approve"), ("implementer", 1, "done"), ("implementer", 2, "done"),
    ]  # fmt: skip
    shown = pipeline.shown()
    head = shown["heads"]["first"]
    assert shown["pulls"] == [("split-ci/first", "open", head)]
    assert len(shown["reviews"]) == len(set(shown["reviews"])) == 2
    assert (head, "split-ci/review", "success") in shown["states"]
    assert pipeline.until_nothing_is_due() == 0
    assert pipeline.shown() == shown


@pytest.mark.parametrize("job", [job for job in JOBS if job not in ("admit", "coach")])
def test_k11_cut_off_before_any_job(pipeline: Pipeline, job: str) -> None:
    """The next dispatch goes on: one pull request, one review, and nothing that was handed on is paid for again."""
    assert pipeline.dispatch() == ["first"]
    pipeline.work(pipeline.runs[0], before=job)
    assert pipeline.until_nothing_is_due() <= 1
    assert pipeline.paid() == [("architect", 1, "approve"), ("implementer", 1, "done")]
    shown = pipeline.shown()
    head = shown["heads"]["first"]
    assert shown["pulls"] == [("split-ci/first", "open", head)]
    assert shown["reviews"] == [head]
    assert shown["states"] == [(head, "split-ci/review", "success")]


def test_c05_the_default_branch_moves_while_a_run_works(pipeline: Pipeline) -> None:
    pipeline.dispatch()
    base = pipeline.runs[0].inputs["base"]
    pipeline.land({"z.txt": "z\n"})
    pipeline.work(pipeline.runs[0])
    head = pipeline.shown()["heads"]["first"]
    assert git(pipeline.bare, "rev-parse", f"{head}^1") == base


def test_s23_edited_after_dispatch(pipeline: Pipeline) -> None:
    pipeline.dispatch()
    pipeline.land({"specs/first.md": spec(
        "### Instruct `a.txt`\nSay uno.\n", accept="  - contains: {in: a.txt, text: uno}", title="Another")})  # fmt: skip
    pipeline.work(pipeline.runs[0])
    assert pipeline.shown()["heads"] == {}
    assert pipeline.paid() == []
    assert pipeline.until_nothing_is_due() == 1


def test_f24_an_old_run_that_is_run_again(pipeline: Pipeline) -> None:
    pipeline.until_nothing_is_due()
    shown, paid = pipeline.shown(), pipeline.paid()
    pipeline.land({"specs/first.md": None, "specs/landed/first.md": (pipeline.repo / "specs/first.md").read_bytes()})
    pipeline.work(pipeline.runs[0])
    assert (pipeline.shown(), pipeline.paid()) == (shown, paid)


def test_two_runs_of_one_generation_make_one_result(pipeline: Pipeline) -> None:
    """A list that lagged for long: both are there, one after the other, as their concurrency group has them."""
    pipeline.dispatch()
    pipeline.server.world.engine.add(pipeline.server.world, pipeline.runs[0].inputs)
    for run in pipeline.runs:
        pipeline.work(run)
    assert pipeline.paid() == [("architect", 1, "approve"), ("implementer", 1, "done")]
    assert len(pipeline.shown()["pulls"]) == 1


def test_a_result_made_anew(pipeline: Pipeline) -> None:
    pipeline.until_nothing_is_due()
    first = pipeline.shown()["heads"]["first"]
    pipeline.tick("anew")
    pipeline.land({"z.txt": "z\n"})
    assert pipeline.until_nothing_is_due() == 1
    shown = pipeline.shown()
    head = shown["heads"]["first"]
    assert head != first
    assert git(pipeline.bare, "rev-parse", f"{head}^1") == git(pipeline.repo, "rev-parse", "main")
    assert shown["pulls"] == [("split-ci/first", "open", head)]
    assert len(shown["reviews"]) == 2
