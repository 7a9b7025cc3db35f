"""The audit: what is cheap work in the ledger, what session files come to, and that no file is too large or too broken."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from split_ci.errors import UsageError
from split_ci.ledger import CriterionSummary, Entry
from split_ci.ports import Usage
from split_ci.settings import Config, ModelConfig, Price
from split_ci.steps import audit
from split_ci.steps.audit import audit_entries, audit_transcripts, cheap_rung
from tests.transcript_test import EDIT, READ, claude

if TYPE_CHECKING:
    from pathlib import Path

STRONG = ModelConfig("strong", "openai", "big", price=Price(10, 1, 50))
CHEAP = ModelConfig("cheap", "openai", "small", price=Price(1, 0.1, 5))
CONFIG = Config(models={"strong": STRONG, "cheap": CHEAP}, architect="strong", implementers=("exact", "cheap", "strong"))
MADE = "a" * 40
PAID = Usage(1, 1_000_000, 0, 0, 10.0)
GREEN = (CriterionSummary("a1", True, True, 0.1), CriterionSummary("a2", None, True, 0.1))


def entry(**more: object) -> Entry:
    made = Entry("a", "0" * 64, "1", "implementer", "cheap", "2026-03-02T00:00:00Z", MADE, usage=PAID, edits={"model": 1})
    return made._replace(**more)  # type: ignore[arg-type]


REVIEW = entry(role="architect", name="strong", decision="approve", edits={})
EXACT = entry(name="exact", usage=Usage(), edits={"exact": 2, "model": 0}, criteria=GREEN)
ROWS = {
    "the cheap rung typed": ([entry()], ""),
    "the architect typed": ([entry(name="strong")], "architect-typed"),
    "the architect typed, recorded": ([entry(name="strong (scripted)")], "architect-typed"),
    "a rung with the architect's model": ([entry(name="twin")], "architect-typed"),
    "a rung that is no longer configured": ([entry(name="gone")], ""),
    "a model was paid, and all was exact": ([entry(edits={"exact": 1, "model": 0})], "exact-by-model"),
    "a model was paid and failed": ([entry(edits={"exact": 1}, outcome="failed")], ""),
    "the architect read what was exact": ([EXACT, REVIEW], "exact-reviewed"),
    "it read what a model typed": ([entry(usage=Usage()), REVIEW], ""),
    "it read what was not green": ([EXACT._replace(criteria=(CriterionSummary("a1", True, False, 0.1),)), REVIEW], ""),
    "it designed": ([EXACT, REVIEW._replace(decision="")], ""),
    "code read it": ([EXACT, REVIEW._replace(usage=Usage())], ""),
    "nothing was paid": ([EXACT], ""),
}


@pytest.mark.parametrize(("entries", "kind"), ROWS.values(), ids=ROWS)
def test_cheap_work_in_the_ledger(entries: list[Entry], kind: str) -> None:
    config = CONFIG._replace(models={**CONFIG.models, "twin": STRONG._replace(name="twin")})
    found = audit_entries(entries, config)
    assert {one.kind: one.cost.usd for one in found.ledger if one.cost.calls} == ({kind: 10.0} if kind else {})
    assert [one.specs for one in found.ledger if one.cost.calls] == ([("a",)] if kind else [])


def test_what_it_would_have_cost() -> None:
    found = {one.kind: one.cheap_usd for one in audit_entries([entry(name="strong")], CONFIG).ledger}
    assert found == {"architect-typed": 1.0, "exact-by-model": 0.0, "exact-reviewed": 0.0}
    unknown = CONFIG._replace(models={"strong": STRONG, "cheap": CHEAP._replace(price=None, model="no-such-model")})
    assert audit_entries([entry(name="strong")], unknown).ledger[0].cheap_usd is None


def test_the_rules_have_no_model_to_be_too_dear() -> None:
    config = CONFIG._replace(architect="rules")
    assert not any(one.cost.calls for one in audit_entries([entry(name="rules"), entry(name="strong")], config).ledger)


def test_the_cheapest_rung() -> None:
    assert cheap_rung(CONFIG) == ("cheap", CHEAP.price)
    assert cheap_rung(CONFIG._replace(implementers=("exact", "strong"))) == ("", None)
    assert cheap_rung(Config()) == ("", None)


def session(path: Path, *lines: object) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines))
    return str(path)


def test_sessions_by_model_and_kind(tmp_path: Path) -> None:
    usage = {"input_tokens": 100_000, "cache_read_input_tokens": 900_000, "output_tokens": 10_000}
    session(
        tmp_path / "p/one.jsonl", claude("m", EDIT, usage=usage, model="big"), claude("n", READ, usage=usage, model="big")
    )
    session(
        tmp_path / "p/deep/two.jsonl", claude("m", EDIT, usage=usage, model="big"), claude("o", READ, model="small"), b"{"
    )
    (tmp_path / "p/notes.txt").write_text("not a session")
    found = audit_transcripts([str(tmp_path / "p")], CONFIG)
    assert (found.transcripts, found.lines, found.broken, found.unread, found.cheap) == (2, 5, 1, (), "cheap")
    assert found.files == (("a.py", 1),)
    big, small = found.sessions
    assert (big.model, big.calls, big.edits) == ("big", 2, 1)
    kinds = {kind.kind: kind for kind in big.kinds}
    assert (kinds["typing"].input, kinds["typing"].cached, kinds["typing"].output) == (1_000_000, 900_000, 10_000)
    assert kinds["typing"].usd == kinds["reading"].usd == pytest.approx(1.0 + 0.9 + 0.5)
    assert (kinds["thinking"].output, kinds["running"].usd) == (0, 0.0)
    assert big.saved is not None
    assert big.saved.least == 0.0
    assert big.saved.most == pytest.approx(2.4 * 0.9)
    assert (small.model, small.calls, small.edits) == ("small", 1, 0)


def test_an_unknown_model_has_no_price(tmp_path: Path) -> None:
    found = audit_transcripts([session(tmp_path / "a.jsonl", claude("m", EDIT, model="no-such-model"))], CONFIG)
    assert {kind.usd for kind in found.sessions[0].kinds} == {None}
    assert found.sessions[0].saved is None


def test_a_line_that_is_too_long_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MAX_LINE", 1000)
    long = b'"' + b"x" * 5500 + b'"'
    path = session(tmp_path / "a.jsonl", claude("m", EDIT), long, b"", claude("n", EDIT), b"y" * 3000)
    found = audit_transcripts([path], CONFIG)
    assert (found.lines, found.broken, found.sessions[0].calls) == (4, 2, 2)


def test_names_and_models_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MAX_NAMES", 2)
    monkeypatch.setattr(audit, "MAX_MODELS", 2)
    lines = [claude(str(n), {**EDIT, "input": {"file_path": f"f{n}"}}, model=f"m{n}") for n in range(5)]
    found = audit_transcripts([session(tmp_path / "a.jsonl", *lines)], CONFIG)
    assert dict(found.files) == {"f0": 1, "f1": 1, "(others)": 3}
    assert {one.model: one.calls for one in found.sessions} == {"m0": 1, "m1": 1, "(others)": 3}


def test_what_is_no_plain_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jsonl")
    (tmp_path / "b.jsonl").symlink_to(tmp_path / "gone")
    found = audit_transcripts([str(tmp_path)], CONFIG)
    assert (found.transcripts, len(found.unread), found.lines) == (2, 2, 0)


def test_a_path_at_which_nothing_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is nothing"):
        audit_transcripts([str(tmp_path / "gone")], CONFIG)
