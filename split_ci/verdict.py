"""A review's verdict. Done is computed, never claimed: `decide` is the only place where an approval can come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from split_ci.errors import Refused
from split_ci.fields import Fields, canonical, read_object
from split_ci.plain import counted
from split_ci.ports import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from split_ci.lesson import Lesson
    from split_ci.ports import Case, File
    from split_ci.results import Results

Decision = Literal["approve", "request_changes", "incomplete"]
Cause = Literal["implementer", "spec", "environment", "lesson"]

DECISIONS = ("approve", "request_changes", "incomplete")
DECIDED = {"approve": "approved", "request_changes": "changes requested", "incomplete": "incomplete"}
CAUSES = ("implementer", "spec", "environment", "lesson")
CRITERION_DECISIONS = ("met", "not_met", "unknown")
FILE_DECISIONS = ("ok", "change", "")
KIND = "split-ci verdict 1"
MAX_BYTES = 32 * 1024 * 1024
MAX_FINDINGS = 500
MAX_LESSONS = 8  # of which one is taught
MAX_RECEIPTS = 200_000
MAX_MESSAGE = 4_000
MAX_QUOTE = 4_000
MAX_SUMMARY = 8_000


class Finding(NamedTuple):
    """One remark. `quote` stands verbatim in the file at the head (empty where it is gone); `rule` names a check."""

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
    """`review` is this review's own id; `waived` names what was found and is meant, one line each."""

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
    review: str = ""
    waived: tuple[str, ...] = ()
    round: int = 1
    world: bool = False  # incomplete by what another hour may mend: a model, its server, the day's money


def standing(verdict: Verdict | None) -> Verdict | None:
    """The verdict that counts; None where there is none yet, or where something outside kept it from its end."""
    return None if verdict is None or verdict.world else verdict


def by_rules_alone(verdict: Verdict | None) -> bool:
    """Whether code alone has looked, and could not judge it."""
    return verdict is not None and (verdict.by, verdict.decision) == ("rules", "incomplete")


def review_id(head: str, by: str) -> str:
    """The id of a review that is the same whenever it is done again: one by code."""
    from hashlib import sha256  # noqa: PLC0415

    return sha256(f"{head} {by}".encode()).hexdigest()[:16]


def decide(verdict: Verdict, case: Case) -> Verdict:
    """The verdict with the decision that its contents and the case carry; `verdict.decision` is what the reviewer wants.

    The only way to an approval. Findings ask for changes; whatever was not seen, not decided or not bound to this very
    result makes it incomplete; code alone approves only what is wholly exact.
    """
    asks = next(_asks_for_changes(verdict, case), "")
    if asks:
        return verdict._replace(decision="request_changes", summary=_said(verdict.summary, asks), world=False)
    lacks = next(_lacks(verdict, case), "")
    if lacks:
        return verdict._replace(decision="incomplete", summary=_said(verdict.summary, f"incomplete: {lacks}"))
    return verdict._replace(decision="approve", world=False)


def _said(summary: str, reason: str) -> str:
    if reason in summary:
        return summary
    return f"{summary}\n{reason}".strip()[:MAX_SUMMARY]


def _asks_for_changes(verdict: Verdict, case: Case) -> Iterator[str]:
    if verdict.findings:
        yield counted(len(verdict.findings), "finding")
    for criterion in verdict.criteria:
        if criterion.decision == "not_met":
            yield f"criterion {criterion.id} is not met"
    for receipt in verdict.receipts:
        if receipt.decision == "change":
            yield f"{receipt.path} is to be changed"
    if case.results is not None and binding_fault(case.results, case) is None:
        for result in case.results.criteria:
            if result.red is False or result.green is False:
                yield f"criterion {result.id} is not as required: {result.reason}"


