"""`design` over recorded replies: it reads, is sent back, and saves a draft that passes; nothing paid for is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from split_ci import ledger
from split_ci.bill import is_design
from split_ci.git import Repo, clean_env
from split_ci.lesson import Lesson, render_lesson
from tests.builders import SOURCE, commit, git, make_repo, spec, split_ci

if TYPE_CHECKING:
    from pathlib import Path

    from split_ci.ledger import Entry

EDIT = "### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\n1\n```\n"
GOOD = spec(EDIT, accept="  - lacks: {in: a.txt, text: one}").rstrip() + "\n"
WRONG = GOOD.replace("\none\n", "\neins\n")
GREEN = spec(EDIT, accept="  - run: test -e a.txt")
LESSON = Lesson(
    "quote-first", "architect", "Read a file before you quote it. A spec quoted lines that had never been there."
)
USAGE = {"input": 1000, "output": 100}


def config(**more: object) -> str:
    row = "{api: scripted, model: recorded, replies: .replies.json, price: {input: 5, cached: 0.5, output: 25}}"
    keys = {"sandbox": "none", **more}
    return f"models:\n  strong: {row}\narchitect: strong\n" + "".join(f"{k}: {v}\n" for k, v in keys.items())


def make(root: Path, *said: str | dict[str, Any], **more: object) -> Path:
    """A repository whose architect answers with these, one after the other."""
    lesson = {"specs/coaching/quote-first.md": render_lesson(LESSON)}
    repo = make_repo(root, {"a.txt": "one\ntwo\n", ".split-ci.yaml": config(**more), **lesson})
    replies = [
        {
            "match": {"role": "architect", "turn": turn},
            "usage": USAGE,
            **(text if isinstance(text, dict) else {"text": text}),
        }
        for turn, text in enumerate(said, 1)
    ]
    (repo / ".git/info/exclude").write_text("/.replies.json\n")
    (repo / ".replies.json").write_text(json.dumps({"replies": replies}))
    return repo


def entries(repo: Path) -> list[Entry]:
    return ledger.read_all(Repo.find(str(repo)))


def answer(repo: Path, *args: str, code: int = 0) -> dict[str, Any]:
    found = json.loads(split_ci(repo, "design", *args, "--format", "json", code=code).stdout)
    jsonschema.validate(found, json.loads(files("split_ci").joinpath("schemas", "design.schema.json").read_text()))
    assert isinstance(found, dict)
    return found


def test_it_reads_is_sent_back_and_saves_a_draft(tmp_path: Path) -> None:
    repo = make(tmp_path / "r", "READ a.txt\nREAD ../../etc/passwd", f"SPEC\n{WRONG}", f"SPEC\n{GREEN}", f"SPEC\n{GOOD}")
    head, status = git(repo, "rev-parse", "HEAD"), git(repo, "status", "--porcelain")
    said = split_ci(repo, "design", "Count in digits!").stdout
    assert said.startswith("specs/count-in-digits.md\n  by strong (scripted): 3 answers, 1 file read\n")
    assert "  lessons: quote-first\n" in said
    assert (repo / "specs/count-in-digits.md").read_text() == GOOD.replace("status: ready", "status: draft")
    assert split_ci(repo, "check", "--prove").returncode == 0
    assert git(repo, "rev-parse", "HEAD") == head
    assert git(repo, "status", "--porcelain") == status + "?? specs/count-in-digits.md"
    [entry] = entries(repo)
    assert is_design(entry)
    assert (entry.id, entry.outcome, entry.round, entry.recorded, entry.lessons) == (
        "count-in-digits", "done", 3, True, ("quote-first",),
    )  # fmt: skip
    assert (entry.usage.calls, entry.usage.input) == (4, 4000)
    assert entry.usage.usd == pytest.approx(0.03)
    assert not list((repo / ".git/split-ci").rglob("*.*"))
    assert "designs" not in split_ci(repo, "report").stdout.split("the bill")[0]
    assert json.loads(split_ci(repo, "report", "--format", "json").stdout)["cost"]["designs"]["calls"] == 4


def test_the_problems_reach_the_model(tmp_path: Path) -> None:
    repo = make(tmp_path / "r", f"SPEC\n{WRONG}", {"text": f"SPEC\n{GOOD}", "match": {"turn": 2, "prompt": "SP301.*Fix:"}})
    assert answer(repo, "Count in digits")["outcome"] == "done"


def test_what_never_passes_is_kept_and_paid(tmp_path: Path) -> None:
    repo = make(tmp_path / "r", f"SPEC\n{GREEN}", "Sorry.", f"SPEC\n{WRONG}", limits="{rounds: 3}")
    done = split_ci(repo, "design", "Count in digits", code=1)
    assert "count-in-digits: failed: none of 3 answers passed" in done.stdout
    assert "SP301" in done.stdout
    kept = repo / ".git/split-ci/designs/count-in-digits.md"
    assert f"  the last answer is kept: {kept}\n" in done.stdout
    assert kept.read_text() == WRONG
    assert not (repo / "specs/count-in-digits.md").exists()
    [entry] = entries(repo)
    assert (entry.outcome, entry.usage.calls) == ("failed", 3)
    assert entry.usage.usd == pytest.approx(0.0225)
    split_ci(repo, "design", "Count in digits", code=1)
    assert kept.read_text() == (kept.parent / "count-in-digits.2.md").read_text()
    assert len(entries(repo)) == 2


DYING = """
import os
from split_ci.main import main
from split_ci.models.scripted import Scripted
answer = Scripted.ask
def ask(self, request):
    if len(request.messages) > 1:
        os.kill(os.getpid(), 9)
    return answer(self, request)
