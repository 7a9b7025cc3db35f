"""What became of a changeset: words, JSON, or the outputs and the summary of a step of GitHub Actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.plain import visible
from split_ci.report import github
from split_ci.report.terminal import say, say_json

if TYPE_CHECKING:
    from split_ci.changeset import Changeset
    from split_ci.ports import Pull
    from split_ci.results import Results
    from split_ci.steps.publish import Published


def show(form: str, changeset: Changeset, results: Results, published: Published, pull: Pull | None) -> int:
    """Says it; the exit code."""
    outcome = published.outcome
    if form == "json":
        say_json({
            "id": published.id, "outcome": outcome.name, "reason": outcome.reason, "branch": published.branch,
            "base": changeset.base, "head": published.head, "attempt": published.attempt,
            "pull": pull.number if pull else None, "url": pull.url or None if pull else None,
        })  # fmt: skip
    elif form == "github":
        github.outputs({
            "outcome": outcome.name, "branch": published.branch, "head": published.head,
            "pull": pull.number if pull else None,
        })  # fmt: skip
        github.summary(_summary(changeset, results, published, pull))
        with github.no_commands():
            _say(published, pull)
    else:
        _say(published, pull)
    return 0 if outcome.name in ("done", "unchanged") else 1


def _say(published: Published, pull: Pull | None) -> None:
    outcome = published.outcome
    reason = f": {outcome.reason}" if outcome.reason else ""
    head = f" {published.head[:12]} on {published.branch}" if published.head else ""
    say(visible(f"{published.id}: {outcome.name}{head}{reason}"))
    if pull is not None and pull.url:
        say(visible(f"  {pull.url}"))


def _summary(changeset: Changeset, results: Results, published: Published, pull: Pull | None) -> list[str]:
    outcome = published.outcome
    lines = [f"### {published.id}: {outcome.name}", ""]
    if outcome.reason:
        lines += [github.cell(outcome.reason), ""]
    if pull is not None and pull.number:
        lines += [f"#{pull.number}", ""]
    return [*lines, *github.criteria_table(results.criteria), *github.bill_table({"implementer": changeset.usage})]
