"""What jobs have left, into the ledger: read from scratch, judged by the gate where nobody else did, and recorded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from split_ci import changeset, results, verdict
from split_ci.changeset import digest_of
from split_ci.coaching import trunk_of
from split_ci.errors import Refused
from split_ci.fields import read_object
from split_ci.flights import ENDED, GOOD, UNTRIED, names
from split_ci.parcel import read_parcel
from split_ci.steps.gate import gate
from split_ci.steps.record import Recorded, record
from split_ci.store import Quarantine

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from split_ci.changeset import Changeset
    from split_ci.git import Repo
    from split_ci.ports import Artifact, WorkflowRun, Workflows
    from split_ci.results import Results
    from split_ci.settings import Config
    from split_ci.verdict import Verdict

T = TypeVar("T")

MAX_BYTES = 512 * 1024 * 1024  # of one file
KINDS = {"changes": "changeset", "sandbox": "results", "receipts": "review"}
MAY_LEAVE = {"implement": ("changeset", "results"), "verify": ("results",), "review": ("review",)}  # job -> kinds
ARTIFACT = re.compile(r"split-ci-(changeset|results|review)-([1-9][0-9]{0,8})")
ARTIFACT_OF = {"changeset": "implement", "results": "verify", "review": "review"}
RECORD = "record"
MOST_RUNS = 100  # of one call
MOST_ARTIFACTS = 32  # of one run


class Left(NamedTuple):
    """What jobs have left behind."""

    changesets: tuple[Changeset, ...] = ()
    results: tuple[Results, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


class Recovered(NamedTuple):
    """One run that was cut off: what of it is in the ledger now, and why some of it is not."""

    run: WorkflowRun
    done: Recorded | None
    refused: tuple[str, ...] = ()


def read_left(texts: Mapping[str, str], job: str = "") -> Left:
    """What is in some files, each told by its own fields. `job`: who left them, since none may speak for another, and what
    ran others' code least of all. Raises Refused, naming the file.
    """
    left = Left()
    for path, text in texts.items():
        fields = read_object(text, path, MAX_BYTES)
        kind = next((kind for key, kind in KINDS.items() if key in fields), None)
        if job and kind is not None and kind not in MAY_LEAVE[job]:
            raise Refused(f"{path}: rule hand-off: {job} leaves no {kind}", hint="split-ci record --help")
        if kind == "changeset":
            left = left._replace(changesets=(*left.changesets, changeset.load(text)))
        elif kind == "results":
            left = left._replace(results=(*left.results, results.load(text)))
        elif kind == "review":
            left = left._replace(verdicts=(*left.verdicts, verdict.load(text, path)))
        else:
            raise Refused(f"{path}: neither a changeset nor results nor a review", hint="split-ci record changeset.json")
    return left


def record_left(repo: Repo, config: Config, left: Left) -> Recorded:
    """Records it. What calls itself done and was judged by nobody is judged by the gate. Raises WorldError."""
    judged = {one.changeset for one in left.results}
    open_ = [one for one in left.changesets if one.outcome.name == "done" and digest_of(one) not in judged]
    refused = {}
    if open_:
        with Quarantine(repo) as quarantine:
            found = gate(repo, quarantine, open_, {}, config)
        refused = {id(one.changeset): one.refusal for one in found if one.refusal}
    changesets = [
        one._replace(outcome=refused[id(one)]) if id(one) in refused else one for one in left.changesets
    ]  # fmt: skip
    return record(repo, changesets, left.results, left.verdicts)


def recover(repo: Repo, engine: Workflows) -> list[tuple[WorkflowRun, Left, tuple[str, ...]]]:
    """What the artifacts of runs hold that ended without their own job `record`; nothing is written."""
    trunk = trunk_of(repo)
    lost = [run for run in engine.runs() if run.status == ENDED and run.conclusion not in (GOOD, *UNTRIED)]
    found: list[tuple[WorkflowRun, Left, tuple[str, ...]]] = []
    for run in lost[:MOST_RUNS]:
        artifacts = _ours(engine.artifacts(run.id))
        good = engine.succeeded(run.id) if artifacts else {}
        if not artifacts or (good and all(RECORD in jobs for jobs in good.values())):
            continue
        if repo.ask("merge-base", "--is-ancestor", run.commit, trunk) is None:  # a tag may be called as the branch is
            found.append((run, Left(), (f"{run.url}: {run.commit[:12]} is not on the default branch",)))
        else:
            found.append((run, *_read(repo, engine, run, _whole(artifacts, good)[:MOST_ARTIFACTS])))
    return found


def _ours(artifacts: Iterable[Artifact]) -> list[tuple[str, int, Artifact]]:
    """(job, attempt, artifact) of those that are named as ours, the jobs in their order."""
    named = [(ARTIFACT.fullmatch(one.name), one) for one in artifacts if not one.expired]
    ours = [(ARTIFACT_OF[name[1]], int(name[2]), one) for name, one in named if name]
    return sorted(ours, key=lambda each: (each[1], [*MAY_LEAVE].index(each[0]), each[2].id))


def _whole(ours: Iterable[tuple[str, int, Artifact]], good: Mapping[int, Collection[str]]) -> list[tuple[str, Artifact]]:
    """A name is given once in a run. A review counts where its own job came to its end, and so was the one that gave it."""
    return [(job, one) for job, attempt, one in ours if job != "review" or job in good.get(attempt, ())]


def _read(
    repo: Repo, engine: Workflows, run: WorkflowRun, artifacts: Iterable[tuple[str, Artifact]]
) -> tuple[Left, tuple[str, ...]]:
    left, refused = Left(), []
    for job, artifact in artifacts:
        what = f"{run.url}: {artifact.name[:80]}"
        try:
            parcel = read_parcel(engine.download(artifact), what)
        except Refused as error:
            refused.append(error.message)
            continue
        for name, text in parcel.items():
            try:
                left = added(left, _fitting(repo, run, read_left({name: text}, job)))
            except Refused as error:
                refused.append(f"{what}: {error.message}")
    return left, tuple(refused)


def added(left: Left, more: Left) -> Left:
    """Both together; what is told twice, by two attempts at one run, is there once."""
    return Left(
        _both(left.changesets, more.changesets), _both(left.results, more.results), _both(left.verdicts, more.verdicts)
    )


def _both(some: tuple[T, ...], more: tuple[T, ...]) -> tuple[T, ...]:
    return (*some, *(one for one in more if one not in some))


def _fitting(repo: Repo, run: WorkflowRun, left: Left) -> Left:
    """What belongs to the run's own spec, and to commits that are here. Raises Refused."""
    id_, digest = names(run.title)
    everything: Sequence[Changeset | Results | Verdict] = (*left.changesets, *left.results, *left.verdicts)
    for one in everything:
        if (id_ and one.id != id_) or (digest and one.digest != digest):
            raise Refused(f"it is of {one.id} {one.digest[:12]}, and the run is not")
        if repo.commit_or_none(one.base) is None:
            raise Refused(f"its base {one.base[:12]} is no commit here")
    for one in left.changesets:
        if one.parent and repo.commit_or_none(one.parent) is None:
            raise Refused(f"its parent {one.parent[:12]} is no commit here")
    return left
