"""The plan: waves of specs, as text, as JSON, or as annotations of GitHub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from split_ci.report.problems import escaped, plain
from split_ci.report.terminal import command, paint, say, say_json

if TYPE_CHECKING:
    from split_ci.steps.plan import Plan, Planned


def show(plan: Plan, form: str = "text") -> None:
    """The whole plan in the form that was asked for: `text`, `json` or `github`."""
    if form == "json":
        say_json(as_json(plan))
    elif form == "github":
        for number, wave in enumerate(plan.waves, 1):
            command(f"::notice title=split-ci plan::wave {number}: {', '.join(wave)}")
        for spec in plan.specs:
            if spec.state == "invalid":
                command(
                    f"::warning file={escaped(plain(spec.path), ':,')},title=split-ci plan::{escaped(plain(spec.reason))}"
                )
    else:
        _show_text(plan)


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan as `plan --format json` prints it."""
    return {
        "base": plan.base,
        "waves": [list(wave) for wave in plan.waves],
        "specs": [{**spec._asdict(), "estimate": spec.estimate._asdict()} for spec in plan.specs],
    }


def _show_text(plan: Plan) -> None:
    by_id = {spec.id: spec for spec in plan.specs}
    for number, wave in enumerate(plan.waves, 1):
        say(paint(f"wave {number}", "bold"))
        for id_ in wave:
            say("  " + _line(by_id[id_]))
    left = [spec for spec in plan.specs if spec.state != "pending"]
    if left:
        say(paint("not dispatched", "bold"))
        for spec in left:
            say(f"  {plain(spec.id)}: {spec.state}{': ' + plain(spec.reason) if spec.state == 'invalid' else ''}")
    say(_total(plan))


def _line(spec: Planned) -> str:
    notes = []
    if spec.waits_for:
        notes.append(f"after {', '.join(spec.waits_for)}")
    if spec.overlaps:
        notes.append(f"overlaps {', '.join(spec.overlaps)}")
    notes.append("exact, costs nothing" if spec.exact else plain(spec.reason) or _cost(spec))
    return f"{spec.id}  ({'; '.join(notes)})"


def _cost(spec: Planned) -> str:
    tokens = f"a round of about {spec.estimate.input:,} tokens in, {spec.estimate.output:,} out"
    return tokens if spec.estimate.usd is None else f"{tokens}, ${spec.estimate.usd:.4f}"


def _total(plan: Plan) -> str:
    waiting = [spec for spec in plan.specs if spec.state == "pending"]
    if not waiting:
        return f"nothing to dispatch at {plan.base[:12]}"
    known = [spec.estimate.usd for spec in waiting if spec.estimate.usd is not None]
    if len(known) == len(waiting) and not sum(known):
        return f"{len(waiting)} to dispatch at {plan.base[:12]}, all exact"
    cost = f"about ${sum(known):.4f}" if len(known) == len(waiting) else f"at least ${sum(known):.4f}, some prices unknown"
    return f"{len(waiting)} to dispatch at {plan.base[:12]}, {cost}"
