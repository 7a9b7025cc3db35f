"""A lane: some specs that go through the steps together, round by round, until each of them has ended."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, NamedTuple

from split_ci import coaching, following, ledger
from split_ci.changeset import digest_of
from split_ci.errors import WorldError
from split_ci.left import instructs
from split_ci.lesson import lesson_id
from split_ci.ports import Event, Outcome, Usage
from split_ci.steps.accept import Candidate
from split_ci.steps.coach import coach
from split_ci.steps.gate import gate
from split_ci.steps.implement import Job, implement
from split_ci.steps.publish import Published, publish
from split_ci.steps.review import Subject, review_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from split_ci.caps import Day
    from split_ci.changeset import Changed
    from split_ci.git import Repo
    from split_ci.journals import Journals
    from split_ci.ledger import Entry
    from split_ci.ports import Implementer, Reviewer, Role
    from split_ci.refs import RefUpdate
    from split_ci.results import CriterionResult, Results
    from split_ci.settings import Config
    from split_ci.spec import Spec
    from split_ci.steps.accept import Acceptance
    from split_ci.steps.implement import Made
    from split_ci.store import Gated, Quarantine
    from split_ci.verdict import Finding, Verdict

NO_EDITS = {"exact": 0, "adapted": 0, "model": 0}
TRIES = 8


class Ground(NamedTuple):
    """What all lanes of one run share. `base` is the commit that specs start from where they need nothing.

    `implementers` are the model rungs by name, `reviewers` are in their order, `rules` first.
    """

    repo: Repo
    config: Config
    implementers: Mapping[str, Implementer]
    reviewers: Sequence[Reviewer]
    base: str
    quarantine: Quarantine
    acceptance: Acceptance
    journals: Journals
    day: Day
    jobs: int
    watch: Callable[[Event], None] = lambda _: None


class Finished(NamedTuple):
    """How one spec's dispatch ended; one entry of `run --format json`. `lessons` are those that its briefs carried."""

    id: str
    outcome: Outcome
    branch: str | None = None
    base: str | None = None
    head: str | None = None
    edits: Mapping[str, int] = NO_EDITS
    criteria: tuple[CriterionResult, ...] = ()
    rounds: int = 0
    architect: Usage = Usage()
    implementer: Usage = Usage()
    review: Verdict | None = None
    lessons: tuple[str, ...] = ()
    taught: tuple[str, ...] = ()
    sent_back: tuple[str, ...] = ()  # what the reviews of earlier rounds said
    world: bool = False  # something outside ended it: another hour may mend that


class Work(NamedTuple):
    """One spec at one round. `parent` is the branch's head, once there is one; `red` are criteria to mend of what was
    `made`; `earlier` is the review of the round before; `spent` is what earlier runs paid, by role.
    """

    spec: Spec
    base: str
    done: Finished
    round: int = 1
    parent: str | None = None
    findings: tuple[Finding, ...] = ()
    red: tuple[CriterionResult, ...] = ()
    made: tuple[Changed, ...] = ()
    verdict: Verdict | None = None
    earlier: Verdict | None = None
    spent: Mapping[str, Usage] = {}

    def cost(self, role: Role) -> Usage:
        """What the spec has cost in a role, in all of its rounds."""
        here = self.done.architect if role == "architect" else self.done.implementer
        return self.spent.get(role, Usage()) + here


class Judged(NamedTuple):
    """A round of one spec after the gate and the criteria: `others` are attempts of rungs that gave up before."""

    work: Work
    made: Made
    gated: Gated | None
    others: tuple[Gated, ...]
    results: Results | None

    def attempts(self) -> tuple[Gated, ...]:
        return (*self.others, *((self.gated,) if self.gated else ()))


