"""What was posted of a review, a line or two for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.remarks import STATUS
from split_ci.report.terminal import say, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.ports import Shown
    from split_ci.verdict import Verdict


def show(shown: Sequence[tuple[Verdict, Shown]], output: str) -> None:
    """JSON: `{"reviews": [{"id", "head", "decision", "status", "url", "inline", "listed", "fixed", "left"}]}`."""
    if output == "json":
        say_json({"reviews": [_value(verdict, each) for verdict, each in shown]})
        return
    for verdict, each in shown:
        say(f"{verdict.id}: {verdict.decision} on {verdict.head[:12]}{f', {each.url}' if each.url else ''}")
        for line in each.left:
            say(f"  {line}")


def _value(verdict: Verdict, shown: Shown) -> dict[str, object]:
    start = {"id": verdict.id, "head": verdict.head, "decision": verdict.decision, "status": STATUS[verdict.decision]}
    return {**start, **shown._asdict()}