def _lacks(verdict: Verdict, case: Case) -> Iterator[str]:
    if (verdict.id, verdict.digest, verdict.base, verdict.head) != (case.spec.id, case.spec.digest, case.base, case.head):
        yield "the review is about another result"
    if verdict.decision != "approve":
        yield "the reviewer did not come to an end" if verdict.decision == "incomplete" else "the findings did not hold"
    fault = "there are no results of the criteria" if case.results is None else binding_fault(case.results, case)
    if fault:
        yield fault
    if case.results is not None and not case.results.ok:
        yield "a criterion has no result"
    yield from _undecided_criteria(verdict, case)
    yield from _unseen_files(verdict, case)
    if verdict.by == "rules" and any(change.by != "exact" for change in case.changed):
        yield "a model wrote part of this, and code alone can't judge it"


def binding_fault(results: Results, case: Case) -> str | None:
    """Why results are not those of this very case; None where they are."""
    if (results.id, results.digest) != (case.spec.id, case.spec.digest):
        return "the results are of another spec"
    if results.base != case.base:
        return "the results are of another base"
    if case.tree and results.tree != case.tree:
        return "the results are of another tree"
    if tuple(c.id for c in results.criteria) != tuple(c.id for c in case.spec.accept):
        return "the results are not those of the spec's criteria"
    return None


def _undecided_criteria(verdict: Verdict, case: Case) -> Iterator[str]:
    decided = {c.id: c.decision for c in verdict.criteria}
    if not case.spec.accept:
        yield "there is no criterion"
    for criterion in case.spec.accept:
        if decided.get(criterion.id) != "met":
            yield f"criterion {criterion.id} is not decided"


def _unseen_files(verdict: Verdict, case: Case) -> Iterator[str]:
    receipts = {r.path: r for r in verdict.receipts}
    for change in case.changed:
        receipt = receipts.get(change.path)
        if receipt is None:
            yield f"there is no receipt for {change.path}"
            continue
        entry = case.after.entry(change.path)
        if receipt.blob != (entry.oid if entry else None):
            yield f"the receipt for {change.path} is of another content"
        if receipt.shown < receipt.lines:
            yield f"only {receipt.shown} of {receipt.lines} lines of {change.path} were shown"
        if receipt.decision != "ok":
            yield f"{change.path} is not decided"


def verify(verdict: Verdict, case: Case) -> Verdict:
    """The verdict without findings whose quote is not in the file, decided anew. Lines are moved to the quote's."""
    held = [found for found in (_held(finding, case) for finding in verdict.findings) if found is not None]
    dropped = len(verdict.findings) - len(held)
    if dropped:
        was = "1 finding was" if dropped == 1 else f"{dropped} findings were"
        said = _said(verdict.summary, f"{was} dropped: what they quote is not in the files")
        wanted: Decision = "incomplete" if verdict.decision == "approve" else verdict.decision
        verdict = verdict._replace(summary=said, decision=wanted)
    return decide(verdict._replace(findings=tuple(held)), case)


def _held(finding: Finding, case: Case) -> Finding | None:
    file = case.after.read(finding.path)
    if file is None:
        return _held_of_gone(finding, case)
    text = _text_or_none(file)
    if text is None or not text.strip():
        return None if finding.quote.strip() else finding._replace(quote="", line=1)
    if not finding.quote.strip():
        return None
    line = nearest_line(text, finding.quote, finding.line)
    return None if line is None else finding._replace(line=line)


def _held_of_gone(finding: Finding, case: Case) -> Finding | None:
    if finding.path in {change.path for change in case.changed} or case.before.entry(finding.path):
        return None if finding.quote.strip() else finding._replace(quote="", line=1)
    return None


def _text_or_none(file: File) -> str | None:
    try:
        return None if b"\0" in file.data else file.data.decode()
    except UnicodeDecodeError:
        return None


def nearest_line(text: str, quote: str, line: int) -> int | None:
    """The line (from 1) nearest to `line` on which a quote begins; None where there is none. Line ends fall together."""
    text, quote = text.replace("\r\n", "\n"), quote.replace("\r\n", "\n")
    quote = quote.strip("\n")
    best, at, number, counted = None, text.find(quote), 1, 0
    while at >= 0:
        number += text.count("\n", counted, at)
        counted = at
        if best is None or abs(number - line) < abs(best - line):
            best = number
        if number > line:
            break
        at = text.find(quote, at + 1)
    return best


