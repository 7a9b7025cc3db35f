"""`status` as people and programs read it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from split_ci.plain import counted, visible
from split_ci.report.terminal import coloured, paint, say, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.steps.status import Status

COLOUR = {
    "approved": "green", "landed": "green", "done": "blue", "ready": "bold", "changes-requested": "yellow",
    "incomplete": "yellow", "stale": "yellow", "over-limit": "yellow", "waiting": "dim", "draft": "dim", "invalid": "red",
    "failed": "red", "refused": "red", "blocked": "red",
}  # fmt: skip
GOOD = ("approved", "done", "landed", "ready", "draft")  # of which nothing needs to be said
MOST = 80  # characters of a reason
ROOM = 30  # columns that a reason needs beside the others
WORDS = 6  # columns from here on are prose, and may wrap
HEADINGS = ("spec", "state", "criteria", "rounds", "cost", "branch", "waits for, or why")


def show(found: Sequence[Status], form: str = "text") -> None:
    """All specs, in the form that was asked for."""
    if form == "json":
        say_json({"specs": [as_json(one) for one in found]})
    elif not found:
        say("no specs")
    elif sys.stdout.isatty() and coloured(sys.stdout):
        _table(found)
    else:
        _lines(found)


def fetched(*, there: bool, as_json: bool) -> None:
    """That the remote's ledger, reviews and attempts are here; `there`: whether there is a remote at all."""
    if as_json:
        say_json({"fetched": there})
    else:
        say("the ledger, the reviews and the attempts of origin are here" if there else "there is no remote origin")


def as_json(one: Status) -> dict[str, Any]:
    """One spec as `status --format json` prints it."""
    return {
        "id": one.id,
        "state": one.state,
        "title": one.title,
        "branch": one.branch,
        "head": one.head,
        "pull": one.pull,
        "rounds": one.rounds,
        "criteria": {"green": one.green, "all": one.criteria},
        "usd": one.usd,
        "waits_for": list(one.waits_for),
        "reason": one.reason,
        "digest": one.digest or None,
    }


def cells(one: Status) -> tuple[str, ...]:
    """One spec's row; an empty cell is what doesn't apply."""
    criteria = f"{one.green}/{one.criteria}" if one.criteria else ""
    cost = "unknown" if one.usd is None else f"${one.usd:.4f}" if one.usd else ""
    waits = ", ".join(one.waits_for) or ("" if one.state in GOOD and one.state != "done" else _short(visible(one.reason)))
    branch = f"{one.branch or ''} #{one.pull}".strip() if one.pull else one.branch or ""
    return one.id, one.state, criteria, str(one.rounds or ""), cost, branch, waits


def _short(text: str) -> str:
    return text if len(text) <= MOST else text[: MOST - 1] + "…"


def _lines(found: Sequence[Status]) -> None:
    rows = [HEADINGS, *(cells(one) for one in found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEADINGS))]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _table(found: Sequence[Status]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    shown = [at for at, heading in enumerate(HEADINGS) if heading != "branch"]  # it is split-ci/ and the spec's id
    console = Console()
    rows = [cells(one) for one in found]
    narrow = console.width - sum(2 + max(len(row[at]) for row in [HEADINGS, *rows]) for at in shown[:-1]) < ROOM
    for at in shown[:-1] if narrow else shown:
        table.add_column(HEADINGS[at], no_wrap=at < WORDS, overflow="fold")
    for one, row in zip(found, rows, strict=True):
        texts = [Text(cell) for cell in row]
        texts[1].stylize(COLOUR.get(one.state, ""))
        table.add_row(*(texts[at] for at in (shown[:-1] if narrow else shown)))
    console.print(table)
    for one, row in zip(found, rows, strict=True):
        if narrow and row[WORDS]:
            console.print(Text(f"{one.id}: {row[WORDS]}"))
    say(paint(counted(len(found), "spec"), "dim"))
