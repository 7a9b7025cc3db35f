"""Due: which specs a run is started for now, and why not for the others: from the default branch's head, refs and the forge.

Nothing is remembered between two looks: what a lost run left undone is due again, and what runs already is not.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from split_ci import branches, ledger, relations
from split_ci.bill import spent_on
from split_ci.coaching import is_coached, trunk_of
from split_ci.flights import flights
from split_ci.following import rungs
from split_ci.left import DRIFT
from split_ci.notes import review_of
from split_ci.proof import judge_all, source_of
from split_ci.pull_state import read_state, ticked
from split_ci.quota import Quota
from split_ci.tries import tries, wait_until
from split_ci.turn import Standing, closed, turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from split_ci.branches import Branch
    from split_ci.git import Repo
    from split_ci.ledger import Entry
    from split_ci.ports import Pull, WorkflowRun
    from split_ci.proof import Checked, Source
    from split_ci.settings import Config
    from split_ci.spec import Spec
    from split_ci.turn import Box, Turn

MOST_LOOKS = 200  # for closed pull requests, one question to the forge each


class Seen(NamedTuple):
    """What the forge says: runs, open pull requests, whether a head's review is shown, a branch's newest pull request.

    `now` is the time of day in UTC, `most` how many runs may be in flight.
    """

    runs: Sequence[WorkflowRun]
    pulls: Sequence[Pull]
    shown: Callable[[str], bool]
    pull: Callable[[str], Pull | None]
    now: str
    most: int


class Start(NamedTuple):
    """A run to start. `pull` and `anew` are what a ticked box asks for."""

    id: str
    digest: str
    base: str
    why: str
    pull: int | None = None
    anew: bool = False


class Held(NamedTuple):
    """A spec for which nothing is started, and why. `waits`: it will be due by itself, once something else has ended."""

    id: str
    why: str
    waits: bool = False


class Due(NamedTuple):
    """`base` is the default branch's head."""

    base: str
    starts: tuple[Start, ...]
    held: tuple[Held, ...]


class _Candidate(NamedTuple):
    start: Start
    spec: Spec
    result: bool  # it has one: its lines are on a branch already


def due(repo: Repo, config: Config, seen: Seen) -> Due:
    """What is to be started, in the order in which it is, and what is not."""
    look = _Look(repo, config, seen)
    candidates, held = look.all()
    first, later = look.first_wave(candidates)
    starts, more = look.within_limits(first)
    return Due(look.trunk, tuple(starts), tuple(sorted([*held, *later, *more])))


