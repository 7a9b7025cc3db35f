"""The report as plain lines and as JSON: first passes, the bill, lessons, weeks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from split_ci.plain import counted, visible
from split_ci.report.bill import amount, comparison, comparison_json, cost_json, role_line
from split_ci.report.coach import share
from split_ci.report.terminal import paint, say, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.bill import Cost
    from split_ci.steps.lessons import Listed, Measured
    from split_ci.steps.report import Passes, Report, Week

DEAREST = 10  # specs that text and page name
NEWEST = 12  # weeks that text names
ENOUGH = 20  # first attempts on each side, below which a difference may well be chance


def show(found: Report, measured: Sequence[Measured], known: Sequence[Listed], form: str, html: str | None = None) -> None:
    """The whole report in the form that was asked for; `html` is the page that was written."""
    if form == "json":
        say_json({**as_json(found, measured, known), "html": html})
        return
    if not found.attempts and not found.reviews and not found.bill.total.calls:
        say("the ledger is empty: split-ci run fills it")
    else:
        _show_passes(found)
        _show_bill(found)
        _show_lessons(measured, known)
        _show_weeks(found)
    if html:
        say(visible(f"\nwritten: {html}"))


def as_json(found: Report, measured: Sequence[Measured], known: Sequence[Listed]) -> dict[str, Any]:
    """The report as `report --format json` prints it."""
    bill = found.bill
    texts = {one.lesson.id: one for one in known}
    return {
        "specs": found.specs, "attempts": found.attempts, "reviews": found.reviews,
        "first_pass": {"typed": found.typed._asdict(), "exact": found.exact._asdict()},
        "edits": dict(found.edits),
        "cost": {
            "total": cost_json(bill.total), "roles": {role: cost_json(cost) for role, cost in bill.roles.items()},
            "designs": cost_json(bill.designs), "reviews": cost_json(bill.reviews),
            "specs": [{"id": name, **cost_json(cost)} for name, cost in bill.specs.items()],
            "rounds": [{"round": number, **cost_json(cost)} for number, cost in bill.rounds.items()],
        },
        "counterfactual": comparison_json(bill.counterfactual),
        "lessons": [_lesson_json(one, texts.get(one.id)) for one in measured],
        "weeks": [_week_json(week) for week in found.weeks],
        "undated": found.undated,
    }  # fmt: skip


def _lesson_json(one: Measured, listed: Listed | None) -> dict[str, Any]:
    return {
        "id": one.id, "live": listed is not None, "taught": listed.lesson.taught if listed else None,
        "carried": listed.carried if listed else None,
        "with": {"passed": one.with_passed, "all": one.with_all},
        "without": {"passed": one.without_passed, "all": one.without_all},
        "held_out": {"passed": one.held_passed, "all": one.held_all},
    }  # fmt: skip


def _week_json(week: Week) -> dict[str, Any]:
    costs = {"architect": cost_json(week.architect), "implementer": cost_json(week.implementer)}
    return {"week": week.monday.isoformat(), "first_pass": week.passes._asdict(), **costs}


def passed(passes: Passes) -> str:
    """A first-pass rate with its sample."""
    said = "nothing decided yet" if not passes.decided else share(passes.passed, passes.decided)
    return f"{said}, {passes.open} not reviewed" if passes.open else said


def verdict_of(one: Measured) -> str:
    """What may be said of a lesson: nothing, where the sample is small."""
    if min(one.with_all, one.held_all) >= ENOUGH:
        points = 100 * one.with_passed / one.with_all - 100 * one.held_passed / one.held_all
        return f"{points:+.0f} points with it, against {one.held_all} briefs that it was held out of"
    if not one.with_all or not one.without_all:
        return "nothing to compare with yet"
    if min(one.with_all, one.without_all) < ENOUGH:
        return "too few to say"
    points = 100 * one.with_passed / one.with_all - 100 * one.without_passed / one.without_all
    return f"{points:+.0f} points with it (specs differ: no proof)"


def _show_passes(found: Report) -> None:
    say(paint("passed at the first attempt", "bold"))
    say(f"  typed by a model: {passed(found.typed)}")
    say(f"  wholly exact:     {passed(found.exact)}")
    edits = ", ".join(f"{count} {name}" for name, count in found.edits.items())
    say(f"  {counted(found.specs, 'spec')}, {counted(found.attempts, 'attempt')}; edits: {edits}")


def _show_bill(found: Report) -> None:
    bill = found.bill
    say(paint("\nthe bill", "bold"))
    if not bill.total.calls:
        say("  cost: nothing (no model was called)")
        return
    for role, cost in sorted(bill.roles.items()):
        say("  " + role_line(role, cost))
        if role == "architect" and bill.designs.calls and bill.reviews.calls:
            say(f"        designs {amount(bill.designs)}; reviews {amount(bill.reviews)}")
    if len(bill.rounds) > 1:
        say("  by round: " + "; ".join(f"{number}: {amount(cost)}" for number, cost in bill.rounds.items()))
    for line in comparison(bill.total, bill.counterfactual, found.architect):
        say(f"  {line}")
    say("  the dearest: " + "; ".join(f"{name} {amount(cost)}" for name, cost in dearest(found)))


def dearest(found: Report) -> list[tuple[str, Cost]]:
    """The specs that cost most."""
    return [(name, cost) for name, cost in found.bill.specs.items() if cost.calls][:DEAREST]


def _show_lessons(measured: Sequence[Measured], known: Sequence[Listed]) -> None:
    say(paint("\nlessons, and how often a first attempt passed with and without them", "bold"))
    texts = {one.lesson.id: one.lesson.text for one in known}
    for one in measured:
        rates = f"{share(one.with_passed, one.with_all)} with it, {share(one.without_passed, one.without_all)} without"
        retired = "" if one.id in texts else " (retired)"
        say(f"  {visible(one.id)}{retired}: {rates}: {verdict_of(one)}")
        if one.id in texts:
            say(f"    {visible(' '.join(texts[one.id].split()))}")
    if not measured:
        say("  none yet")


def _show_weeks(found: Report) -> None:
    say(paint("\nby week", "bold"))
    for week in found.weeks[-NEWEST:]:
        cost = f"architect {amount(week.architect)}, implementer {amount(week.implementer)}"
        say(f"  {week.monday}  passed at once {passed(week.passes)}; {cost}")
    if len(found.weeks) > NEWEST:
        say(f"  {len(found.weeks) - NEWEST} earlier weeks: split-ci report --format json")
    if found.undated:
        say(f"  {found.undated} entries have no date that can be, and are in no week")
