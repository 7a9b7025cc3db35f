"""`report` and `audit` as they are typed: text, JSON by the schema, and a page that loads nothing and believes nobody."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from importlib.resources import files
from typing import TYPE_CHECKING

import jsonschema
import pytest

from split_ci import ledger
from split_ci.git import Repo
from split_ci.ledger import Entry
from split_ci.lesson import Lesson, render_lesson
from split_ci.ports import Usage
from tests.builders import git, make_repo, split_ci
from tests.transcript_test import EDIT, claude

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
models:
  strong: {api: openai, model: big, key: K, price: {input: 5, cached: 0.5, output: 25}}
  cheap: {api: openai, model: small, key: K, price: {input: 0.1, cached: 0.02, output: 0.4}}
architect: strong
implementers: [exact, cheap]
"""
LESSON = Lesson("mind-the-gap", "implementer", "Keep a < b, and x & y apart.", taught_by=(("spec", "a"),))


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    lesson = {"specs/coaching/mind-the-gap.md": render_lesson(LESSON)}
    root = make_repo(tmp_path / "a <b> & c", {"a.txt": "one\n", ".split-ci.yaml": CONFIG, **lesson})
    head = git(root, "rev-parse", "HEAD")
    made = Entry(
        "a", "0" * 64, "1", "implementer", "cheap", "2026-03-02T00:00:00Z", head, head, edits={"exact": 1, "model": 1}
    )
    entries = [
        made._replace(usage=Usage(2, 100_000, 0, 10_000, 0.014), lessons=("mind-the-gap",)),
        made._replace(
            attempt="2", role="architect", name="strong", usage=Usage(1, 9000, 0, 500, 0.0575), decision="approve"
        ),
        made._replace(attempt="3", id="b", commit=None, usage=Usage(1, 10, 0, 1, None), name="stranger", outcome="failed"),
    ]
    assert ledger.write(Repo.find(str(root)), entries)
    return root


def valid(name: str, text: str) -> dict[str, object]:
    schema = json.loads(files("split_ci").joinpath("schemas", f"{name}.schema.json").read_text())
    answer = json.loads(text)
    jsonschema.validate(answer, schema)
    assert isinstance(answer, dict)
    return answer


def test_report_in_lines(repo: Path) -> None:
    said = split_ci(repo, "report").stdout
    assert "  typed by a model: 1 of 2\n" in said
    assert "  cost: architect    1 call, 9000 tokens in (0 cached), 500 out, $0.0575\n" in said
    assert "out, at least $0.0140, 1 call of unknown price\n" in said
    assert "  without the split: not known: 1 call has no known price (models.<name>.price)\n" in said
    assert "mind-the-gap: 1 of 1 with it, 0 of 1 without: too few to say\n" in said
    assert "  2026-03-02  passed at once 1 of 2;" in said


def test_report_in_json(repo: Path) -> None:
    answer = valid("report", split_ci(repo, "report", "--format", "json").stdout)
    assert answer["first_pass"] == {
        "typed": {"passed": 1, "decided": 2, "open": 0},
        "exact": {"passed": 0, "decided": 0, "open": 0},
    }
    assert answer["counterfactual"] is None


class Reader(HTMLParser):
    """What a page would load, and whether its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [
            name
            for name, _ in attrs
            if name in ("src", "href", "xlink:href", "action", "data", "srcset") or name[:2] == "on"
        ]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_loads_nothing_and_escapes_everything(repo: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("old")
    assert f"written: {page}" in split_ci(repo, "report", "--html", str(page)).stdout
    reader = Reader()
    reader.feed(page.read_text())
    assert (reader.open, reader.loads) == ([], [])
    assert not reader.tags & {"script", "img", "link", "iframe", "object", "b>"}
    assert "url(" not in page.read_text()
    assert "@import" not in page.read_text()
    assert LESSON.text in reader.text
    assert "a <b> & c" in reader.text
    assert "at least $0.0140, 1 call of unknown price" in reader.text


def test_an_empty_ledger(tmp_path: Path) -> None:
    root = make_repo(tmp_path / "r", {"a.txt": "one\n"})
    assert split_ci(root, "report").stdout == "the ledger is empty: split-ci run fills it\n"
    page = tmp_path / "page.html"
    valid("report", split_ci(root, "report", "--html", str(page), "--format", "json").stdout)
    assert "No model was called." in page.read_text()
    assert split_ci(root, "audit").stdout.startswith("the ledger is empty")
    valid("audit", split_ci(root, "audit", "--format", "json").stdout)


def test_a_page_that_can_not_be_written(repo: Path) -> None:
    done = split_ci(repo, "report", "--html", "/dev/null/page.html", code=4)
    assert "/dev/null: " in done.stderr
    assert "Traceback" not in done.stderr


def test_audit_of_the_ledger(repo: Path) -> None:
    assert split_ci(repo, "audit").stdout == "no cheap work was paid dearly in 3 entries of the ledger\n"
    valid("audit", split_ci(repo, "audit", "--format", "json").stdout)


def test_audit_says_nothing_that_was_said(repo: Path, tmp_path: Path) -> None:
    secret = {"type": "text", "text": "the password is xyzzy"}
    named = {**EDIT, "input": {"file_path": "src/\x1b[31ma.py", "old_string": "plugh", "new_string": "plover"}}
    file = tmp_path / "s.jsonl"
    file.write_text(json.dumps(claude("m", secret, named, model="big")) + "\n{broken xyzzy\n")
    said = split_ci(repo, "audit", str(file)).stdout
    answer = split_ci(repo, "audit", str(file), "--format", "json").stdout
    for text in (said, answer):
        assert not [word for word in ("xyzzy", "plugh", "plover", "password", "\x1b") if word in text]
    assert "      1  src/\\x1b[31ma.py\n" in said
    assert "1 session files, 2 lines, 1 of them not readable" in said
    assert "as specs: between nothing and about $" in said
    valid("audit", answer)


def test_audit_of_what_is_not_there(repo: Path) -> None:
    done = split_ci(repo, "audit", "gone.jsonl", code=2)
    assert "gone.jsonl: there is nothing" in done.stderr
