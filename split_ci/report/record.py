"""What is in the ledger now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.plain import visible
from split_ci.report import github
from split_ci.report.bill import money
from split_ci.report.terminal import say, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.ledger import Entry
    from split_ci.recording import Recovered
    from split_ci.steps.record import Recorded


def show(
    done: Recorded | None, killed: Sequence[Entry], lost: Sequence[Recovered], form: str, refused: Sequence[str] = ()
) -> None:
    """The whole answer: what the files held, which were refused, what killed runs here had paid for, what lost runs left."""
    every = [*([done] if done else []), *(one.done for one in lost if one.done)]
    entries = [entry for one in every for entry in one.entries]
    changed = any(one.changed for one in every)
    if form == "json":
        say_json({
            "changed": changed, "attempts": [e.attempt for e in entries], "refs": [ref for one in every for ref in one.refs],
            "recovered": [e.attempt for e in killed], "refused": list(refused),
            "runs": [{"run": one.run.url, "refused": list(one.refused)} for one in lost],
        })  # fmt: skip
    elif form == "github":
        github.outputs({"changed": changed, "recovered": len(lost)})
        github.summary(_summary(entries, lost))
        with github.no_commands():
            _say(every, killed, lost, refused)
    else:
        _say(every, killed, lost, refused)


def _say(every: Sequence[Recorded], killed: Sequence[Entry], lost: Sequence[Recovered], refused: Sequence[str]) -> None:
    for one in every:
        say(f"{len(one.entries)} in the ledger{'' if one.changed else ', as before'}")
        for ref in one.refs:
            say(f"  {ref}")
    for entry in killed:
        say(f"  recovered {entry.attempt} of {entry.id}: {entry.reason}")
    for run in lost:
        say(visible(f"  recovered {run.run.url}"))
        for why in run.refused:
            say(visible(f"    refused: {why}"))
    for why in refused:
        say(visible(f"  refused: {why}"))
    if not every and not killed:
        say("nothing to record")


def _summary(entries: Sequence[Entry], lost: Sequence[Recovered]) -> list[str]:
    if not entries and not lost:
        return []
    rows = [
        (github.cell(e.id), e.role, str(e.round), e.decision or e.outcome, money(e.usage.usd), github.cell(e.reason))
        for e in entries
    ]
    refused = [f"- {github.cell(why)}" for one in lost for why in one.refused]
    return ["### ledger", "", *github.table(("spec", "role", "round", "", "cost", "why"), rows), *refused]
