"""The report's figures: what counts as a first pass, in which week, and what each entry cost."""

from __future__ import annotations

from datetime import date

import pytest

from split_ci.ledger import Entry
from split_ci.ports import Usage
from split_ci.settings import Config, ModelConfig, Price
from split_ci.steps.report import WEEKS, Passes, Report, compile_report, monday_of

CONFIG = Config(models={"strong": ModelConfig("strong", "openai", "s", price=Price(5, 0.5, 25))}, architect="strong")
TODAY = date(2026, 3, 4)
MADE, AGAIN = "a" * 40, "b" * 40
PAID = Usage(1, 100, 0, 10, 0.5)


def attempt(**more: object) -> Entry:
    made = Entry("a", "0" * 64, "1", "implementer", "cheap", "2026-03-02T00:00:00Z", MADE, usage=PAID, edits={"model": 1})
    return made._replace(**more)  # type: ignore[arg-type]


def review(decision: str, commit: str = MADE) -> Entry:
    return attempt(attempt="r" + commit[0], role="architect", name="strong", commit=commit, decision=decision, edits={})


def told(*entries: Entry, decisions: dict[str, str] | None = None) -> Report:
    return compile_report(entries, decisions or {}, CONFIG, TODAY)


FIRST = {
    "approved at once": ([attempt(), review("approve")], Passes(1, 1, 0)),
    "sent back": ([attempt(), review("request_changes")], Passes(0, 1, 0)),
    "sent back, then approved": (
        [attempt(), review("request_changes"), attempt(attempt="2", round=2, commit=AGAIN), review("approve", AGAIN)],
        Passes(0, 1, 0),
    ),
    "criteria red, then another round": ([attempt(outcome="failed"), attempt(attempt="2", round=2)], Passes(0, 1, 0)),
    "it failed": ([attempt(outcome="failed", commit=None)], Passes(0, 1, 0)),
    "a rung gave up and the next was approved": (
        [attempt(outcome="failed", commit=AGAIN), attempt(attempt="2"), review("approve")],
        Passes(1, 1, 0),
    ),
    "the world ended it": ([attempt(outcome="failed", commit=None, world=True)], Passes()),
    "the world ended it, and the next was approved": (
        [attempt(outcome="failed", commit=None, world=True), attempt(attempt="2"), review("approve")],
        Passes(1, 1, 0),
    ),
    "not reviewed": ([attempt()], Passes(0, 0, 1)),
    "a review that did not end": ([attempt(), review("incomplete")], Passes(0, 0, 1)),
    "a failed attempt that someone approved": ([attempt(outcome="failed"), review("approve")], Passes(0, 1, 0)),
}


@pytest.mark.parametrize(("entries", "passes"), FIRST.values(), ids=FIRST)
def test_first_passes(entries: list[Entry], passes: Passes) -> None:
    found = told(*entries)
    assert (found.typed, found.exact) == (passes, Passes())
    exact = [e._replace(usage=Usage()) if e.role == "implementer" else e for e in entries]
    assert (told(*exact).typed, told(*exact).exact) == (Passes(), passes)


def test_a_review_by_code_is_in_the_notes_alone() -> None:
    assert told(attempt(), decisions={MADE: "approve"}).typed == Passes(1, 1, 0)
    assert told(attempt(), decisions={AGAIN: "approve"}).typed == Passes(0, 0, 1)


def test_an_edited_spec_counts_anew() -> None:
    other = attempt(attempt="2", digest="1" * 64, commit=AGAIN)
    found = told(attempt(), other, review("request_changes"), review("approve", AGAIN))
    assert (found.typed, found.specs, found.attempts, found.reviews) == (Passes(1, 2, 0), 1, 2, 2)


def test_edits_are_those_of_the_last_result() -> None:
    found = told(attempt(edits={"exact": 1, "model": 2}), attempt(attempt="2", round=2, edits={"exact": 1, "model": 1}))
    assert found.edits == {"exact": 1, "adapted": 0, "model": 1}


def test_weeks_without_anything_are_told_too() -> None:
    found = told(attempt(at="2026-02-11T23:59:59Z"), review("approve"), attempt(attempt="2", id="b", commit=AGAIN))
    assert [(week.monday.isoformat(), week.passes, week.implementer.usd, week.architect.usd) for week in found.weeks] == [
        ("2026-02-09", Passes(1, 1, 0), 0.5, 0.0),
        ("2026-02-16", Passes(), 0.0, 0.0),
        ("2026-02-23", Passes(), 0.0, 0.0),
        ("2026-03-02", Passes(0, 0, 1), 0.5, 0.5),
    ]


def test_only_the_newest_weeks_are_told() -> None:
    found = told(attempt(at="1999-01-01"), attempt(attempt="2", at="2026-03-01"), attempt(attempt="3", at="2024-03-12"))
    assert (len(found.weeks), found.weeks[0].monday) == (WEEKS - 1, date(2024, 3, 11))
    assert found.bill.total.usd == 1.5


@pytest.mark.parametrize("at", ["", "yesterday", "2026-13-01", "9999-12-31T00:00:00Z", "2026-03-06"])
def test_a_time_that_can_not_be(at: str) -> None:
    assert monday_of(at, TODAY) is None
    found = told(attempt(at=at))
    assert (found.undated, found.weeks, found.bill.total.usd) == (1, (), 0.5)


def test_nothing_at_all() -> None:
    found = told()
    assert (found.specs, found.weeks, found.bill.counterfactual, found.typed) == (0, (), None, Passes())
