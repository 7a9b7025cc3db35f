"""`split-ci record`: the ledger of a repository or of its origin; and what runs left that were cut off before they recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from split_ci import ledger
from split_ci.changeset import load
from split_ci.git import Repo
from split_ci.ports import Usage
from split_ci.recording import MOST_RUNS
from tests.builders import commit, git, make_repo, split_ci
from tests.forges.hub import FILES, Hub
from tests.github import Answer, Fault, serving
from tests.invariants import untouched
from tests.results_of import spec_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.github.actions import Run


class Place(Hub):
    def lost(self, *names: str, conclusion: str = "cancelled", recorded: bool = False, id_: str = "one") -> Run:
        """A run that handed files on, and was cut off."""
        world = self.server.world
        run = world.engine.add(world, {"spec": id_, "digest": spec_at(self.repo, id_).digest})
        run.ended(conclusion, recorded=recorded)
        for name in names:
            kind = "changeset" if name.startswith("one.json") else "results"
            world.engine.leave(world, run, f"split-ci-{kind}-1", {f"{kind}.json": (self.root / name).read_bytes()})
        return run

    def paid(self) -> None:
        """The changeset as if a model had made it."""
        path = self.root / "one.json"
        made = load(path.read_text())
        from split_ci.changeset import dump

        path.write_text(
            dump(made._replace(usage=Usage(2, 100, 0, 10, 0.01), attempt="0123456789abcdef", implementer="cheap"))
        )
        split_ci(self.repo, "accept", str(path), "--out", "../one.results.json")

    def ledger(self) -> list[ledger.Entry]:
        return self.forge().transact(Repo.find(str(self.repo)), ledger.read_all)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(
        tmp_path,
        {**FILES, ".split-ci.yaml": "forge: github\n", ".github/workflows/split-ci-spec.yml": "on: workflow_dispatch\n"},
    )
    made.make()
    made.paid()
    with serving(made.bare) as made.server:
        yield made


def test_at_the_origin_once(place: Place) -> None:
    with untouched(place.repo, ()):
        first = place.told("record", "../one.json", "../one.results.json")
        again = place.told("record", "../one.json", "../one.results.json")
    assert (first["changed"], again["changed"]) == (True, False)
    (entry,) = place.ledger()
    assert (entry.outcome, entry.usage.usd, entry.attempt) == ("done", 0.01, "0123456789abcdef")
    assert place.refs()["refs/split-ci/attempts/one/1"] == entry.commit


def test_what_its_criteria_say_is_how_it_ended(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {**FILES, "a.txt": "one\n"})
    split_ci(repo, "implement", "one", "--base", "HEAD", "--out", "../c.json")
    text = (tmp_path / "c.json").read_text()
    split_ci(repo, "accept", "../c.json", "--out", "../r.json")
    results = json.loads((tmp_path / "r.json").read_text())
    results["criteria"][0] |= {"green": False, "reason": "exit 1"}
    (tmp_path / "r.json").write_text(json.dumps(results))
    split_ci(repo, "record", "../c.json", "../r.json")
    (entry,) = ledger.read_all(Repo.find(str(repo)))
    assert (entry.outcome, entry.reason) == ("failed", "a1 (a.txt contains 'uno'): exit 1")
    assert load(text).outcome.name == "done"


def test_what_nobody_judged_is_judged_by_the_gate(tmp_path: Path) -> None:
    """Its job `verify` ended at the gate: there are no results, and the ledger says no."""
    repo = make_repo(tmp_path / "r", FILES)
    split_ci(repo, "implement", "one", "--base", "HEAD", "--out", "../c.json")
    made = json.loads((tmp_path / "c.json").read_text())
    made["changes"][0]["text"] = "other\n"
    (tmp_path / "c.json").write_text(json.dumps(made))
    split_ci(repo, "record", "../c.json")
    (entry,) = ledger.read_all(Repo.find(str(repo)))
    assert entry.outcome == "refused"
    assert "rule " in entry.reason


def test_nothing_is_asked_for(place: Place) -> None:
    assert "name the files, or --recover" in place.cli("record", code=2).stderr


@pytest.mark.parametrize("conclusion", ["cancelled", "failure", "timed_out"])
def test_a_run_that_was_cut_off_is_recovered(place: Place, conclusion: str) -> None:
    run = place.lost("one.json", "one.results.json", conclusion=conclusion)
    said = place.told("record", "--recover")
    assert [one["run"].rpartition("/")[2] for one in said["runs"]] == [str(run.id)]
    (entry,) = place.ledger()
    assert (entry.outcome, len(entry.criteria), entry.usage.calls) == ("done", 2, 2)
    assert place.told("record", "--recover")["changed"] is False
    assert place.ledger() == [entry]


def test_a_run_that_recorded_itself_is_left_alone(place: Place) -> None:
    place.lost("one.json", conclusion="failure", recorded=True)
    place.lost("one.json", conclusion="success")
    running = place.lost("one.json")
    running.status, running.conclusion = "in_progress", None
    assert place.told("record", "--recover")["runs"] == []
    assert not [line for line in place.server.log if line.path.endswith("/zip")]


def test_a_second_attempt_that_recorded_doesn_t_stand_for_the_first(place: Place) -> None:
    run = place.lost("one.json", conclusion="failure")
    run.attempt = 2
    run.ended("failure", recorded=True)
    assert len(place.told("record", "--recover")["runs"]) == 1


def test_runs_of_other_branches_are_nobody_s(place: Place) -> None:
    place.lost("one.json").branch = "topic"
    assert place.told("record", "--recover")["runs"] == []


def test_artifacts_that_are_gone(place: Place) -> None:
    place.lost("one.json").expired = True
    assert place.told("record", "--recover")["runs"] == []


def other_spec(place: Place) -> bytes:
    value: dict[str, Any] = json.loads((place.root / "one.json").read_text())
    return json.dumps({**value, "id": "two"}).encode()


def no_base(place: Place) -> bytes:
    value: dict[str, Any] = json.loads((place.root / "one.json").read_text())
    return json.dumps({**value, "base": "1" * 40}).encode()


REFUSED = {
    "another spec": (other_spec, "it is of two "),
    "a base that is nowhere": (no_base, "its base 111111111111 is no commit here"),
    "no changeset": (lambda _: b"{}", "neither a changeset nor results nor a review"),
    "no JSON": (lambda _: b"x", "not JSON"),
    "more than a changeset has": (
        lambda p: (p.root / "one.json").read_bytes().rstrip()[:-1] + b',"x":1}',
        "unknown key 'x'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_artifact_keeps_no_other_back(place: Place, name: str) -> None:
    make, message = REFUSED[name]
    world = place.server.world
    bad = place.lost()
    world.engine.leave(world, bad, "split-ci-changeset-1", {"changeset.json": make(place)})
    place.lost("one.json")
    said = place.told("record", "--recover")
    assert sorted(bool(one["refused"]) for one in said["runs"]) == [False, True]
    assert message in next(one["refused"][0] for one in said["runs"] if one["refused"])
    assert len(place.ledger()) == 1


def test_m30_names_that_lead_elsewhere(place: Place) -> None:
    world = place.server.world
    world.engine.leave(world, place.lost(), "split-ci-changeset-1", {"../../x.json": b"{}"})
    (said,) = place.told("record", "--recover")["runs"]
    assert "'../../x.json' is not the name of a JSON file" in said["refused"][0]


def test_artifacts_of_others_are_not_looked_at(place: Place) -> None:
    world = place.server.world
    world.engine.leave(world, place.lost(), "coverage", {"changeset.json": b"{}"})
    assert place.told("record", "--recover")["runs"] == []


def test_the_token_is_shown_to_github_alone(place: Place) -> None:
    place.lost("one.json")
    place.told("record", "--recover")
    files = [line for line in place.server.log if "/_files/" in line.path]
    assert [line.token for line in files] == [""]


TAMPERED = {
    "another zip than was handed in": Fault(Answer(200, b"PK"), path="/_files/"),
    "half of it": Fault(Answer(200, b"PK", short=True), path="/_files/", times=0),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_tampered_with_on_its_way_is_not_recorded(place: Place, name: str) -> None:
    place.lost("one.json")
    place.server.faults = [TAMPERED[name]]
    assert place.cli("record", "--recover", code=4).stderr.startswith("split-ci: error: ")
    place.server.faults = []
    assert place.ledger() == []


def test_no_more_runs_than_one_call_can_do(place: Place) -> None:
    for _ in range(MOST_RUNS + 5):
        place.lost()
    place.told("record", "--recover")
    asked = [line for line in place.server.log if line.path.endswith("/artifacts")]
    assert len(asked) == MOST_RUNS


def test_outputs(place: Place, tmp_path: Path) -> None:
    output, summary = tmp_path / "output", tmp_path / "summary"
    place.lost("one.json", "one.results.json")
    place.cli(
        "record", "--recover", "--format", "github", GITHUB_OUTPUT=str(output), GITHUB_STEP_SUMMARY=str(summary)
    )  # fmt: skip
    assert output.read_text() == "changed=true\nrecovered=1\n"
    assert "| `one` | implementer | 1 | done | $0.0100 |" in summary.read_text()


def test_a_result_made_anew_takes_the_place_of_the_old_one(place: Place) -> None:
    first = place.publish()
    assert first["outcome"] == "done"
    place.land({"b.txt": "b\n"})
    place.make()
    assert place.publish()["outcome"] == "unchanged"
    again = place.told("publish", "../one.json", "--accept", "../one.results.json", "--anew")
    assert again["outcome"] == "done"
    assert (again["head"], again["pull"]) != (first["head"], None)
    assert place.refs()["refs/heads/split-ci/one"] == again["head"]
    assert place.server.world.pulls[-1].body is not None
    assert again["head"] in place.server.world.pulls[-1].body
    once_more = place.told("publish", "../one.json", "--accept", "../one.results.json", "--anew")
    assert (once_more["outcome"], once_more["head"]) == ("unchanged", again["head"])


def test_an_old_base_never_takes_the_place_of_a_newer_one(place: Place) -> None:
    old = [(place.root / name).read_bytes() for name in ("one.json", "one.results.json")]
    place.land({"b.txt": "b\n"})
    place.make()
    there = place.publish()["head"]
    for name, data in zip(("one.json", "one.results.json"), old, strict=True):
        (place.root / name).write_bytes(data)
    late = place.told("publish", "../one.json", "--accept", "../one.results.json", "--anew")
    assert (late["outcome"], late["head"]) == ("unchanged", there)


def test_anew_leaves_a_person_s_branch_alone(place: Place) -> None:
    place.publish()
    git(place.repo, "fetch", "-q", "origin", "split-ci/one")
    git(place.repo, "checkout", "-q", "FETCH_HEAD")
    mine = commit(place.repo, {"mine.txt": "mine\n"})
    git(place.repo, "push", "-q", "origin", f"{mine}:refs/heads/split-ci/one")
    git(place.repo, "checkout", "-q", "main")
    place.land({"b.txt": "b\n"})
    place.make()
    said = place.told("publish", "../one.json", "--accept", "../one.results.json", "--anew", code=1)
    assert said["outcome"] == "blocked"
    assert place.refs()["refs/heads/split-ci/one"] == mine


def forged(place: Place) -> bytes:
    """A review of the result as only the job `review` may leave one: it says yes, and that nothing was paid."""
    place.publish()
    git(place.repo, "fetch", "-q", "origin", "split-ci/one")
    place.cli("review", "FETCH_HEAD", "--accept", "../one.results.json", "--out", "../review.json")
    return (place.root / "review.json").read_bytes()


def left(place: Place, **jobs: dict[str, bytes]) -> list[str]:
    """The folders that jobs left, as `record` is told of them."""
    args = []
    for job, files in jobs.items():
        folder = place.root / "handed" / job
        folder.mkdir(parents=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        args += ["--from", job, str(folder)]
    return args


def test_each_job_leaves_what_is_its_own(place: Place) -> None:
    review, changeset, results = forged(place), (place.root / "one.json"), (place.root / "one.results.json")
    args = left(
        place, implement={"changeset.json": changeset.read_bytes()}, verify={"results.json": results.read_bytes()},
        review={"review.json": review},
    )  # fmt: skip
    said = place.told("record", *args)
    assert (len(said["attempts"]), said["refused"], said["changed"]) == (2, [], True)
    assert "refs/notes/split-ci-review" in place.refs()
    assert place.told("record", *args)["changed"] is False
    assert len(place.told("record", *args, "--from", "review", str(place.root / "nowhere"))["attempts"]) == 2


FORGED = {
    "implement speaks for review": ("implement", "zz.json", forged, "implement leaves no review"),
    "verify speaks for review": ("verify", "zz.json", forged, "verify leaves no review"),
    "verify lays a cheaper changeset over it": (
        "verify", "changeset.json",
        lambda p: (p.root / "one.json").read_bytes().replace(b'"usd":0.01', b'"usd":0'), "verify leaves no changeset"),
    "review speaks for verify": (
        "review", "zz.json", lambda p: (p.root / "one.results.json").read_bytes(), "review leaves no results"),
    "what nobody leaves": ("implement", "a.json", lambda _: b"{}", "neither a changeset nor results nor a review"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_no_job_speaks_for_another_and_what_it_cost_is_recorded(place: Place, name: str) -> None:
    job, file, make, message = FORGED[name]
    data = make(place)
    jobs = {"implement": {"changeset.json": (place.root / "one.json").read_bytes()}}
    jobs.setdefault(job, {})[file] = data
    done = place.cli("record", *left(place, **jobs), "--format", "json", code=1)
    said = json.loads(done.stdout)
    assert [message in one for one in said["refused"]] == [True]
    (entry,) = place.ledger()
    assert (entry.role, entry.usage.usd) == ("implementer", 0.01)
    assert "refs/notes/split-ci-review" not in place.refs()


def test_what_a_job_left_is_no_link(place: Place) -> None:
    args = left(place, implement={"changeset.json": (place.root / "one.json").read_bytes()})
    (place.root / "handed/implement/x.json").symlink_to("/proc/self/environ")
    (place.root / "handed/implement/y.json").mkdir()
    done = place.cli("record", *args, code=1)
    assert done.stdout.count("not a plain file") == 2
    assert len(place.ledger()) == 1


def test_a_job_that_is_none(place: Place) -> None:
    assert "the jobs are implement, verify, review" in place.cli("record", "--from", "publish", ".", code=2).stderr


@pytest.mark.parametrize("own", [True, False], ids=["its own job's", "another's"])
def test_a_lost_review_counts_where_its_own_job_left_it(place: Place, own: bool) -> None:
    """A name is given once: where a job before has taken it, the job `review` can't hand on its own, and fails."""
    review = forged(place)
    run = place.lost("one.json")
    run.jobs.append((1, "review", "success" if own else "failure"))
    place.server.world.engine.leave(place.server.world, run, "split-ci-review-1", {"review.json": review})
    place.told("record", "--recover")
    assert ("refs/notes/split-ci-review" in place.refs()) is own
    assert len(place.ledger()) == (2 if own else 1)


def test_a_lost_review_in_another_s_artifact(place: Place) -> None:
    review = forged(place)
    run = place.lost("one.json")
    run.jobs.append((1, "review", "success"))
    place.server.world.engine.leave(place.server.world, run, "split-ci-results-1", {"results.json": review})
    (said,) = place.told("record", "--recover")["runs"]
    assert "verify leaves no review" in said["refused"][0]
    assert len(place.ledger()) == 1


def test_a_run_of_a_tag_that_is_called_as_the_branch_is(place: Place) -> None:
    run = place.lost("one.json")
    run.sha = git(place.repo, "commit-tree", "-m", "by hand", "HEAD^{tree}").strip()
    (said,) = place.told("record", "--recover")["runs"]
    assert "is not on the default branch" in said["refused"][0]
    assert place.ledger() == []
