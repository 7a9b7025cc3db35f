"""The rounds of one spec in a job of its own: implement, gate, criteria, and again where that can mend it.

Nothing is published. A round whose attempt is kept already, for this generation on this base, is not paid for again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci.changeset import digest_of
from split_ci.following import may_follow, rungs
from split_ci.kept import rebuilt
from split_ci.steps.accept import Candidate
from split_ci.steps.gate import gate
from split_ci.steps.implement import Made, implement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.caps import Day
    from split_ci.changeset import Changeset
    from split_ci.coaching import Library
    from split_ci.git import Repo
    from split_ci.ledger import Entry
    from split_ci.ports import Implementer
    from split_ci.results import Results
    from split_ci.settings import Config
    from split_ci.steps.accept import Acceptance
    from split_ci.steps.implement import Job, OpenJournal
    from split_ci.store import Quarantine


class Means(NamedTuple):
    """What the rounds are made with. `kept`: round -> the attempt that stands for it already."""

    repo: Repo
    config: Config
    implementers: Mapping[str, Implementer]
    quarantine: Quarantine
    acceptance: Acceptance
    library: Library
    open_journal: OpenJournal
    day: Day
    kept: Mapping[int, Entry] = {}


class Round(NamedTuple):
    """One round: what was made, and, where one more could have followed, what the criteria said. `kept`: paid for before."""

    made: Made
    results: Results | None = None
    kept: bool = False


def climb(means: Means, job: Job) -> list[Round]:
    """Round after round, until one is as required, or no other can mend it. The last one is the answer."""
    done: list[Round] = []
    while True:
        one = _kept(means, job) or Round(_made(means, job))
        results = _judged(means, job, one.made.changeset)
        done.append(one._replace(results=results))
        if results is None or not results.mendable:
            return done
        spent = sum((o.usage for o in (*one.made.others, one.made.changeset)), job.spent)
        job = job._replace(round=job.round + 1, red=results.wrong, spent=spent, made=one.made.changeset.changes)


def _kept(means: Means, job: Job) -> Round | None:
    entry = means.kept.get(job.round)
    changeset = entry and rebuilt(means.repo, means.quarantine, job.spec, entry, job.parent)
    return Round(Made(changeset), kept=True) if changeset else None


def _made(means: Means, job: Job) -> Made:
    asks = bool(rungs(job.spec, means.config, means.implementers))
    if asks:
        means.acceptance.expect(job.spec, job.base)
    return implement(
        means.repo, [job], config=means.config, implementers=means.implementers, lessons=means.library.lessons,
        lessons_at=means.library.commit, open_journal=means.open_journal, day=means.day,
        objection=means.acceptance.objection,
    )[0]  # fmt: skip


def _judged(means: Means, job: Job, changeset: Changeset) -> Results | None:
    """What the criteria say of a result; None where they would change nothing here: whoever is given it runs them anyway."""
    names = rungs(job.spec, means.config, means.implementers)
    more = may_follow(job.spec, means.config, job.round, names, adapted=changeset.edits.get("adapted", 0))
    if changeset.outcome.name != "done" or not more:
        return None
    (gated,) = gate(means.repo, means.quarantine, [changeset], {job.spec.id: job.spec}, means.config)
    if gated.refusal or gated.built is None:
        return None
    built = gated.built
    one = Candidate(job.spec, job.base, built.commit, built.tree, digest_of(changeset))
    return means.acceptance.judge([one])[0]
