"""Rounds: what a model gets wrong is sent back, what it can't mend ends, and every attempt that was paid for is kept."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from split_ci.git import Repo
from split_ci.sandbox import Sandbox
from split_ci.settings import Config
from split_ci.spec import parse_spec
from split_ci.steps.accept import Acceptance
from tests.builders import git, make_repo, spec, split_ci, write

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
models:
  cheap: {api: scripted, model: recorded, replies: replies.json, price: {input: 1, cached: 1, output: 1}}
implementers: [exact, cheap]
"""
ARCHITECT = """\
models:
  cheap: {api: scripted, model: recorded, replies: replies.json, price: {input: 1, cached: 1, output: 1}}
  strong: {api: scripted, model: recorded, replies: replies.json}
implementers: [exact, cheap]
architect: strong
"""
INSTRUCT = spec("### Instruct `a.txt`\nSay uno.\n", accept="  - run: grep -q uno a.txt")
USAGE = {"input": 100, "output": 10}


def block(text: str, path: str = "a.txt") -> str:
    return f"{path}\n<<<<<<< SEARCH\none\n=======\n{text}\n>>>>>>> REPLACE\n"


def reply(text: str, **match: Any) -> dict[str, Any]:
    return {"match": {"role": "implementer", **match}, "text": text, "usage": USAGE}


def judged(decision: str, *findings: dict[str, Any], earlier: int = 0, **match: Any) -> dict[str, Any]:
    answer = {
        "summary": "Read.", "decision": decision,
        "files": [{"path": "a.txt", "decision": "ok" if decision == "approve" else "change", "reason": ""}],
        "findings": findings, "criteria": [{"id": "a1", "decision": "met", "reason": ""}],
        "earlier": [{"number": n + 1, "state": "fixed", "reason": ""} for n in range(earlier)],
        "coaching": {"answer": "No.", "lessons": []},
    }  # fmt: skip
    return {"match": {"role": "architect", **match}, "text": json.dumps(answer), "usage": USAGE}


def finding(cause: str) -> dict[str, Any]:
    return {"path": "a.txt", "line": 1, "quote": "uno", "message": "say it louder", "cause": cause}


def repo_with(tmp_path: Path, *replies: dict[str, Any], config: str = CONFIG, text: str = INSTRUCT) -> Path:
    repo = make_repo(
        tmp_path / "r", {"a.txt": "one\n", "specs/first.md": text, ".split-ci.yaml": config, ".gitignore": "replies.json\n"}
    )
    write(repo, {"replies.json": json.dumps({"replies": list(replies)})})
    return repo


def run(repo: Path, code: int = 0) -> dict[str, Any]:
    done = split_ci(repo, "run", "--format", "json", code=code)
    (one,) = json.loads(done.stdout)["specs"]
    return dict(one)


