"""What a step of GitHub Actions hands on and shows: outputs (ids, digests, numbers) and the job's summary.

An output is one line whose value has been held against its own pattern: nothing that a model or a repository wrote gets
into one. Everything that goes to the log is kept from being read as a command of the runner.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from split_ci.plain import visible
from split_ci.report.bill import money
from split_ci.report.terminal import command, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from split_ci.ports import Usage
    from split_ci.results import CriterionResult

ID = r"[a-z0-9][a-z0-9-]{0,62}"
COMMIT = r"[0-9a-f]{40}(?:[0-9a-f]{24})?"
NUMBER = r"[0-9]{1,10}"
FLAG = r"true|false"
OUTPUTS = {
    "go": FLAG, "ok": FLAG, "anew": FLAG, "changed": FLAG,
    "id": ID, "digest": r"[0-9a-f]{64}", "attempt": r"[0-9a-f]{16}",
    "base": COMMIT, "head": COMMIT, "parent": COMMIT,
    "branch": rf"split-ci/{ID}",
    "round": NUMBER, "pull": NUMBER, "started": NUMBER, "held": NUMBER, "recovered": NUMBER, "findings": NUMBER,
    "outcome": r"done|unchanged|failed|stale|refused|over-limit|blocked",
    "decision": r"approve|request_changes|incomplete",
}  # fmt: skip
SUMMARY_BYTES = 1_000_000  # of one step; GitHub drops what is over 1 MiB, all of it
CELL = 200
ROWS = 500


def outputs(values: Mapping[str, object]) -> None:
    """Hands values on to later jobs; None is an empty one. Raises ValueError for one that is not what its name says."""
    lines = "".join(f"{name}={_checked(name, value)}\n" for name, value in values.items())
    path = os.environ.get("GITHUB_OUTPUT")
    if path:
        _append(path, lines)
    else:
        say(lines.rstrip("\n"))


def _checked(name: str, value: object) -> str:
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    if text and not re.fullmatch(OUTPUTS[name], text):
        raise ValueError(f"the output {name} can't be {text[:80]!r}")
    return text


def summary(lines: Iterable[str]) -> None:
    """Adds Markdown to the job's summary, as much of it as the platform shows; what is left out is said."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    room = SUMMARY_BYTES - (os.path.getsize(path) if os.path.exists(path) else 0)
    every = list(lines) if room > 0 else []  # what is full has said so
    kept: list[str] = []
    for line in every:
        room -= len(line.encode("utf-8", "backslashreplace")) + 1
        if room < 0:
            break
        kept.append(line)
    if len(kept) < len(every):
        kept += ["", f"{len(every) - len(kept)} more lines are left out."]
    _append(path, "".join(f"{line}\n" for line in kept))


def _append(path: str, text: str) -> None:
    with open(path, "a", encoding="utf-8", errors="backslashreplace", newline="") as file:
        file.write(text)


@contextmanager
def no_commands() -> Iterator[None]:
    """What is said inside is shown by the runner, and never obeyed, however it begins."""
    mark = secrets.token_hex(16)
    command(f"::stop-commands::{mark}")
    try:
        yield
    finally:
        command(f"::{mark}::")


def cell(text: str) -> str:
    """Foreign text as code in a cell of a table: one line, no end of the cell or of the code in it."""
    line = " ".join(visible(text).split())
    line = line if len(line) <= CELL else line[: CELL - 1] + "…"
    return f"`{line.replace('`', chr(39)).replace('|', chr(92) + '|')}`" if line else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table's lines; rows beyond the first 500 are counted."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in rows[:ROWS]), ""]
    return [*lines, f"and {len(rows) - ROWS} more", ""] if len(rows) > ROWS else lines


def criteria_table(criteria: Sequence[CriterionResult]) -> list[str]:
    """What every criterion said before and after."""
    rows = [
        (one.id, cell(one.run), _said(one.red), _said(one.green), f"{one.seconds:.1f} s", cell(one.reason))
        for one in criteria
    ]
    return table(("", "criterion", "red before", "green after", "time", ""), rows)


def _said(holds: bool | None) -> str:
    return "-" if holds is None else "yes" if holds else "**no**"


def bill_table(usages: Mapping[str, Usage]) -> list[str]:
    """What each role cost."""
    rows = [
        (name, str(usage.calls), f"{usage.input:,} ({usage.cached:,} cached)", f"{usage.output:,}", money(usage.usd))
        for name, usage in usages.items()
    ]
    return table(("cost", "calls", "tokens in", "tokens out", "money"), rows)
