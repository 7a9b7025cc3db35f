"""The conductor of `run`: specs in waves, a wave in lanes, a lane in rounds.

A wave is what no need and no overlap holds back. In a wave, the wholly exact specs share one lane: a handful of git
processes for all of them. A spec that asks a model has a lane of its own, so that no one waits for a slow answer.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from split_ci import branches, relations, starting
from split_ci.lane import NO_EDITS, Finished, Lane, Work
from split_ci.ports import Outcome
from split_ci.results import CriterionResult
from split_ci.verdict import by_rules_alone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.branches import Branch
    from split_ci.lane import Ground
    from split_ci.problems import Problem
    from split_ci.spec import Spec
    from split_ci.starting import Resumed


class Dispatch:
    """One run over many specs. `finished` fills up as they end, also where the run is interrupted."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.finished: dict[str, Finished] = {}
        self._lane = Lane(ground, self.finished)
        self._landed: frozenset[str] = frozenset()

    def run(self, specs: Sequence[Spec], faults: Mapping[str, Problem]) -> list[Finished]:
        """Dispatches specs in waves; `faults` are problems that refuse a spec, unless it has a result already."""
        ground = self.ground
        by_id = {spec.id: spec for spec in specs}
        with ground.repo.objects() as objects:
            overlapping = relations.overlaps(specs, ground.repo.tree(ground.base, objects))
        for wave in relations.order(specs, overlapping):
            self._wave([by_id[name] for name in wave], faults)
        for spec in specs:
            if spec.id not in self.finished:
                reason = "its needs go in a circle: split-ci check says which"
                self._lane.end(Finished(spec.id, Outcome("blocked", reason)))
        return [self.finished[spec.id] for spec in specs]

    def _wave(self, specs: Sequence[Spec], faults: Mapping[str, Problem]) -> None:
        works = self._starts(specs, faults)
        exact = [work for work in works if not self._lane.asks(work.spec)]
        lanes = [exact] if exact else []
        lanes += [[work] for work in works if self._lane.asks(work.spec)]
        if len(lanes) == 1:
            self._lane.run(lanes[0])
        elif lanes:
            self._side_by_side(lanes)

    def _side_by_side(self, lanes: Sequence[Sequence[Work]]) -> None:
        threads = ThreadPoolExecutor(max(1, min(len(lanes), self.ground.jobs + 1)))
        try:
            for future in [threads.submit(self._lane.run, lane) for lane in lanes]:
                future.result()
        except Exception:
            threads.shutdown(cancel_futures=True)  # what the other lanes have paid for is published and recorded
            raise
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)  # an interrupt does not wait for a model
            raise
        threads.shutdown()

    def _starts(self, specs: Sequence[Spec], faults: Mapping[str, Problem]) -> list[Work]:
        repo = self.ground.repo
        with repo.objects() as objects:
            standing = branches.read(repo, objects, {spec.id for spec in specs}).by_id
            self._landed |= starting.landed_already(repo.tree(self.ground.base, objects), specs, self.ground.config.specs)
            heads = starting.heads_of_needs(repo, objects, specs, self.ground.base, self.ground.config.specs)
        heads.update({name: done.head for name, done in self.finished.items()})
        works = [self._start(spec, standing.get(spec.id), heads, faults.get(spec.id)) for spec in specs]
        return self._lane.reviewed_first([work for work in works if work])

    def _start(
        self, spec: Spec, branch: Branch | None, heads: Mapping[str, str | None], fault: Problem | None
    ) -> Work | None:
        """The work that a spec asks for; None where it ended at once."""
        ground = self.ground
        done = Finished(spec.id, Outcome("blocked"), branch.name if branch else None, head=branch.head if branch else None)
        if branch and branch.foreign:
            return self._end(done._replace(outcome=starting.left_alone(branch)))
        base = starting.base_of(ground.repo, spec, ground.base, heads, ground.config.specs)
        if isinstance(base, Outcome):
            return self._end(done._replace(outcome=base))
        resumed = starting.resumed(ground.repo, spec, branch, base, ground.base, ground.config.specs)
        if resumed:
            return self._resume(spec, resumed)
        if spec.id in self._landed:
            return self._end(done._replace(outcome=starting.LANDED))
        if fault:
            reason = f"{fault.path}:{fault.line}: {fault.code}: {fault.message}"
            return self._end(done._replace(outcome=Outcome("refused", reason), base=base))
        return Work(spec, base, Finished(spec.id, Outcome("failed"), base=base))

    def _resume(self, spec: Spec, resumed: Resumed) -> Work | None:
        """A generation with a result stays as it is, but for a run that was cut off before its review or its next round."""
        if by_rules_alone(resumed.verdict) and len(self.ground.reviewers) > 1:
            resumed = resumed._replace(verdict=None)  # there is an architect now
        branch, entry = resumed.branch, resumed.entry
        said = {criterion.id: str(criterion) for criterion in spec.accept}
        criteria = entry.criteria if entry else ()
        done = Finished(
            spec.id, starting.UNCHANGED, branch.name, branch.base, branch.head,
            edits=dict(entry.edits) if entry else NO_EDITS, rounds=branch.rounds, review=resumed.verdict,
            criteria=tuple(CriterionResult(c.id, said.get(c.id, ""), c.red, c.green, c.seconds) for c in criteria),
        )  # fmt: skip
        round_ = entry.round if entry else branch.rounds
        work = Work(
            spec, str(branch.base), done, round_, parent=branch.head, verdict=resumed.verdict, earlier=resumed.earlier,
            spent=resumed.spent,
        )  # fmt: skip
        if resumed.verdict is None:
            return work
        return self._lane.following(work, resumed.verdict) or self._end(done)

    def _end(self, done: Finished) -> Work | None:
        """No work is left."""
        self._lane.end(done)
        return None
