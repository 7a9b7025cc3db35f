"""A review as people and programs read it, and as the outputs and the summary of a step of GitHub Actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from split_ci.notes import review_text
from split_ci.report import github
from split_ci.report.terminal import paint, say, say_json

if TYPE_CHECKING:
    from split_ci.verdict import Verdict

COLOUR = {"approve": "green", "request_changes": "red", "incomplete": "yellow"}


def as_json(verdict: Verdict, out: str = "") -> dict[str, Any]:
    """A review as `review --format json` prints it."""
    return {
        "id": verdict.id,
        "head": verdict.head,
        "by": verdict.by,
        "recorded": verdict.recorded,
        "decision": verdict.decision,
        "summary": verdict.summary,
        "findings": [f._asdict() for f in verdict.findings],
        "criteria": [c._asdict() for c in verdict.criteria],
        "receipts": [r._asdict() for r in verdict.receipts],
        "lessons": [lesson.id for lesson in verdict.lessons],
        "waived": list(verdict.waived),
        "usage": verdict.usage._asdict(),
        "out": out,
    }


def show(verdict: Verdict, form: str = "text", out: str = "") -> None:
    """One verdict, and the file that holds it."""
    if form == "json":
        say_json(as_json(verdict, out))
    elif form == "github":
        github.outputs({"decision": verdict.decision, "findings": len(verdict.findings)})
        github.summary([
            f"### {verdict.id}: {verdict.decision}", "", github.cell(verdict.summary), "",
            *(f"- {github.cell(f'{finding.path}: {finding.message}')}" for finding in verdict.findings), "",
            *github.bill_table({"architect": verdict.usage}),
        ])  # fmt: skip
        with github.no_commands():
            _say(verdict, out)
    else:
        _say(verdict, out)


def _say(verdict: Verdict, out: str) -> None:
    first, _, rest = review_text(verdict).partition("\n")
    say(paint(first, COLOUR[verdict.decision]))
    say(rest.rstrip("\n"))
    if out:
        say(f"  {out}")
