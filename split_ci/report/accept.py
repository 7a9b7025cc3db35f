"""What the criteria said: a line for each, JSON, or the output and the summary of a step of GitHub Actions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from split_ci.plain import visible
from split_ci.report import github
from split_ci.report.terminal import paint, say, say_json, warn
from split_ci.results import dump

if TYPE_CHECKING:
    from split_ci.results import CriterionResult, Results

SHOWN_LINES = 20


def show(results: Results, warning: str, form: str) -> None:
    """Prints results; `warning` says loudly why there was no sandbox."""
    if warning:
        warn(f"split-ci: warning: no sandbox: {visible(warning)}")
    if form == "json":
        say_json(json.loads(dump(results)) | {"ok": results.ok})
    elif form == "github":
        github.outputs({"ok": results.ok})
        github.summary([f"### {results.id}: {_count(results)}", "", *github.criteria_table(results.criteria)])
        with github.no_commands():
            _say(results)
    else:
        _say(results)


def _say(results: Results) -> None:
    for one in results.criteria:
        _show_criterion(one)
    say(f"{results.id}: {_count(results)}")


def _count(results: Results) -> str:
    held = sum(1 for one in results.criteria if _held(one))
    return f"{held} of {len(results.criteria)} criteria are as required (sandbox: {results.sandbox['kind']})"


def _held(one: CriterionResult) -> bool:
    return one.red is not False and one.green is True


def _show_criterion(one: CriterionResult) -> None:
    sign = paint("✓", "green") if _held(one) else paint("✗", "red")
    say(f"{sign} {one.id} {visible(one.run).splitlines()[0] if one.run else ''}  {one.seconds:.1f} s")
    if _held(one):
        return
    say(f"    {visible(one.reason)}")
    ran = one.base if one.red is False or one.result is None else one.result
    for line in (ran.output.splitlines() if ran else [])[-SHOWN_LINES:]:
        say(f"    | {visible(line)}")
