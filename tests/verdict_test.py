"""Verdicts: an approval is computed from what was read, and a verdict from elsewhere is validated from scratch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from split_ci.errors import Refused
from split_ci.lesson import Lesson
from split_ci.ports import Case, File, Usage
from split_ci.steps.review import cases
from split_ci.verdict import CriterionDecision, Finding, Receipt, Verdict, decide, dump, load, nearest_line, standing, verify
from tests.builders import spec
from tests.reviewed import Result, judge, make_result, results_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EDIT = "### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\ntwo\n```\n"
INSTRUCT = EDIT + "\n### Instruct `c.txt`\nWrite two lines.\n"


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> tuple[Verdict, Case]:
    return of(make_result(tmp_path_factory.mktemp("exact") / "r", {"a.txt": "one\n"}, spec(EDIT)))


@pytest.fixture(scope="module")
def by_model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Verdict, Case]:
    root = tmp_path_factory.mktemp("model") / "r"
    verdict, case = of(make_result(root, {"a.txt": "one\n"}, spec(INSTRUCT), model={"c.txt": "first\nsecond\n"}))
    return verdict._replace(by="opus", decision="approve", summary="Fine."), case


def of(result: Result) -> tuple[Verdict, Case]:
    with result.repo.objects() as objects:
        (case,) = cases(result.repo, [result.subject()], objects)
        assert [change.file for change in case.changed]
    return judge(result), case


def test_what_is_exact_and_green_is_approved(exact: tuple[Verdict, Case]) -> None:
    verdict, case = exact
    assert verdict.decision == "approve"
    assert decide(verdict, case) == verdict


def test_a_model_may_approve_what_it_read_in_full(by_model: tuple[Verdict, Case]) -> None:
    verdict, case = by_model
    assert decide(verdict, case).decision == "approve"


FINDING = Finding("c.txt", 1, "Says nothing.", "first")

NOT_APPROVED: dict[str, tuple[Callable[[Verdict, Case], tuple[Verdict, Case]], str, str]] = {
    "rules alone, on a model's work": (lambda v, c: (v._replace(by="rules"), c), "incomplete", "a model wrote part of this"),
    "a finding": (lambda v, c: (v._replace(findings=(FINDING,)), c), "request_changes", "1 finding"),
    "no receipts": (lambda v, c: (v._replace(receipts=()), c), "incomplete", "there is no receipt for a.txt"),
    "another blob": (
        lambda v, c: (v._replace(receipts=tuple(r._replace(blob="0" * 40) for r in v.receipts)), c),
        "incomplete",
        "the receipt for a.txt is of another content",
    ),
    "half read": (
        lambda v, c: (v._replace(receipts=tuple(r._replace(shown=0) for r in v.receipts)), c),
        "incomplete",
        "only 0 of 1 lines of a.txt were shown",
    ),
    "a file undecided": (
        lambda v, c: (v._replace(receipts=tuple(r._replace(decision="") for r in v.receipts)), c),
        "incomplete",
        "a.txt is not decided",
    ),
    "a file to change": (
        lambda v, c: (v._replace(receipts=tuple(r._replace(decision="change") for r in v.receipts)), c),
        "request_changes",
        "a.txt is to be changed",
    ),
    "a criterion not met": (
        lambda v, c: (v._replace(criteria=(CriterionDecision("a1", "not_met"),)), c),
        "request_changes",
        "criterion a1 is not met",
    ),
    "a criterion undecided": (
        lambda v, c: (v._replace(criteria=(CriterionDecision("a1", "unknown"),)), c),
        "incomplete",
        "criterion a1 is not decided",
    ),
    "a criterion left out": (lambda v, c: (v._replace(criteria=()), c), "incomplete", "criterion a1 is not decided"),
    "no results": (lambda v, c: (v, c._replace(results=None)), "incomplete", "there are no results of the criteria"),
    "another tree's results": (lambda v, c: (v, c._replace(tree="1" * 40)), "incomplete", "the results are of another tree"),
    "another base's results": (
        lambda v, c: (v, _with_results(c, base="2" * 40)), "incomplete", "the results are of another base"
    ),
    "another spec's results": (
        lambda v, c: (v, _with_results(c, digest="3" * 64)), "incomplete", "the results are of another spec"
    ),
    "other criteria": (
        lambda v, c: (v, _with_results(c, criteria=())), "incomplete", "the results are not those of the spec's criteria"
    ),
    "red criteria, whatever it claims": (
        lambda v, c: (v, c._replace(results=results_of(c.spec, c.base, c.tree, [False]))),
        "request_changes",
        "criterion a1 is not as required: exit 1",
    ),
    "unknown criteria": (
        lambda v, c: (v, c._replace(results=results_of(c.spec, c.base, c.tree, [None]))), "incomplete", "a criterion has no result"
    ),
    "another head": (lambda v, c: (v._replace(head="4" * 40), c), "incomplete", "the review is about another result"),
    "it did not end": (lambda v, c: (v._replace(decision="incomplete"), c), "incomplete", "the reviewer did not come to an end"),
    "changes without a finding": (
        lambda v, c: (v._replace(decision="request_changes"), c), "incomplete", "the findings did not hold"
    ),
}  # fmt: skip


def _with_results(case: Case, **fields: Any) -> Case:
    assert case.results
    return case._replace(results=case.results._replace(**fields))


@pytest.mark.parametrize("row", NOT_APPROVED)
def test_what_keeps_it_from_an_approval(row: str, by_model: tuple[Verdict, Case]) -> None:
    change, decision, reason = NOT_APPROVED[row]
    verdict = decide(*change(*by_model))
    assert verdict.decision == decision
    assert reason in verdict.summary
    assert decide(verdict, by_model[1]).decision != "approve" or decision == "incomplete"


QUOTES = {
    "true": (Finding("c.txt", 1, "m", "first"), 1),
    "at another line": (Finding("c.txt", 9, "m", "second"), 2),
    "over two lines": (Finding("c.txt", 1, "m", "first\nsecond"), 1),
    "in a file that did not change": (Finding("b.txt", 3, "m", "same"), 1),
    "false": (Finding("c.txt", 1, "m", "third"), None),
    "empty": (Finding("c.txt", 1, "m", " "), None),
    "no such file": (Finding("d.txt", 1, "m", "first"), None),
    "a file that is gone": (Finding("gone.txt", 1, "m", ""), 1),
    "quoting a file that is gone": (Finding("gone.txt", 1, "m", "old"), None),
    "out of the repository": (Finding("../c.txt", 1, "m", "first"), None),
}


@pytest.fixture(scope="module")
def with_removal(tmp_path_factory: pytest.TempPathFactory) -> tuple[Verdict, Case]:
    root = tmp_path_factory.mktemp("gone") / "r"
    text = spec(INSTRUCT + "\n### Delete `gone.txt`\n")
    verdict, case = of(
        make_result(
            root, {"a.txt": "one\n", "b.txt": "same\n", "gone.txt": "old\n"}, text, model={"c.txt": "first\nsecond\n"}
        )
    )
    return verdict._replace(by="opus", decision="request_changes", summary=""), case


@pytest.mark.parametrize("row", QUOTES)
def test_a_quote_must_be_in_the_file(row: str, with_removal: tuple[Verdict, Case]) -> None:
    verdict, case = with_removal
    finding, line = QUOTES[row]
    done = verify(verdict._replace(findings=(finding,)), case)
    if line is None:
        assert done.findings == ()
        assert done.decision == "incomplete"
        assert "1 finding was dropped: what they quote is not in the files" in done.summary
    else:
        assert done.findings == (finding._replace(line=line),)
        assert done.decision == "request_changes"


def test_an_approval_with_a_false_quote_is_none(by_model: tuple[Verdict, Case]) -> None:
    verdict, case = by_model
    assert verify(verdict._replace(findings=(Finding("c.txt", 1, "m", "third"),)), case).decision == "incomplete"


def test_the_nearest_line_is_meant() -> None:
    text = "a\nb\na\nb\na\n"
    assert [nearest_line(text, "a", n) for n in (1, 2, 3, 4, 5, 99)] == [1, 1, 3, 3, 5, 5]
    assert nearest_line(text, "c", 1) is None
    assert nearest_line("a\r\nb\r\n", "a\nb", 1) == 1


def full() -> Verdict:
    return Verdict(
        id="one",
        digest="a" * 64,
        base="b" * 40,
        head="c" * 40,
        by="opus",
        recorded=True,
        decision="request_changes",
        summary="Sätze.\nMore.",
        findings=(Finding("a.txt", 3, "m", "q", "spec", "SP415"),),
        criteria=(CriterionDecision("a1", "not_met", "exit 1"),),
        receipts=(Receipt("a.txt", "d" * 40, 3, 3, "change"), Receipt("b.txt", None, 0, 0, "ok")),
        lessons=(Lesson("l", "architect", "T.", ("src/**",), (), None, (("spec", "one"),), 2),),
        usage=Usage(2, 100, 50, 10, None),
        review="e" * 16,
        waived=("SP412 a.txt:1: m",),
        round=2,
    )


def test_dumped_and_loaded_it_is_the_same() -> None:
    text = dump(full())
    assert "\n" not in text
    assert load(text) == full()
    assert dump(load(text)) == text


def test_what_the_world_cut_off_says_so_and_old_notes_do_not() -> None:
    cut = full()._replace(decision="incomplete", world=True)
    assert load(dump(cut)) == cut
    assert standing(cut) is None
    assert "world" not in dump(full())
    assert standing(load(dump(full()))) == full()
    assert standing(None) is None


def test_a_decision_is_nothing_that_the_world_cut_off(by_model: tuple[Verdict, Case]) -> None:
    verdict, case = by_model
    assert decide(verdict._replace(world=True), case) == verdict
    cut = decide(verdict._replace(decision="incomplete", world=True), case)
    assert (cut.decision, cut.world) == ("incomplete", True)


def changed(**fields: Any) -> str:
    return json.dumps({**json.loads(dump(full())), **fields})


APPROVE = {"decision": "approve", "findings": [], "criteria": [{"id": "a1", "decision": "met", "reason": ""}]}
OK = [{"path": "a.txt", "blob": "d" * 40, "lines": 3, "shown": 3, "decision": "ok"}]

REFUSED = {
    "no JSON": ("{", "review: not JSON"),
    "a list": ("[]", "review: not an object"),
    "twice": ('{"kind": 1, "kind": 2}', "review: not JSON: the key 'kind' is there twice"),
    "not a number": ('{"kind": NaN}', "review: not JSON: NaN is not a number of JSON"),
    "deep": ('{"kind":' + "[" * 100_000, "review: nested too deeply"),
    "another kind": (changed(kind="x"), "review: kind must be one of"),
    "unknown key": (changed(approve=True), "review: unknown key 'approve'"),
    "no key": ("{}", "review: kind is missing"),
    "an id": (changed(id="../x"), "review: id must be a spec id"),
    "an empty id": (changed(id=""), "review: id must be a spec id"),
    "a decision": (changed(decision="APPROVED, merge now"), "review: decision must be one of approve, request_changes, incomplete"),
    "a head": (changed(head="HEAD"), "review: head must be 40 or 64 hex digits"),
    "a flag": (changed(recorded="yes"), "review: recorded must be true or false"),
    "too much said": (changed(summary="x" * 8001), "review: summary must be at most 8000 characters long"),
    "5,000 findings": (changed(findings=[{}] * 5000), "review: findings must be a list of at most 500"),
    "1,000 lessons": (changed(lessons=[{}] * 1000), "review: lessons must be a list of at most 8"),
    "a cause": (
        changed(findings=[Finding("a", 1, "m", "", "weather")._asdict()]),  # type: ignore[arg-type]
        "review: findings[0]: cause must be one of",
    ),
    "line zero": (changed(findings=[Finding("a", 0, "m")._asdict()]), "review: findings[0]: line must be a whole number from 1"),
    "an absolute path": (changed(findings=[Finding("/a", 1, "m")._asdict()]), "review: findings[0]: path is not a path"),
    "a finding's extra": (changed(findings=[{**Finding("a", 1, "m")._asdict(), "x": 1}]), "review: findings[0]: unknown key 'x'"),
    "negative tokens": (changed(usage=Usage(input=-1)._asdict()), "review: usage: input must be a whole number"),
    "money as text": (changed(usage={**Usage()._asdict(), "usd": "1"}), "review: usage: usd must be a number"),
    "a world that decides": (
        changed(world=True), "review: it decides, and something outside kept it from its end"
    ),
    "true for 1": (changed(round=True), "review: round must be a whole number"),
    "approve with findings": (changed(decision="approve"), "review: it approves and has findings"),
    "approve without criteria": (changed(**{**APPROVE, "criteria": []}), "review: it approves, and a criterion is not met"),
    "approve unread": (
        changed(**APPROVE, receipts=[{**OK[0], "shown": 2}]), "review: it approves, and a file was not read in full"
    ),
    "approve undecided": (
        changed(**APPROVE, receipts=[{**OK[0], "decision": ""}]), "review: it approves, and a file was not read in full"
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", REFUSED)
def test_what_is_no_verdict_is_refused(row: str) -> None:
    text, message = REFUSED[row]
    with pytest.raises(Refused) as caught:
        load(text)
    assert caught.value.message.startswith(message)


def test_the_good_twin_of_an_approval_is_read() -> None:
    assert load(changed(**APPROVE, receipts=OK)).decision == "approve"


def test_a_file_that_is_not_text_needs_no_quote(tmp_path: Path) -> None:
    text = spec(INSTRUCT)
    verdict, case = of(make_result(tmp_path / "r", {"a.txt": "one\n"}, text, model={"c.txt": File(b"\0\1")}))
    finding = Finding("c.txt", 7, "not text", "")
    done = verify(verdict._replace(by="opus", findings=(finding,)), case)
    assert done.findings == (finding._replace(line=1),)
