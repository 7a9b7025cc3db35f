"""Implement: the ladder. Exact sections by code, for all specs at once; what is left by the next rungs, a thread a spec."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from split_ci import brief, failure, ledger, left, lesson, paths, reply
from split_ci.caps import Account, Day, Silent, caps_of, no_journal
from split_ci.changed_tree import ChangedTree
from split_ci.changeset import Changed, Changeset
from split_ci.following import rungs
from split_ci.frozen import frozen_paths
from split_ci.implementers.exact import attempt_id, blob_at, derive, outcome_of
from split_ci.past import topic_of
from split_ci.ports import Asker, Attempt, Outcome, Task, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from split_ci.caps import Journal
    from split_ci.changeset import By
    from split_ci.config import Config
    from split_ci.edit import Applied
    from split_ci.errors import WorldError
    from split_ci.git import Repo
    from split_ci.lesson import Lesson
    from split_ci.ports import File, Implementer, Message, Tree
    from split_ci.results import CriterionResult
    from split_ci.spec import Spec
    from split_ci.verdict import Finding

EXACT = "exact"
OpenJournal = Callable[[ledger.Entry, str], "Journal"]
Objection = Callable[["Spec", str], str]  # a spec and its base: why no result of it can pass, or nothing


class Job(NamedTuple):
    """One spec to implement on a base. The other fields are a later round's: what is there, and what is wrong with it.

    `red`: criteria of an earlier accept that are not as required; `made`: what that result changed, which is not built upon.
    `spent`: what earlier rounds cost.
    """

    spec: Spec
    base: str
    parent: str | None = None
    round: int = 1
    findings: tuple[Finding, ...] = ()
    red: tuple[CriterionResult, ...] = ()
    spent: Usage = Usage()
    reason: str = ""  # anything more that the next rung should know
    made: tuple[Changed, ...] = ()


class Made(NamedTuple):
    """What became of a job: its changeset, those of rungs that gave up before (they were paid for), and what was said.

    `fault` is the world's, where that ended it.
    """

    changeset: Changeset
    others: tuple[Changeset, ...] = ()
    transcript: tuple[Message, ...] = ()
    fault: WorldError | None = None
    left_out: tuple[str, ...] = ()  # lessons that fitted the scope and not the bytes


class Run(NamedTuple):
    """What all jobs of one call share."""

    repo: Repo
    config: Config
    implementers: Mapping[str, Implementer]
    lessons: tuple[Lesson, ...]
    lessons_at: str | None
    open_journal: OpenJournal
    day: Day | None
    objection: Objection


class Start(NamedTuple):
    """Where a job's rungs start: the exact part, what drifted, and what differs from the base already."""

    job: Job
    exact: tuple[Changed, ...]
    applied: Applied
    drifts: tuple[left.Drift, ...]
    before: Mapping[str, File | None]  # paths that differ from the base, with the file as it is now


def implement(
    repo: Repo,
    jobs: Sequence[Job],
    *,
    config: Config,
    implementers: Mapping[str, Implementer],
    lessons: Sequence[Lesson] = (),
    lessons_at: str | None = None,
    open_journal: OpenJournal = no_journal,
    day: Day | None = None,
    parallel: int | None = None,
    objection: Objection = lambda _spec, _base: "",
) -> list[Made]:
    """What becomes of each job, in their order. `implementers` are the model rungs that can be asked, by name.

    `objection` is asked before each rung: where no result can pass, nothing more is paid for.
    """
    run = Run(repo, config, implementers, tuple(lessons), lessons_at, open_journal, day, objection)
    starts = _starts(repo, jobs)
    asking = [n for n, start in enumerate(starts) if _needs_model(start)]
    for name in {name for n in asking for name in rungs(starts[n].job.spec, config, implementers)}:
        implementers[name]  # one that can't be built says so here, before anything is paid for
    climbed = dict(zip(asking, _each(run, [starts[n] for n in asking], parallel or config.limits.parallel), strict=True))
    return [climbed.get(n) or Made(_exact(start)) for n, start in enumerate(starts)]


