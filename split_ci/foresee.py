"""What a run would do, told without doing it: nothing is written, no command runs and no model is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci import branches, relations, starting
from split_ci.implementers.exact import derive, outcome_of
from split_ci.lane import NO_EDITS, Finished
from split_ci.ports import Outcome

if TYPE_CHECKING:
    from split_ci.git import Objects, Repo
    from split_ci.selection import Selection
    from split_ci.settings import Config
    from split_ci.spec import Spec


def foresee(repo: Repo, config: Config, selection: Selection, base: str) -> list[Finished]:
    """How each spec would end, as far as it can be known; `done` stands for those that would be dispatched."""
    with repo.objects() as objects:
        view = _View(repo, config, selection, base, objects)
        tree = repo.tree(base, objects)
        waves = relations.order(selection.specs, relations.overlaps(selection.specs, tree))
        by_id = {spec.id: spec for spec in selection.specs}
        found = {id_: one for wave in waves for id_ in wave if (one := view.foresee(by_id[id_]))}
    circle = Outcome("blocked", "its needs go in a circle: split-ci check says which")
    return [found.get(spec.id) or Finished(spec.id, circle) for spec in selection.specs]


class _View:
    """The refs and the base as they are now, and what was foreseen of earlier specs."""

    def __init__(self, repo: Repo, config: Config, selection: Selection, base: str, objects: Objects) -> None:
        self._repo, self._config, self._base, self._faults = repo, config, base, selection.faults
        self._tree = repo.tree(base, objects)
        self._known = branches.read(repo, objects).by_id
        self._heads = starting.heads_of_needs(repo, objects, selection.specs, base, config.specs)
        self._landed = starting.landed_already(self._tree, selection.specs, config.specs)
        self._made: dict[str, Finished] = {}

    def foresee(self, spec: Spec) -> Finished:
        self._made[spec.id] = one = self._foresee(spec)
        return one

    def _foresee(self, spec: Spec) -> Finished:
        branch = self._known.get(spec.id)
        one = Finished(spec.id, Outcome("done"), base=self._base)
        if branch:
            one = one._replace(branch=branch.name, head=branch.head)
            if branch.foreign:
                return one._replace(outcome=starting.left_alone(branch))
        if spec.id in self._landed:
            return one._replace(outcome=starting.LANDED)
        stacked, missing = self._needs(spec)
        if branch and branch.digest == spec.digest and not missing and not stacked:
            return one._replace(outcome=starting.UNCHANGED, base=branch.base, rounds=branch.rounds)
        if missing:
            return one._replace(outcome=starting.no_result_of(missing))
        if spec.id in self._faults:
            fault = self._faults[spec.id]
            return one._replace(outcome=Outcome("refused", f"{fault.path}:{fault.line}: {fault.code}: {fault.message}"))
        return one if any(need in self._heads or need in self._made for need in spec.needs) else self._applied(spec, one)

    def _needs(self, spec: Spec) -> tuple[bool, str]:
        """Whether a need would be made anew, and a need that has no result and would get none."""
        anew = False
        for need in spec.needs:
            made = self._made.get(need)
            if starting.landed_text(self._repo, self._base, need, self._config.specs) is not None:
                branch = self._known.get(spec.id)
                anew = anew or bool(
                    branch and starting.landed_otherwise(self._repo, need, self._base, branch.head, self._config.specs)
                )
            elif made is not None and made.outcome.name == "done":
                anew = True
            elif need not in self._heads:
                return anew, need
        return anew, ""

    def _applied(self, spec: Spec, one: Finished) -> Finished:
        """What the exact sections make of the base. Where a model rung is left to try, what they don't do is no end."""
        _, applied = derive(spec, self._tree)
        edits = {**NO_EDITS, "exact": applied.edits}
        outcome = outcome_of(applied, spec)
        models = any(rung != "exact" for rung in self._config.implementers)
        return one._replace(edits=edits, outcome=one.outcome if models else outcome)
