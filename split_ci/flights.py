"""Runs of the workflow as the forge lists them: which spec each is of, which are in flight, and which failed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.ports import Pull, WorkflowRun

ENDED = "completed"
GOOD = "success"
UNTRIED = ("skipped", "neutral", None)  # nothing was tried: dispatch was paused
TITLE = re.compile(
    r"split-ci (?P<id>[a-z0-9][a-z0-9-]{0,62}|-) (?P<digest>[0-9a-f]{64}|-)(?: pull (?P<pull>[0-9]{1,10}))?\s*"
)

DigestAt = Callable[[str, str], str]


class Flights(NamedTuple):
    """`active`: spec id -> the run of it that is queued or running; `flying` counts all that are, also of unknown specs.

    `broken`: (id, digest) -> when its runs were made that failed since the last that didn't.
    """

    active: Mapping[str, WorkflowRun]
    flying: int
    broken: Mapping[tuple[str, str], Sequence[str]]


def title_of(id_: str, digest: str) -> str:
    """What a run's title starts with: the `run-name` of split-ci-spec.yml."""
    return f"split-ci {id_} {digest}"


def names(title: str) -> tuple[str, str]:
    """The spec's id and digest in a run's title; "" where it has none."""
    return _of(title, ())


def flights(runs: Sequence[WorkflowRun], pulls: Sequence[Pull], digest_at: DigestAt = lambda _id, _commit: "") -> Flights:
    """What the listed runs say, in whatever order they come. `digest_at`: a spec's digest at a commit, for runs by hand."""
    active: dict[str, WorkflowRun] = {}
    broken: dict[tuple[str, str], list[str]] = {}
    for run in sorted(runs, key=lambda one: (one.created_at, one.id)):
        id_, digest = _of(run.title, pulls)
        digest = digest or (digest_at(id_, run.commit) if id_ else "")
        if run.status != ENDED:
            active[id_] = run
        elif run.conclusion == GOOD:
            broken.pop((id_, digest), None)
        elif run.conclusion not in UNTRIED:
            broken.setdefault((id_, digest), []).append(run.created_at)
    active.pop("", None)
    return Flights(active, sum(run.status != ENDED for run in runs), broken)


def _of(title: str, pulls: Sequence[Pull]) -> tuple[str, str]:
    """The spec's id and digest that a run's title names, or whose pull request it names; "" where it doesn't."""
    found = TITLE.fullmatch(title)
    if found is None:
        return "", ""
    id_, digest = (part.replace("-", "") if part == "-" else part for part in (found["id"], found["digest"]))
    if not id_ and found["pull"]:
        id_ = next((p.branch.removeprefix("split-ci/") for p in pulls if str(p.number) == found["pull"]), "")
    return id_, digest