def halfway(repo: Repo, config: Config, job: Job, collect: Callable[[Task], Mapping[str, File | None]]) -> Changeset:
    """What an implementer that was cut off had made of a job: the exact part, and of the files that are collected those that
    it may write.
    """
    (start,) = _starts(repo, [job])
    run = Run(repo, config, {}, (), None, no_journal, None, lambda _spec, _base: "")
    with repo.objects() as objects:
        base = repo.tree(job.base, objects)
        task = _task(run, start, base)
        files = {path: file for path, file in collect(task).items() if reply.path_fault(path, task) is None}
        changes = _changes(start, files, base)
    changeset = _exact(start, Outcome("failed", ledger.INTERRUPTED))
    return changeset._replace(changes=changes, edits=_edits(start, changes))


def _starts(repo: Repo, jobs: Sequence[Job]) -> list[Start]:
    """The exact part of every job, with one reader of objects and one tree for each base."""
    found = []
    trees: dict[str, Tree] = {}
    with repo.objects() as objects:
        for job in jobs:
            tree = trees.setdefault(job.base, repo.tree(job.base, objects))
            exact, applied = derive(job.spec, tree)
            drifts = tuple(left.drifts(applied, tree))
            before: Mapping[str, File | None] = applied.files
            if job.parent and job.parent != job.base:
                before = _between(repo, job, repo.tree(job.parent, objects))
            found.append(Start(job, exact, applied, drifts, before))
    return found


def _between(repo: Repo, job: Job, tree: Tree) -> dict[str, File | None]:
    """What the branch's head changed since the base; the spec's own move is not among it."""
    out = repo.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", job.base, str(job.parent))
    names = [name.decode("utf-8", "surrogateescape") for name in out.split(b"\0") if name]
    folder = job.spec.path.rpartition("/")[0]
    return {name: tree.read(name) for name in names if not paths.out_of_reach(name, folder)}


def _needs_model(start: Start) -> bool:
    job = start.job
    return bool(left.instructs(job.spec) or start.drifts or job.findings or job.red or job.reason)


def _each(run: Run, starts: Sequence[Start], parallel: int) -> list[Made]:
    if len(starts) < 2:
        return [_climb(run, start) for start in starts]
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    with ThreadPoolExecutor(max(1, min(parallel, len(starts)))) as pool:
        return list(pool.map(lambda start: _climb(run, start), starts))


def _climb(run: Run, start: Start) -> Made:
    """One job's rungs, one after the other, each with the reasons of those before it."""
    names = rungs(start.job.spec, run.config, run.implementers)
    with run.repo.objects() as objects:
        base = run.repo.tree(start.job.base, objects)
        task = _task(run, start, base)
        stop = _no_use(run, start, task, names)
        if stop:
            return Made(_exact(start, stop))
        others: list[Changeset] = []
        while True:
            wrong = run.objection(start.job.spec, start.job.base)
            if wrong:
                return Made(_exact(start, Outcome("failed", wrong)), tuple(others))
            reasons = tuple(f"Another implementer, {o.implementer}, gave up: {o.outcome.reason}\n" for o in others)
            spent = sum((o.usage for o in others), start.job.spent)
            made = _rung(run, start, task, names[len(others)], reasons, spent, base)
            if made.changeset.outcome.name in ("done", "over-limit") or len(others) + 1 == len(names):
                return made._replace(others=tuple(others))
            others.append(made.changeset)


def _no_use(run: Run, start: Start, task: Task, names: Sequence[str]) -> Outcome | None:
    """Why no rung is asked, where that is so."""
    job = start.job
    rounds = caps_of(job.spec.limits, run.config.limits).rounds
    if job.round > rounds:
        return Outcome("over-limit", f"{rounds} rounds are over")
    for drift in start.drifts:
        if drift.path is None or not names or reply.path_fault(drift.path, task):
            return outcome_of(applied=start.applied, spec=start.job.spec)
    if not names:
        return Outcome("failed", _needs(job))
    for change in left.instructs(job.spec):
        faults = [f for f in (reply.path_fault(path, task) for path in change.paths) if f]
        if faults:
            return Outcome("refused", f"{job.spec.path}:{change.line}: Instruct asks for {failure.in_words(faults)}")
    if not task.writable:
        return Outcome("failed", f"no path that a model may change: add one to `allow`; {_needs(job)}")
    return None