class Lane:
    """The steps in their order, for as many specs as it is given. Several threads may run lanes on one ground."""

    def __init__(self, ground: Ground, finished: dict[str, Finished]) -> None:
        self.ground = ground
        self._finished = finished
        self._lessons = coaching.Live(ground.repo, ground.config)
        self._alone = RLock()  # around the quarantine and the refs: lanes would only race each other

    def run(self, works: Sequence[Work]) -> None:
        """Round after round, until every spec has ended."""
        while works:
            works = self._round(works)

    def asks(self, spec: Spec) -> bool:
        """Whether a spec's first round asks a model."""
        return bool(instructs(spec)) and bool(self._rungs(spec))

    def end(self, done: Finished, fault: WorldError | None = None) -> None:
        """A spec has ended; whoever watches is told. What was paid for is kept where a `fault` of the world ended it."""
        self._finished[done.id] = done._replace(world=fault is not None)
        if fault is None and done.outcome.name != "blocked":
            self.ground.journals.end(done.id)
        total = done.architect + done.implementer
        self.ground.watch(Event(done.id, done.outcome.name, done.outcome.reason, usd=total.usd, outcome=done.outcome))

    def _rungs(self, spec: Spec) -> list[str]:
        return following.rungs(spec, self.ground.config, self.ground.implementers)

    def _round(self, works: Sequence[Work]) -> list[Work]:
        judged = self._judge(works, self._implement(works))
        again: list[Work] = []
        ready: list[tuple[Work, Results]] = []
        for one, published in zip(judged, self._publish(judged), strict=True):
            work = _after(one, published)
            if work.done.head and one.results and published.outcome.name == "done":
                ready.append((work, one.results))
            elif one.results and one.results.mendable and self._may_go_on(work):
                changes = one.made.changeset.changes
                again.append(work._replace(round=work.round + 1, red=one.results.wrong, made=changes))
            else:
                self.end(work.done, one.made.fault)
        return again + self._review(ready)

    def _may_go_on(self, work: Work) -> bool:
        return following.may_follow(
            work.spec, self.ground.config, work.round, self._rungs(work.spec), adapted=work.done.edits.get("adapted", 0)
        )

    # --- implement, gate, accept

    def _implement(self, works: Sequence[Work]) -> list[Made]:
        ground = self.ground
        library = self._lessons.load()
        for work in works:
            state = "asking" if self.asks(work.spec) or work.round > 1 else "exact"
            ground.watch(Event(work.spec.id, state, f"round {work.round}" if work.round > 1 else "", round=work.round))
            if state == "asking":
                ground.acceptance.expect(work.spec, work.base)
        jobs = [Job(w.spec, w.base, w.parent, w.round, w.findings, w.red, w.cost("implementer"), made=w.made) for w in works]
        return implement(
            ground.repo, jobs, config=ground.config, implementers=ground.implementers, lessons=library.lessons,
            lessons_at=library.commit, open_journal=ground.journals.open, day=ground.day, parallel=ground.jobs,
            objection=ground.acceptance.objection,
        )  # fmt: skip

    def _judge(self, works: Sequence[Work], made: Sequence[Made]) -> list[Judged]:
        """The gate for every attempt with something to keep, then the criteria of what it let through."""
        ground = self.ground
        specs = {work.spec.id: work.spec for work in works}
        changesets = [c for one in made for c in (*one.others, one.changeset) if _worth_keeping(c.outcome, c.usage)]
        with self._alone:
            through = gate(ground.repo, ground.quarantine, changesets, specs, ground.config)
        gated = {one.changeset.attempt: one for one in through}
        judged = []
        for work, one in zip(works, made, strict=True):
            others = tuple(gated[c.attempt] for c in one.others if c.attempt in gated)
            judged.append(Judged(work, one, gated.get(one.changeset.attempt), others, None))
        running = [n for n, one in enumerate(judged) if _can_run(one)]
        for n, results in zip(running, self._accept([_candidate(judged[n]) for n in running]), strict=True):
            judged[n] = judged[n]._replace(results=results)
        return judged

    def _accept(self, candidates: Sequence[Candidate]) -> list[Results]:
        return self.ground.acceptance.judge(candidates) if candidates else []

    # --- publish and record

    def _publish(self, judged: Sequence[Judged]) -> list[Published]:
        """Branches, attempts and ledger in one transaction; what could not be built is in the ledger all the same."""
        ground = self.ground
        everything = [gated for one in judged for gated in one.attempts()]
        results = {one.made.changeset.attempt: one.results for one in judged if one.results}

        def notes(published: Sequence[Published]) -> list[RefUpdate]:
            return ledger.note_updates(ground.quarantine, _entries(judged, everything, published), ())

        with self._alone:
            published = publish(ground.repo, ground.quarantine, everything, results, notes=notes)
        ground.journals.settle(one.changeset.attempt for one in everything)
        ground.journals.settle(c.attempt for one in judged for c in (*one.made.others, one.made.changeset))
        by_attempt = {gated.changeset.attempt: one for gated, one in zip(everything, published, strict=True)}
        return [by_attempt.get(one.made.changeset.attempt) or _unbuilt(one) for one in judged]

    # --- review, coach, comment

    def reviewed_first(self, works: Sequence[Work]) -> list[Work]:
        """Results that a run published and never reviewed: their criteria run again, since only what was seen counts."""
        late = [work for work in works if work.parent and work.verdict is None]
        results = self._accept([Candidate(w.spec, w.base, w.parent, _tree(self.ground.repo, w.parent)) for w in late])
        shown = [w._replace(done=w.done._replace(criteria=r.criteria)) for w, r in zip(late, results, strict=True)]
        following = self._review(list(zip(shown, results, strict=True)))
        return [work for work in works if work not in late] + following

    def _review(self, ready: Sequence[tuple[Work, Results]]) -> list[Work]:
        """The verdict on each result, its lesson, its note; and the rounds that follow from them."""
        if not ready:
            return []
        ground = self.ground
        library = self._lessons.load()
        for work, _ in ready:
            ground.watch(Event(work.spec.id, "reviewing"))
        subjects = [
            Subject(work.spec, work.base, str(work.done.head), results, work.earlier, work.round, work.cost("architect"))
            for work, results in ready
        ]
        verdicts = review_all(ground.repo, subjects, ground.reviewers, lessons=library.lessons)
        with self._alone:
            coached = coach(ground.repo, ground.config, verdicts)
            self._note(verdicts)
        ground.journals.settle(verdict.review for verdict in verdicts)
        taught = {*coached.added, *coached.reinforced}
        following = []
        for (work, _), verdict in zip(ready, verdicts, strict=True):
            shown = work._replace(done=_reviewed(work.done, verdict, taught))
            ahead = self.following(shown, verdict)
            if ahead:
                back = (*ahead.done.sent_back, verdict.summary)
                following.append(ahead._replace(done=ahead.done._replace(sent_back=back)))
            else:
                self.end(shown.done)
        return following

    def _note(self, verdicts: Sequence[Verdict]) -> None:
        """Reviews as notes and, where a model was paid, in the ledger: one transaction."""
        quarantine = self.ground.quarantine
        entries = [ledger.entry_of_verdict(verdict) for verdict in verdicts if verdict.usage.calls]
        for _ in range(TRIES):
            if not quarantine.admit(ledger.note_updates(quarantine, entries, verdicts), why="split-ci: review"):
                return
        raise WorldError("the notes of reviews kept moving while they were written", again=True)

    def following(self, work: Work, verdict: Verdict) -> Work | None:
        """The round that a verdict asks for; None where nobody can do it, or where the fault is the spec's."""
        if not following.asks_for_more(verdict) or not self._may_go_on(work):
            return None
        return work._replace(
            round=work.round + 1,
            parent=work.done.head,
            findings=verdict.findings,
            red=(),
            made=(),
            verdict=verdict,
            earlier=verdict,
        )