def attempts(repo: Path) -> list[str]:
    return git(repo, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/split-ci/").splitlines()


def ledger(repo: Path) -> list[dict[str, Any]]:
    lines = []
    for row in git(repo, "notes", "--ref=split-ci", "list").splitlines():
        lines += [json.loads(line) for line in git(repo, "cat-file", "blob", row.split()[0]).splitlines()]
    return lines


def test_a_model_does_what_is_left(tmp_path: Path) -> None:
    repo = repo_with(tmp_path, reply(block("uno")))
    one = run(repo)
    assert (one["outcome"], one["edits"]["model"], one["usage"]["implementer"]["calls"]) == ("done", 1, 1)
    assert one["review"]["decision"] == "incomplete"  # rules alone never approve what a model wrote
    assert one["usd"] == pytest.approx(0.00011)


def test_a_red_criterion_is_sent_back_before_anything_is_published(tmp_path: Path) -> None:
    repo = repo_with(
        tmp_path, reply(block("eins"), round=1), reply(block("uno"), round=2, prompt="(?s)It is undone.*-one\\n\\+eins\\n")
    )
    one = run(repo)
    assert (one["outcome"], one["rounds"], one["usage"]["implementer"]["calls"]) == ("done", 2, 2)
    assert git(repo, "show", "split-ci/first:a.txt") == "uno"
    assert git(repo, "rev-list", "--count", "main..split-ci/first") == "1"
    assert attempts(repo) == ["attempts/first/1", "attempts/first/2"]
    assert {(e["round"], e["outcome"]) for e in ledger(repo) if e["role"] == "implementer"} == {(1, "failed"), (2, "done")}


def test_rounds_are_capped_and_every_attempt_is_kept(tmp_path: Path) -> None:
    replies = [reply(block(word), round=n) for n, word in enumerate(("eins", "un", "ein"), 1)]
    repo = repo_with(tmp_path, *replies)
    one = run(repo, code=1)
    assert (one["outcome"], one["rounds"], one["branch"]) == ("failed", 3, None)
    assert one["reason"].startswith("a1 (grep -q uno a.txt): ")
    assert len(attempts(repo)) == 3
    assert len(ledger(repo)) == 3


def test_a_criterion_that_is_green_on_the_base_is_nothing_that_a_model_can_mend(tmp_path: Path) -> None:
    text = spec("### Instruct `a.txt`\nSay uno.\n", accept="  - run: grep -q one a.txt")
    repo = repo_with(tmp_path, reply(block("uno")), text=text)
    one = run(repo, code=1)
    assert (one["outcome"], one["rounds"]) == ("failed", 1)


def test_findings_make_a_new_commit_on_the_branch(tmp_path: Path) -> None:
    repo = repo_with(
        tmp_path, reply(block("uno"), round=1), reply(block("UNO uno").replace("\none\n", "\nuno\n"), round=2),
        judged("request_changes", finding("implementer"), round=1), judged("approve", earlier=1, round=2), config=ARCHITECT,
    )  # fmt: skip
    one = run(repo)
    assert (one["outcome"], one["rounds"], one["review"]["decision"]) == ("done", 2, "approve")
    assert git(repo, "rev-list", "--count", "main..split-ci/first") == "2"
    assert git(repo, "show", "split-ci/first:a.txt") == "UNO uno"
    assert one["usd"] is None  # one price is not known, and that is said


def test_a_finding_against_the_spec_ends_the_rounds(tmp_path: Path) -> None:
    repo = repo_with(tmp_path, reply(block("uno")), judged("request_changes", finding("spec")), config=ARCHITECT)
    one = run(repo, code=1)
    assert (one["outcome"], one["rounds"], one["review"]["decision"]) == ("done", 1, "request_changes")


def down(**match: Any) -> dict[str, Any]:
    """The architect's server does not answer."""
    return {"match": {"role": "architect", **match}, "fail": "503"}


def again(repo: Path, *replies: dict[str, Any]) -> dict[str, Any]:
    """The next run, with other answers."""
    write(repo, {"replies.json": json.dumps({"replies": list(replies)})})
    return run(repo)


def reviews(repo: Path) -> list[str]:
    """The decisions of the architect's reviews that the ledger knows, in their order."""
    return [e["decision"] for e in sorted(ledger(repo), key=lambda e: str(e["at"])) if e["role"] == "architect"]


def test_a_review_that_the_world_cut_off_is_asked_for_again_by_the_next_run_once(tmp_path: Path) -> None:
    repo = repo_with(tmp_path, reply(block("uno")), down(), config=ARCHITECT)
    one = run(repo)
    assert (one["outcome"], one["review"]["decision"]) == ("done", "incomplete")
    (state,) = json.loads(split_ci(repo, "status", "--format", "json").stdout)["specs"]
    assert (state["state"], state["reason"]) == (
        "done", "its review was cut off, and is asked for again: scripted: 503 (recorded)"
    )  # fmt: skip
    head = git(repo, "rev-parse", "split-ci/first")
    for times in (2, 3):
        assert again(repo, down())["review"]["decision"] == "incomplete"
        assert reviews(repo) == ["incomplete"] * times
    one = again(repo, judged("approve"))
    assert (one["outcome"], one["head"], one["review"]["decision"]) == ("unchanged", head, "approve")
    assert one["criteria"][0]["green"] is True
    assert sorted(reviews(repo)) == ["approve", "incomplete", "incomplete", "incomplete"]
    assert again(repo)["review"]["decision"] == "approve"  # nobody is asked any more
    assert len([e for e in ledger(repo) if e["role"] == "implementer"]) == 1


def test_a_review_that_comes_late_may_ask_for_the_next_round(tmp_path: Path) -> None:
    repo = repo_with(tmp_path, reply(block("uno")), down(), config=ARCHITECT)
    run(repo)
    one = again(
        repo, reply(block("UNO uno").replace("\none\n", "\nuno\n"), round=2),
        judged("request_changes", finding("implementer"), round=1), down(round=2),
    )  # fmt: skip
    assert (one["rounds"], one["review"]["decision"]) == (2, "incomplete")
    one = again(repo, judged("approve", earlier=1, round=2))
    assert (one["outcome"], one["review"]["decision"]) == ("unchanged", "approve")


def test_a_review_that_its_own_answer_left_incomplete_stays(tmp_path: Path) -> None:
    """No other hour mends that, and neither does it what code alone can't judge."""
    refused = {**judged("approve"), "text": "No.", "stop": "refusal"}
    repo = repo_with(tmp_path / "one", reply(block("uno")), refused, config=ARCHITECT)
    assert run(repo)["review"]["decision"] == "incomplete"
    assert again(repo, judged("approve"))["review"]["decision"] == "incomplete"
    assert reviews(repo) == ["incomplete"]
    repo = repo_with(tmp_path / "two", reply(block("uno")))
    assert run(repo)["review"]["decision"] == "incomplete"
    note = git(repo, "rev-parse", "refs/notes/split-ci-review")
    assert run(repo)["review"]["decision"] == "incomplete"
    assert git(repo, "rev-parse", "refs/notes/split-ci-review") == note


def test_a_run_that_was_cut_off_between_rounds_goes_on(tmp_path: Path) -> None:
    first = (reply(block("uno"), round=1), judged("request_changes", finding("implementer"), round=1))
    then = (reply(block("UNO uno").replace("\none\n", "\nuno\n"), round=2), judged("approve", earlier=1, round=2))
    repo = repo_with(tmp_path, *first, config=ARCHITECT)
    run(repo, code=1)
    write(repo, {"replies.json": json.dumps({"replies": [*first, *then]})})
    one = run(repo)
    assert (one["rounds"], one["review"]["decision"]) == (2, "approve")


def test_a_drifted_edit_is_ported_and_marked(tmp_path: Path) -> None:
    text = spec("### Edit `a.txt`\nBefore:\n```\nONE\n```\nAfter:\n```\nuno\n```\n", accept="  - run: grep -q uno a.txt")
    repo = repo_with(tmp_path, reply(block("uno")), text=text)
    one = run(repo)
    assert (one["outcome"], one["edits"]) == ("done", {"exact": 0, "adapted": 1, "model": 0})


BAD = {
    "another path": (block("uno", "b.txt"), "b.txt"),
    "out of the repository": (block("uno", "../b.txt"), "../b.txt"),
    "the configuration": (block("uno", ".split-ci.yaml"), ".split-ci.yaml"),
    "no block": ("All done, the criteria pass.", ""),
}


@pytest.mark.parametrize("name", BAD)
def test_what_a_model_may_not_write_is_not_written(tmp_path: Path, name: str) -> None:
    text, named = BAD[name]
    repo = repo_with(tmp_path, reply(text))
    one = run(repo, code=1)
    assert one["outcome"] in ("failed", "refused")
    assert named in one["reason"]
    assert git(repo, "for-each-ref", "refs/heads/split-ci") == ""
    assert ledger(repo)


def test_nothing_is_paid_where_the_base_proves_a_criterion_wrong(tmp_path: Path) -> None:
    text = spec("### Instruct `a.txt`\nSay uno.\n", accept="  - contains: {in: a.txt, text: one}")
    repo = repo_with(tmp_path, reply(block("uno")), text=text)
    one = run(repo, 1)
    assert (one["outcome"], one["usage"]["implementer"]["calls"]) == ("failed", 0)
    assert one["reason"].startswith("a1 is wrong on the base already: ")
    assert attempts(repo) == []


def test_a_base_s_commands_begin_while_the_model_thinks(tmp_path: Path) -> None:
    repo = Repo.find(str(make_repo(tmp_path / "r", {"a.txt": "one\n"})))
    flag = tmp_path / "ran"
    wanted = parse_spec(
        spec("### Instruct `a.txt`\nSay uno.\n", accept=f"  - run: touch {flag}").encode(), "specs/first.md"
    ).spec
    assert wanted is not None
    base = repo.commit("HEAD")
    with Acceptance(repo, config=Config(), sandbox=Sandbox("none")) as acceptance:
        acceptance.expect(wanted, base)
        for _ in range(2000):
            time.sleep(0.01)
            said = acceptance.objection(wanted, base)
            if said:
                break
        assert said.startswith("a1 is wrong on the base already: ")
        assert flag.exists()