def _needs(job: Job) -> str:
    """What a model is needed for, and what is missing."""
    if left.instructs(job.spec):
        what = f"Instruct of {', '.join(p for c in left.instructs(job.spec) for p in c.paths)}"
    else:
        what = "what is red or was found" if job.red or job.findings else job.reason or "what drifted"
    return f"{what} {left.NO_RUNG}"


def _task(run: Run, start: Start, base: Tree) -> Task:
    """What is left of a job, for any rung."""
    spec = start.job.spec
    ported = [drift.path for drift in start.drifts if drift.path]
    asked = [change.paths for change in left.instructs(spec)]
    named = [path for group in asked for path in group] + ported
    written = [path for path in start.applied.files if path not in ported]
    tree = ChangedTree(base, start.before)
    seen = [*named, *(f.path for f in start.job.findings), *(p for p in start.before if p not in written)]
    return Task(
        spec=spec,
        base=start.job.base,
        tree=tree,
        left=tuple(_left(start, tree)),
        lessons=(),
        writable=tuple(dict.fromkeys([*named, *spec.allow])),
        frozen=frozen_paths(spec, written, lambda path: base.entry(path) is not None),
        account=_account(run, start.job, Usage(), Silent()),
        applied=tuple(written),
        files=tuple(dict.fromkeys([*seen, *left.read_paths(spec, tree)])),
        protected=run.config.protected,
        asked=(*asked, *((path,) for path in ported)) if start.job.round == 1 else (),
        parent=start.job.parent,
    )


def _left(start: Start, tree: Tree) -> Iterator[str]:
    """Why a model is asked, each reason as text: first what was asked from the start, then what is wrong now."""
    job = start.job
    again = "Asked in the round before, and answered by what the files hold now:\n" if job.parent else ""
    for change in left.instructs(job.spec):
        yield again + brief.instruct_text(change)
    for drift in start.drifts:
        if drift.path:
            yield again + left.drift_text(drift, tree)
    if job.made:
        yield brief.attempt_text({change.path: (tree.read(change.path), change.file) for change in job.made})
    yield from map(brief.criterion_text, job.red)
    yield from map(brief.finding_text, job.findings)
    if job.reason:
        yield job.reason


def _account(run: Run, job: Job, spent: Usage, journal: Journal) -> Account:
    caps = caps_of(job.spec.limits, run.config.limits)
    return Account(caps, Asker("implementer", job.spec.id, job.round), journal, day=run.day, spent=spent)


def _rung(run: Run, start: Start, task: Task, name: str, reasons: Sequence[str], spent: Usage, base: Tree) -> Made:
    """One attempt of one rung; `reasons` are why others gave up."""
    task = task._replace(left=(*task.left, *reasons))
    job, implementer = start.job, run.implementers[name]
    recorded = bool(getattr(implementer, "recorded", False))
    label = f"{name} (scripted)" if recorded else str(getattr(implementer, "label", name))
    chosen = _chosen(run, job.spec, task.files, name)
    entry = ledger.Entry(
        job.spec.id, job.spec.digest, uuid4().hex[:16], "implementer", label,
        ledger.now(), None, job.base, job.round, lessons=tuple(one.id for one in chosen.lessons), lessons_at=run.lessons_at,
        recorded=recorded, held=chosen.held,
    )  # fmt: skip
    topic = _topic(run, job, name, reasons)
    journal = run.open_journal(entry, topic)
    lessons = chosen.lessons
    if journal.past:
        past = journal.past
        entry = entry._replace(attempt=past.attempt, lessons=past.lessons, lessons_at=past.lessons_at, held=past.held)
        lessons = tuple(one for one in run.lessons if one.id in entry.lessons)
    account = _account(run, job, spent, journal)
    attempt = _made(implementer, task._replace(lessons=lessons, account=account, topic=topic), journal)
    changes = _changes(start, attempt.files, base)
    changeset = _exact(start, attempt.outcome)._replace(
        attempt=entry.attempt, implementer=entry.name, changes=changes, edits=_edits(start, changes),
        usage=attempt.usage, lessons=entry.lessons, lessons_at=entry.lessons_at, held=entry.held,
        world=_by_the_world(run, attempt),
    )  # fmt: skip
    return Made(changeset, (), attempt.transcript, attempt.fault, chosen.left_out)


