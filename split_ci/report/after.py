"""What to type after a run: the next command for what failed, and for what was done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from split_ci.left import NO_RUNG
from split_ci.plain import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.lane import Finished
    from split_ci.results import CriterionResult

LINES = 8  # of a command's output
GOOD = ("done", "unchanged")


def next_steps(done: Sequence[Finished], paths: Mapping[str, str]) -> list[str]:
    """The commands, the most urgent first, each kind once. `paths`: spec id -> its file."""
    steps = [step for one in done if (step := _next(one, paths.get(one.id, f"{one.id}.md")))]
    if any(one.outcome.name in GOOD and one.review and one.review.decision == "approve" for one in done):
        steps.append("split-ci land")
    kinds = {step.rpartition(" ")[0] or step: step for step in reversed(steps)}
    return list(reversed(kinds.values()))


def _next(one: Finished, path: str) -> str:
    """What mends one spec, or shows why it is not approved; empty where nothing is wrong with it."""
    if one.outcome.name in GOOD:
        unsure = one.review is not None and one.review.decision != "approve"
        return f"git show --notes='split-ci*' split-ci/{one.id}" if unsure else ""
    if one.world:
        return "split-ci doctor --live"
    if code := re.search(r"\bSP\d{3}\b", one.outcome.reason):
        return f"split-ci explain {code[0]}"
    if any(c.red is False or c.code for c in one.criteria):
        return f"split-ci check --prove {visible(path)}"
    if one.outcome.name == "blocked":
        return "split-ci status"
    first = "raise `limits`" if one.outcome.name == "over-limit" else "mend the spec"
    if NO_RUNG in one.outcome.reason:
        first = "name a model in `implementers` of .split-ci.yaml"
    return f"{first}, then split-ci run {one.id}"


def output_of(criteria: Sequence[CriterionResult]) -> list[str]:
    """The end of what the first wrong criterion's command printed, where its reason can't have said it all."""
    wrong = next((c for c in criteria if c.red is False or c.green is False), None)
    shown = wrong and (wrong.base if wrong.code else wrong.result)
    lines = [line.rstrip() for line in shown.output.splitlines() if line.strip()] if shown else []
    return lines[-LINES:] if len(lines) > 1 else []
