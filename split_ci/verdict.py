"""A review's verdict. Done is computed, never claimed: `decide` is the only place where an approval can come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from split_ci.ports import Usage

if TYPE_CHECKING:
    from split_ci.lesson import Lesson

Decision = Literal["approve", "request_changes", "incomplete"]
Cause = Literal["implementer", "spec", "environment", "lesson"]


class Finding(NamedTuple):
    """One remark. `quote` stands verbatim in the file at the head (empty for a file that is gone); `rule` names a `rules` check."""

    path: str
    line: int
    message: str
    quote: str = ""
    cause: Cause = "implementer"
    rule: str = ""


class Receipt(NamedTuple):
    """One changed file, and how much of it the reviewer was shown. `shown` counts lines; `blob` is None for a deletion."""

    path: str
    blob: str | None
    lines: int
    shown: int
    decision: str = ""  # ok | change | "" (not decided)


class CriterionDecision(NamedTuple):
    id: str
    decision: str  # met | not_met | unknown
    reason: str = ""


class Verdict(NamedTuple):
    id: str
    digest: str
    base: str
    head: str
    by: str  # `rules`, or the model's name
    recorded: bool  # a scripted model spoke
    decision: Decision
    summary: str
    findings: tuple[Finding, ...]
    criteria: tuple[CriterionDecision, ...]
    receipts: tuple[Receipt, ...]
    lessons: tuple[Lesson, ...]
    usage: Usage = Usage()


def dump(verdict: Verdict) -> str:
    raise NotImplementedError


def load(text: str) -> Verdict:
    raise NotImplementedError
