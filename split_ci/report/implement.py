"""What `implement` made: words, JSON, or the outputs and the summary of a step of GitHub Actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.plain import visible
from split_ci.ports import Usage
from split_ci.report import github
from split_ci.report.terminal import say, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.changeset import Changeset
    from split_ci.rounds import Round


def show(made: Sequence[Round], out: str, form: str) -> int:
    """Says how the rounds ended; the exit code."""
    changeset = made[-1].made.changeset
    if form == "json":
        say_json(_as_json(made, out))
    elif form == "github":
        github.outputs({
            "id": changeset.id, "outcome": changeset.outcome.name, "attempt": changeset.attempt, "round": changeset.round,
        })  # fmt: skip
        github.summary(_summary(made))
        with github.no_commands():
            _say(made, out)
    else:
        _say(made, out)
    if changeset.outcome.name == "done":
        return 0
    return 4 if changeset.world else 1


def _earlier(made: Sequence[Round]) -> list[Changeset]:
    """The attempts before the last, in their order."""
    every = [attempt for one in made for attempt in (*one.made.others, one.made.changeset)]
    return every[:-1]


def _as_json(made: Sequence[Round], out: str) -> dict[str, object]:
    last = made[-1].made
    changeset = last.changeset
    return {
        "id": changeset.id, "outcome": changeset.outcome.name, "reason": changeset.outcome.reason, "out": out,
        "edits": dict(changeset.edits), "attempt": changeset.attempt, "implementer": changeset.implementer,
        "usage": changeset.usage._asdict(), "lessons": list(changeset.lessons), "left_out": list(last.left_out),
        "round": changeset.round, "kept": made[-1].kept,
        "others": [
            {"attempt": o.attempt, "implementer": o.implementer, "round": o.round, **o.outcome._asdict()}
            for o in _earlier(made)
        ],
    }  # fmt: skip


def _say(made: Sequence[Round], out: str) -> None:
    changeset = made[-1].made.changeset
    counts = ", ".join(f"{count} {name}" for name, count in changeset.edits.items())
    say(visible(f"{changeset.id}: {changeset.outcome.name} by {changeset.implementer} ({counts})"))
    for line in _told(made):
        say(visible(f"  {line}"))
    if made[-1].made.left_out:
        say(f"  lessons left out, for want of room: {', '.join(made[-1].made.left_out)}")
    say(f"  {out}")


def _told(made: Sequence[Round]) -> list[str]:
    """What became of each attempt where there is something to say, in their order."""
    lines = []
    for one in made:
        lines += [f"{o.implementer}: {o.outcome.reason}" for o in one.made.others if o.outcome.reason]
        attempt = one.made.changeset
        if attempt.outcome.reason:
            lines.append(f"{attempt.implementer}: {attempt.outcome.reason}")
        if one.kept:
            lines.append(f"round {attempt.round}: kept from an earlier run, and not paid for again")
        if one.results and one.results.fault:
            lines.append(f"round {attempt.round}: {one.results.fault}")
    return lines


def _summary(made: Sequence[Round]) -> list[str]:
    changeset = made[-1].made.changeset
    counts = ", ".join(f"{count} {name}" for name, count in changeset.edits.items())
    paid = [one for one in made if not one.kept]
    usage = sum((a.usage for one in paid for a in (*one.made.others, one.made.changeset)), Usage())
    name = github.cell(changeset.implementer)
    lines = [f"### {changeset.id}: {changeset.outcome.name}", "", f"round {changeset.round}, by {name}: {counts}", ""]
    lines += [f"- {github.cell(line)}" for line in _told(made)]
    for one in made[:-1]:
        if one.results:
            lines += ["", f"round {one.made.changeset.round}", "", *github.criteria_table(one.results.criteria)]
    return [*lines, "", *github.bill_table({"implementer": usage})]