Scripted.ask = ask
main(["design", "Count in digits"])
"""


def test_a_killed_design_is_paid_and_kept(tmp_path: Path) -> None:
    repo = make(tmp_path / "r", f"SPEC\n{WRONG}", f"SPEC\n{GOOD}")
    env = clean_env({"PYTHONPATH": SOURCE})
    assert subprocess.run([sys.executable, "-P", "-c", DYING], cwd=repo, env=env, check=False).returncode == -9
    assert entries(repo) == []
    assert (repo / ".git/split-ci/designs/count-in-digits.md").read_text() == WRONG
    answer(repo, "Count in digits")
    (done,) = entries(repo)  # the same design went on: its first answer was not asked for again
    assert (done.outcome, done.reason) == ("done", "")
    assert (done.usage.calls, done.usage.input, done.usage.usd) == (3, 2000, None)
    assert (repo / ".git/split-ci/designs/count-in-digits.md").read_text() == WRONG


ENDS: dict[str, tuple[list[str | dict[str, Any]], int, str, str]] = {
    "the model refuses": ([{"text": "no", "stop": "refusal"}], 1, "refused", "the model refused to answer"),
    "the world fails": ([{"fail": "overloaded"}], 4, "failed", "scripted: overloaded (recorded)"),
    "the money is gone": (
        [{"text": f"SPEC\n{WRONG}", "usage": {"input": 90_000, "output": 20}}, f"SPEC\n{GOOD}"], 1, "over-limit",
        "0.4505 USD are spent, the cap is 0.25",
    ),
    "every answer is cut off": ([{"text": f"SPEC\n{GOOD}", "stop": "length"}] * 3, 1, "failed", "none of 3 answers passed"),
    "it only reads": (["READ a.txt"] * 11, 1, "failed", "none of 3 answers passed"),
}  # fmt: skip


@pytest.mark.parametrize(("said", "code", "outcome", "reason"), ENDS.values(), ids=ENDS)
def test_how_it_may_end(tmp_path: Path, said: list[str | dict[str, Any]], code: int, outcome: str, reason: str) -> None:
    repo = make(tmp_path / "r", *said)
    found = answer(repo, "Count in digits", code=code)
    assert (found["outcome"], found["reason"], found["path"]) == (outcome, reason, None)
    [entry] = entries(repo)
    assert (entry.outcome, entry.reason) == (outcome, reason)
    assert entry.usage.calls == found["cost"]["calls"] > 0
    assert list((repo / "specs").iterdir()) == [repo / "specs/coaching"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    repo = make(tmp_path / "r", f"SPEC\n{GOOD}")
    commit(repo, {"specs/landed/count-in-digits.md": "x", "specs/COUNT-in-digits-2.md": "x"})
    done = split_ci(repo, "design", "Count", "--id", "count-in-digits", code=1)
    assert "specs/count-in-digits.md is there already, and nothing is overwritten" in done.stderr
    assert entries(repo) == []
    assert answer(repo, "Count in digits")["path"] == "specs/count-in-digits-3.md"


def test_a_spec_that_would_meet_another_is_sent_back(tmp_path: Path) -> None:
    repo = make(tmp_path / "r", f"SPEC\n{GOOD}", f"SPEC\n{GOOD.replace('accept:', 'needs: [other]' + chr(10) + 'accept:')}")
    commit(repo, {"specs/other.md": GOOD.replace("\n1\n", "\nuno\n")})
    found = answer(repo, "Count in digits")
    assert (found["outcome"], found["answers"]) == ("done", 2)


def test_criteria_are_not_run_where_that_is_not_wanted(tmp_path: Path) -> None:
    repo = make(tmp_path / "r", f"SPEC\n{GREEN}")
    found = answer(repo, "Count in digits", "--no-prove")
    assert (found["outcome"], found["proved"], found["unproved"]) == ("done", False, "--no-prove")


USAGE_FAULTS = {
    "no goal": (["  "], "a goal has 1 to 20000 characters"),
    "no id": (["Goal", "--id", "A_b"], "--id A_b: not a spec id"),
    "an id that is taken": (["Goal", "--id", "readme"], "--id readme: not a spec id"),
    "no commit": (["Goal", "--base", "gone"], "no commit is named 'gone' here"),
}


@pytest.mark.parametrize(("args", "said"), USAGE_FAULTS.values(), ids=USAGE_FAULTS)
def test_a_command_line_that_can_not_be(tmp_path: Path, args: list[str], said: str) -> None:
    repo = make(tmp_path / "r", f"SPEC\n{GOOD}")
    assert said in split_ci(repo, "design", *args, code=2).stderr
    assert entries(repo) == []


def test_the_rules_design_nothing(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "one\n"})
    assert "a spec is designed by a model, and `architect` is 'rules'" in split_ci(repo, "design", "Goal", code=2).stderr
