"""The reviewer that is code: cheap, certain, and first. What it refuses never reaches a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.edit import apply_exact
from split_ci.reviewers import checks
from split_ci.reviewers.teaching import lesson_of
from split_ci.verdict import CriterionDecision, Finding, Receipt, Verdict, binding_fault, decide, review_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.changeset import Changed
    from split_ci.ports import Case

MAX_FINDINGS = 200
SUMMARY = {
    "approve": "Everything is as the spec writes it, and every criterion holds.",
    "request_changes": "",
    "incomplete": "Nothing is wrong that code can see.",
}


class Rules:
    """Recomputes scope, frozen files, criteria, references and `forbid` lessons. A `ports.Reviewer`."""

    name = "rules"

    def __init__(self, *, specs: str = "specs", protected: Sequence[str] = ()) -> None:
        self.specs = specs
        self.protected = tuple(protected)

    def review(self, case: Case) -> Verdict:
        """The verdict. Raises WorldError where the repository can't be read, and nothing else."""
        applied = apply_exact(case.spec.changes, case.before, case.spec.path)
        ground = checks.Ground(case, applied, self.specs, self.protected)
        found = [finding for check in checks.CHECKS for finding in check(ground)]
        meant = [finding for finding in found if finding.rule in ground.waived]
        findings = sorted((f for f in found if f not in meant), key=lambda f: (f.path, f.line, f.rule))[:MAX_FINDINGS]
        lesson = lesson_of(findings, case)
        wanted = Verdict(
            id=case.spec.id,
            digest=case.spec.digest,
            base=case.base,
            head=case.head,
            by=self.name,
            recorded=False,
            decision="approve" if ground.whole else "incomplete",
            summary="",
            findings=tuple(findings),
            criteria=_criteria(case),
            receipts=tuple(_receipt(change, case, findings) for change in case.changed),
            lessons=(lesson,) if lesson else (),
            review=review_id(case.head, self.name),
            waived=tuple(f"{f.rule} {f.path}:{f.line}: {f.message}" for f in meant[:MAX_FINDINGS]),
            round=case.round,
        )
        verdict = decide(wanted, case)
        summary = "\n".join(line for line in (SUMMARY[verdict.decision], verdict.summary) if line)
        return verdict._replace(summary=summary)


def _criteria(case: Case) -> tuple[CriterionDecision, ...]:
    """A decision for each criterion of the spec, from the exit codes that belong to this very result."""
    if case.results is None or binding_fault(case.results, case):
        return tuple(CriterionDecision(c.id, "unknown", "there is no result of it") for c in case.spec.accept)
    results = {result.id: result for result in case.results.criteria}
    decisions = []
    for criterion in case.spec.accept:
        result = results[criterion.id]
        met = result.green is True and result.red is not False
        known = result.green is not None or result.red is False
        decisions.append(CriterionDecision(criterion.id, "met" if met else "not_met" if known else "unknown", result.reason))
    return tuple(decisions)


def _receipt(change: Changed, case: Case, findings: Sequence[Finding]) -> Receipt:
    entry = case.after.entry(change.path)
    lines = 0 if change.file is None else count_lines(change.file.data)
    decision = "change" if any(f.path == change.path for f in findings) else "ok"
    return Receipt(change.path, entry.oid if entry else None, lines, lines, decision)


def count_lines(data: bytes) -> int:
    """How many lines a file has; a last one without its end counts."""
    return data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