def _worth_keeping(outcome: Outcome, usage: Usage) -> bool:
    return outcome.name == "done" or usage.calls > 0


def _can_run(one: Judged) -> bool:
    return bool(one.gated and one.gated.built and not one.gated.refusal and one.made.changeset.outcome.name == "done")


def _candidate(one: Judged) -> Candidate:
    assert one.gated is not None
    assert one.gated.built is not None
    built = one.gated.built
    return Candidate(one.work.spec, one.work.base, built.commit, built.tree, digest_of(built.changeset))


def _tree(repo: Repo, commit: str | None) -> str:
    return repo.git("rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}").decode().strip()


def _entries(judged: Sequence[Judged], everything: Sequence[Gated], published: Sequence[Published]) -> list[Entry]:
    """A line of the ledger for every attempt, with how it really ended."""
    shown = {gated.changeset.attempt: one for gated, one in zip(everything, published, strict=True)}
    entries = []
    for one in judged:
        for changeset in (*one.made.others, one.made.changeset):
            there = shown.get(changeset.attempt)
            results = one.results if changeset is one.made.changeset else None
            entry = ledger.entry_of_changeset(changeset, there.commit if there else None, results)
            outcome = _outcome(changeset.outcome, there)
            entries.append(entry._replace(outcome=outcome.name, reason=outcome.reason[:2000]))
    return entries


def _outcome(said: Outcome, published: Published | None) -> Outcome:
    """How it ended. What an implementer noted of itself stays with a result that is done."""
    if published is None or said.name != "done":
        return said
    return published.outcome._replace(reason=published.outcome.reason or said.reason)


def _unbuilt(one: Judged) -> Published:
    return Published(one.work.spec.id, one.made.changeset.outcome)


def _after(one: Judged, published: Published) -> Work:
    """The work as a round leaves it: where its result is, what it cost, how it would end now."""
    changeset, done = one.made.changeset, one.work.done
    usage = sum((other.usage for other in one.made.others), changeset.usage)
    done = done._replace(
        outcome=_outcome(changeset.outcome, published),
        branch=published.branch or done.branch,
        head=published.head or done.head,
        edits=dict(changeset.edits),
        criteria=one.results.criteria if one.results else done.criteria,
        rounds=one.work.round,
        implementer=done.implementer + usage,
        lessons=tuple(dict.fromkeys((*done.lessons, *changeset.lessons))),
    )
    return one.work._replace(done=done)


def _reviewed(done: Finished, verdict: Verdict, taught: set[str]) -> Finished:
    mine = tuple(name for name in map(lesson_id, verdict.lessons) if name in taught)
    return done._replace(review=verdict, architect=done.architect + verdict.usage, taught=(*done.taught, *mine))
