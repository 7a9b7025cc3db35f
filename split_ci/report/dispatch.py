"""What dispatch started, and why it left the others alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.plain import visible
from split_ci.report import github
from split_ci.report.terminal import say, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.steps.due import Due

SHOWN = 50


def show(found: Due, started: Sequence[str], form: str, *, paused: bool, dry_run: bool) -> None:
    """The whole answer in the form that was asked for."""
    if form == "json":
        say_json({
            "base": found.base, "paused": paused, "started": list(started),
            "due": [one._asdict() for one in found.starts], "held": [one._asdict() for one in found.held],
        })  # fmt: skip
    elif form == "github":
        github.outputs({"base": found.base, "started": len(started), "held": len(found.held)})
        github.summary(_summary(found, started, paused=paused))
        with github.no_commands():
            _say(found, started, paused=paused, dry_run=dry_run)
    else:
        _say(found, started, paused=paused, dry_run=dry_run)


def _say(found: Due, started: Sequence[str], *, paused: bool, dry_run: bool) -> None:
    word = "due" if paused or dry_run else "started"
    for one in found.starts:
        say(visible(f"{word}  {one.id}: {one.why}"))
    for held in found.held[:SHOWN]:
        say(visible(f"left  {held.id}: {held.why}"))
    if len(found.held) > SHOWN:
        say(f"and {len(found.held) - SHOWN} more that are left")
    if paused:
        say("dispatch is paused (SPLIT_CI_PAUSED): nothing was started")
    else:
        say(f"{len(started)} started at {found.base[:12]}, {sum(one.waits for one in found.held)} wait")


def _summary(found: Due, started: Sequence[str], *, paused: bool) -> list[str]:
    rows = [(github.cell(one.id), "started" if one.id in started else "due", github.cell(one.why)) for one in found.starts]
    rows += [(github.cell(one.id), "waits" if one.waits else "left", github.cell(one.why)) for one in found.held]
    title = "paused: nothing was started" if paused else f"{len(started)} started"
    return [f"### dispatch: {title}", "", *github.table(("spec", "", "why"), rows)]