class _Look:
    """One look at everything: what git and the forge know is read once."""

    def __init__(self, repo: Repo, config: Config, seen: Seen) -> None:
        self.trunk = trunk_of(repo)
        self._repo = repo
        self._config = config
        self._seen = seen
        self._source: Source = source_of(repo, at=self.trunk)
        self._checked = judge_all(self._source)
        self._specs = {one.id: one.spec for one in self._checked if one.spec}
        self._entries = ledger.read_all(repo)
        with repo.objects() as objects:
            self._refs = branches.read(repo, objects)
        self._branches = self._refs.by_id
        self._pulls = {p.branch.removeprefix("split-ci/"): p for p in seen.pulls if p.own}
        self._flights = flights(seen.runs, seen.pulls, self._digest_at)
        self._made: dict[tuple[str, str], list[Entry]] = {}
        self._reviews: dict[str, list[Entry]] = {}  # of a head, those that something outside cut off
        for entry in self._entries:
            if entry.role == "architect" and entry.world and entry.commit:
                self._reviews.setdefault(entry.commit, []).append(entry)
            if entry.role == "implementer":
                self._made.setdefault((entry.id, entry.digest), []).append(entry)

    def _digest_at(self, id_: str, commit: str) -> str:
        file = self._repo.tree(commit).read(f"{self._config.specs}/{id_}.md") if self._repo.commit_or_none(commit) else None
        return sha256(file.data).hexdigest() if file else ""

    # --- one spec, limits left aside

    def all(self) -> tuple[list[_Candidate], list[Held]]:
        """Every pending spec."""
        found = [self._at(one) for one in self._checked]
        return [one for one in found if isinstance(one, _Candidate)], [one for one in found if isinstance(one, Held)]

    def _at(self, one: Checked) -> _Candidate | Held:
        spec, run = one.spec, self._flights.active.get(one.id)
        fault = next((p for p in one.problems if p.severity == "error" and not self._can_port(spec, p.code)), None)
        if spec is None or fault:
            return Held(one.id, f"{fault.path}:{fault.line}: {fault.code} {fault.message}" if fault else "it is no spec")
        if spec.status != "ready":
            return Held(one.id, "it is a draft")
        if run is not None:
            return Held(one.id, f"a run of it is {run.status}: {run.url}", waits=True)
        missing = [need for need in spec.needs if need not in self._source.landed]
        if missing:
            return Held(one.id, f"it waits for {', '.join(missing)}, which must land first", waits=True)
        return self._decided(spec)

    def _can_port(self, spec: Spec | None, code: str) -> bool:
        return code in DRIFT and spec is not None and bool(rungs(spec, self._config))

    def _decided(self, spec: Spec) -> _Candidate | Held:
        branch, entries = self._branches.get(spec.id), self._made.get((spec.id, spec.digest), [])
        pull = self._pulls.get(spec.id)
        box = _box(pull, branch)
        standing = self._standing(spec, branch, entries)
        asked = turn(self._repo, self._config, spec, self.trunk, standing, box)
        if not asked.go:
            return Held(spec.id, asked.why)
        made = _in_question(asked, branch, entries)
        if standing.verdict and standing.verdict.world and not asked.anew:
            made = sorted([*made, *self._reviews.get(standing.verdict.head, ())], key=lambda entry: entry.at)
        held = self._not_again(spec, asked, made)
        if held:
            return held
        start = Start(spec.id, spec.digest, self._kept_base(asked, made), asked.why)
        if box and pull:
            why = f"{asked.why}: a box of #{pull.number} is ticked"
            start = start._replace(pull=pull.number, anew=asked.anew, why=why)
        return _Candidate(start, spec, asked.result)

    def _standing(self, spec: Spec, branch: Branch | None, entries: Sequence[Entry]) -> Standing:
        if branch is None or branch.foreign or branch.digest != spec.digest:
            return Standing(branch, None, entries, obstacle=self._refs.obstacle(spec.id) or "")
        verdict = review_of(self._repo, branch.head)
        shown = verdict is None or spec.id not in self._pulls or self._seen.shown(branch.head)
        coached = verdict is None or is_coached(self._repo, verdict)
        return Standing(branch, verdict, entries, shown, coached, self._refs.obstacle(spec.id) or "")

    def _not_again(self, spec: Spec, asked: Turn, made: Sequence[Entry]) -> Held | None:
        """Why what was tried is not tried again, or not yet."""
        found = tries(made, self._flights.broken.get((spec.id, spec.digest), ()), self._seen.now)
        no = found.no
        if no is not None and (no.outcome != "stale" or no.base == asked.base):
            return Held(spec.id, f"{no.outcome}: {no.reason[:500]} (until the spec changes, or somebody asks by hand)")
        at = wait_until(found)
        if at > self._seen.now:
            times = "once" if found.failed == 1 else f"{found.failed} times"
            return Held(spec.id, f"what is outside of it failed {times}: the next try is at {at}", waits=True)
        return None

    def _kept_base(self, asked: Turn, made: Sequence[Entry]) -> str:
        """The base where what was paid for is of use, while it is on the default branch."""
        if (asked.result and not asked.anew) or not made:
            return asked.base
        last = made[-1].base
        kept = any(entry.base == last and entry.commit and entry.usage.calls for entry in made)
        there = kept and self._repo.ask("merge-base", "--is-ancestor", last, self.trunk) is not None
        return last if there else asked.base

    # --- all of them

    def first_wave(self, candidates: Sequence[_Candidate]) -> tuple[list[_Candidate], list[Held]]:
        """Those that overlap nothing that runs or comes before them; what has a result is past that."""
        new = [one.spec for one in candidates if not one.result]
        flying = [self._specs[id_] for id_ in self._flights.active if id_ in self._specs and not self._has_result(id_)]
        meets = relations.overlaps([*new, *flying], self._source.tree)
        running = {spec.id for spec in flying}
        free = [spec for spec in new if not running & set(meets[spec.id])]
        waves = relations.order(free, meets)
        first = set(waves[0]) if waves else set()
        held = [
            Held(spec.id, f"it overlaps {', '.join(sorted(set(meets[spec.id]) & (first | running)))}", waits=True)
            for spec in new
            if spec.id not in first
        ]
        return [one for one in candidates if one.result or one.spec.id in first], held

    def _has_result(self, id_: str) -> bool:
        branch = self._branches.get(id_)
        return branch is not None and branch.digest == self._specs[id_].digest

    def within_limits(self, candidates: Sequence[_Candidate]) -> tuple[list[Start], list[Held]]:
        """Those that may start now: what has a result comes first, then by id."""
        active = self._flights.active
        taken = len(self._pulls.keys() - {branches.COACHING}) + len(active.keys() - self._pulls.keys())
        spent = spent_on(self._entries, self._seen.now[:10])
        quota = Quota(self._config, most=self._seen.most, flying=self._flights.flying, pulls=taken, spent_usd=spent)
        for id_ in active:
            quota.reserve(self._specs.get(id_))
        starts: list[Start] = []
        held: list[Held] = []
        looks = MOST_LOOKS
        for one in sorted(candidates, key=lambda each: (not each.result, each.spec.id)):
            new = one.spec.id not in self._pulls
            looks -= new
            why = quota.refusal(one.spec, pull=new) or ("" if looks >= 0 else "the next dispatch looks at it")
            gone = None if why else self._closed(one.spec) if new else None
            if why or gone:
                held.append(Held(one.spec.id, why or str(gone), waits=bool(why)))
            else:
                starts.append(one.start)
                quota.take(one.spec, pull=new)
        return starts, held

    def _closed(self, spec: Spec) -> str | None:
        return closed(self._repo, spec, self._seen.pull(f"split-ci/{spec.id}"))


def _box(pull: Pull | None, branch: Branch | None) -> Box | None:
    """The box that is ticked for the head that is there; once that has moved, the tick was heard."""
    state = read_state(pull.body) if pull else None
    if pull is None or state is None or branch is None or state.head != branch.head:
        return None
    found = ticked(pull.body)
    return "anew" if "anew" in found else "round" if "round" in found else None


def _in_question(asked: Turn, branch: Branch | None, entries: Sequence[Entry]) -> list[Entry]:
    """The attempts of a generation that were made already at what is asked now, by time."""
    if not asked.result or branch is None:
        return list(entries)
    if asked.anew:
        since = max((e.at for e in entries if e.base == branch.base), default="")
        return [e for e in entries if e.base != branch.base and e.at >= since]
    return [e for e in entries if e.base == asked.base and e.round >= asked.round and e.commit != branch.head]
