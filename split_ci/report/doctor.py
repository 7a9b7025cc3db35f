"""The findings of `doctor`, one a line, each with the way to mend it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from split_ci.plain import visible
from split_ci.report.terminal import paint, say, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.examined import Finding

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def show(findings: Sequence[Finding], *, as_json: bool) -> None:
    """JSON: `{"ok", "checks": [{"name", "state", "message", "mend"}]}`."""
    if as_json:
        ok = all(finding.state != "fail" for finding in findings)
        say_json({"ok": ok, "checks": [finding._asdict() for finding in findings]})
        return
    for finding in findings:
        say(f"{paint(f'{finding.state:<5}', COLOURS[finding.state])} {finding.name:<14} {visible(finding.message)}")
        if finding.mend:
            say(f"{'':<21}{paint('mend: ' + finding.mend, 'dim')}")
    count = Counter(finding.state for finding in findings)
    say(f"\n{count['ok']} ok, {count['warn']} that could be better, {count['fail']} that must be mended")
