"""Problems: what `check` finds, each with a stable code.

A code is one row of `CODES`; its meaning, an example and the fix are the section of that name in `problems.md`,
which `split-ci explain` prints. The hundreds are kinds:

    SP1xx  the file: structure, front matter, types        SP5xx  criteria
    SP2xx  paths and protected paths                       SP6xx  specs among each other
    SP3xx  exact edits against the tree                    SP7xx  lessons
    SP4xx  taste and likelihood (these can be waived)
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]


class Code(NamedTuple):
    """A kind of problem. Only judgements of taste and likelihood are `waivable`."""

    title: str
    severity: Severity = "error"
    waivable: bool = False


class Problem(NamedTuple):
    """One finding in one file; `line` and `column` count from 1, `fix` is what to do next."""

    code: str
    path: str
    line: int
    message: str
    fix: str = ""
    column: int = 1
    severity: Severity = "error"


CODES: dict[str, Code] = {}


def problem(code: str, path: str, line: int, message: str, fix: str = "", column: int = 1) -> Problem:
    """A problem with its code's severity. Raises KeyError for a code without a row."""
    return Problem(code, path, line, message, fix, column, CODES[code].severity)