def _chosen(run: Run, spec: Spec, paths: Sequence[str], name: str) -> lesson.Chosen:
    """The lessons of a brief; none where the generation is one of those that are held out."""
    coaching = run.config.coaching
    found = lesson.choose(run.lessons, audience="implementer", paths=paths, implementer=name, limit_bytes=coaching.bytes)
    if lesson.held_out(spec.digest, coaching.holdout):
        return lesson.Chosen((), (), tuple(one.id for one in found.lessons))
    return found


def _topic(run: Run, job: Job, name: str, reasons: Sequence[str]) -> str:
    """What an attempt is about: all that its brief is made of, but for lessons and for what commands printed."""
    model = run.config.models.get(name)
    asked = (model.api, model.model, model.base_url) if model else name
    red = [(one.id, one.red, one.green) for one in job.red]
    made = [(one.path, one.file and (one.file.mode, sha256(one.file.data).hexdigest())) for one in job.made]
    findings = [(one.path, one.line, one.message, one.quote) for one in job.findings]
    parts = (job.spec.digest, job.base, job.parent, job.round, name, asked, red, made, findings, job.reason, reasons)
    return topic_of("implementer", *parts)


def _made(implementer: Implementer, task: Task, journal: Journal) -> Attempt:
    """What an implementer makes of a task, judged; what a run that died had paid for and had whole is not made again."""
    if journal.past and journal.past.made:
        return _judged(journal.past.made._replace(usage=journal.past.usage), task)
    attempt = implementer.implement(task)
    if attempt.usage.calls and attempt.fault is None:
        journal.made(attempt)
    return _judged(attempt, task)


def _by_the_world(run: Run, attempt: Attempt) -> bool:
    """Whether an attempt ended by what another hour may mend: a fault outside, or the day's money."""
    spent = attempt.outcome.name == "over-limit" and run.day is not None and run.day.refusal() is not None
    return attempt.fault is not None or spent


def _judged(attempt: Attempt, task: Task) -> Attempt:
    """An attempt that wrote what it may not is refused by name, whoever made it."""
    for path in sorted(attempt.files):
        fault = reply.path_fault(path, task)
        if fault:
            return attempt._replace(outcome=Outcome("refused", failure.in_words([fault])))
    return attempt


def _changes(start: Start, files: Mapping[str, File | None], base: Tree) -> tuple[Changed, ...]:
    """Every path that differs from the base: the exact part, what the branch held, and what a model did, each by whom."""
    exact = {change.path: change.file for change in start.exact}
    ported = {drift.path for drift in start.drifts}
    changes = []
    for path, file in sorted({**start.before, **files}.items()):
        if base.read(path) == file:
            continue
        by: By = "adapted" if path in ported else "exact" if path in exact and exact[path] == file else "model"
        changes.append(Changed(path, file, blob_at(base, path), by))
    return tuple(changes)


def _edits(start: Start, changes: Sequence[Changed]) -> dict[str, int]:
    """How many edits each kind made: sections' edits by code, drifted sections ported, paths that a model wrote."""
    adapted = {change.path for change in changes if change.by == "adapted"}
    return {
        "exact": start.applied.edits,
        "adapted": sum(drift.path in adapted for drift in start.drifts),
        "model": sum(change.by == "model" for change in changes),
    }


def _exact(start: Start, outcome: Outcome | None = None) -> Changeset:
    """The changeset of the exact part alone; with an outcome, of an attempt that came to no more than it."""
    job = start.job
    return Changeset(
        id=job.spec.id,
        digest=job.spec.digest,
        base=job.base,
        attempt=attempt_id(job.spec.digest, job.base, job.round),
        implementer=EXACT,
        changes=start.exact,
        spec=job.spec.data,
        spec_path=job.spec.path,
        edits={"exact": start.applied.edits, "adapted": 0, "model": 0},
        outcome=outcome or outcome_of(applied=start.applied, spec=start.job.spec),
        parent=job.parent,
        round=job.round,
    )