def dump(verdict: Verdict) -> str:
    """Canonical JSON in one line."""
    from split_ci.lesson import as_value  # noqa: PLC0415

    value: dict[str, Any] = {"kind": KIND, **verdict._asdict()}
    value["usage"] = verdict.usage._asdict()
    value["findings"] = [f._asdict() for f in verdict.findings]
    value["criteria"] = [c._asdict() for c in verdict.criteria]
    value["receipts"] = [r._asdict() for r in verdict.receipts]
    value["lessons"] = [as_value(lesson) for lesson in verdict.lessons]
    if not verdict.world:
        del value["world"]
    return canonical(value)


def load(text: str, what: str = "review") -> Verdict:
    """Reads what `dump` wrote. Raises Refused for anything else, and for an approval that its own contents don't carry."""
    fields = read_object(text, what, MAX_BYTES)
    fields.one_of("kind", (KIND,))
    verdict = _read(fields)
    fields.end()
    fault = _fault(verdict)
    if fault:
        raise Refused(f"{what}: {fault}")
    return verdict


def _read(fields: Fields) -> Verdict:
    from split_ci.lesson import read_value  # noqa: PLC0415

    return Verdict(
        id=fields.spec_id("id"),
        digest=fields.hex("digest", (64,)),
        base=fields.hex("base"),
        head=fields.hex("head"),
        by=fields.text("by", 200),
        recorded=fields.flag("recorded"),
        decision=cast("Decision", fields.one_of("decision", DECISIONS)),
        summary=fields.text("summary", MAX_SUMMARY),
        findings=fields.objects("findings", _read_finding, MAX_FINDINGS),
        criteria=fields.objects("criteria", _read_criterion, 1000),
        receipts=fields.objects("receipts", _read_receipt, MAX_RECEIPTS),
        lessons=fields.objects("lessons", read_value, MAX_LESSONS),
        usage=read_usage(fields.object("usage")),
        review=fields.text("review", 32),
        waived=fields.texts("waived", MAX_FINDINGS),
        round=fields.integer("round", 1, 1000),
        world="world" in fields and fields.flag("world"),
    )


def read_usage(fields: Fields) -> Usage:
    """A usage as JSON has it. Raises Refused."""
    usage = Usage(
        fields.integer("calls"),
        fields.integer("input"),
        fields.integer("cached"),
        fields.integer("output"),
        fields.number_or_none("usd"),
    )
    fields.end()
    return usage


def _read_finding(fields: Fields) -> Finding:
    return Finding(
        path=_path(fields),
        line=fields.integer("line", 1),
        message=fields.text("message", MAX_MESSAGE),
        quote=fields.text("quote", MAX_QUOTE),
        cause=cast("Cause", fields.one_of("cause", CAUSES)),
        rule=fields.text("rule", 100),
    )


def _read_criterion(fields: Fields) -> CriterionDecision:
    decision = fields.one_of("decision", CRITERION_DECISIONS)
    return CriterionDecision(fields.text("id", 16), decision, fields.text("reason", MAX_MESSAGE))


def _read_receipt(fields: Fields) -> Receipt:
    return Receipt(
        path=_path(fields),
        blob=fields.hex_or_none("blob"),
        lines=fields.integer("lines"),
        shown=fields.integer("shown"),
        decision=fields.one_of("decision", FILE_DECISIONS),
    )


def _path(fields: Fields) -> str:
    """A path as git's trees have it: it is shown and looked up in trees, never opened."""
    path = fields.text("path", 4096)
    if not path or "\0" in path or path.startswith("/"):
        raise Refused(f"{fields.what}: path is not a path in a repository")
    return path


def _fault(verdict: Verdict) -> str | None:
    """Why a verdict contradicts itself."""
    if verdict.world and verdict.decision != "incomplete":
        return "it decides, and something outside kept it from its end"
    if verdict.decision != "approve":
        return None
    if verdict.findings:
        return "it approves and has findings"
    if not verdict.criteria or any(c.decision != "met" for c in verdict.criteria):
        return "it approves, and a criterion is not met"
    if any(r.decision != "ok" or r.shown < r.lines for r in verdict.receipts):
        return "it approves, and a file was not read in full"
    return None
