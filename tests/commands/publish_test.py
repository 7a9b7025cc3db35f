"""A result by files, as a workflow hands them on: from implement to record; and results that are not what they claim."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import commit, git, make_repo, spec, split_ci
from tests.commands.gate_test import EDIT, FILES, Work, raw, work
from tests.invariants import untouched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Value = dict[str, Any]

__all__ = ["work"]  # a fixture


def test_from_implement_to_record(tmp_path: Path) -> None:
    """Every step in a process of its own, with nothing but files between them; each again changes nothing."""
    repo = make_repo(tmp_path / "r", FILES)
    steps: list[tuple[str, ...]] = [
        ("implement", "one", "--base", "HEAD", "--out", "../c.json"), ("gate", "../c.json", "--base", "HEAD"),
        ("accept", "../c.json", "--out", "../a.json"), ("publish", "../c.json", "--accept", "../a.json"),
        ("review", "one", "--accept", "../a.json", "--out", "../v.json", "--exit-code"), ("comment", "../v.json"),
        ("coach", "../v.json"), ("record", "../c.json", "../a.json", "../v.json"),
    ]  # fmt: skip
    with untouched(repo):
        for words in steps:
            split_ci(repo, *words)
        done = git(repo, "for-each-ref")
        for words in steps:
            split_ci(repo, *words)
    assert git(repo, "for-each-ref") == done
    assert git(repo, "show", "split-ci/one:a.txt") == "uno"
    assert git(repo, "show", "split-ci/one:specs/landed/one.md") == FILES["specs/one.md"].strip()
    assert "approved, by rules" in git(repo, "log", "-1", "--notes=split-ci*", "split-ci/one")
    assert split_ci(repo, "land", "one").returncode == 0
    assert git(repo, "show", "HEAD:a.txt") == "uno"
    run = make_repo(tmp_path / "whole", FILES)
    split_ci(run, "run", "one")
    assert git(run, "rev-parse", "split-ci/one") == git(repo, "rev-parse", "split-ci/one")


def test_what_it_says(work: Work) -> None:
    done = split_ci(work.repo, "publish", "../two.json", "--accept", "../two.results.json")
    head = git(work.repo, "rev-parse", "split-ci/two")
    assert done.stdout == f"two: done {head[:12]} on split-ci/two\n"
    told = json.loads(
        split_ci(work.repo, "publish", "../two.json", "--accept", "../two.results.json", "--format", "json").stdout
    )
    assert told == {
        "id": "two", "outcome": "unchanged", "reason": "split-ci/two holds the result of this generation",
        "branch": "split-ci/two", "base": work.later, "head": head, "attempt": "refs/split-ci/attempts/two/1",
        "pull": None, "url": None,
    }  # fmt: skip


@pytest.mark.parametrize("where", ["configuration", "environment"])
def test_a_forge_that_can_not_be_reached_is_not_taken_for_none(tmp_path: Path, where: str) -> None:
    """Before anything is made. What works on this repository alone goes on."""
    work = Work(tmp_path)
    if where == "configuration":
        commit(work.repo, {".split-ci.yaml": "forge: github\n"})
    env = {"GITHUB_REPOSITORY": "ada/one", "GITHUB_TOKEN": "", "GH_TOKEN": ""}
    before = git(work.repo, "for-each-ref")
    asked = ("publish", "../one.json", "--accept", "../one.results.json")
    done = split_ci(work.repo, *asked, code=2, env=env)
    assert done.stderr.splitlines()[0] == "split-ci: error: forge: github: there is no remote origin"
    git(work.repo, "remote", "add", "origin", "../elsewhere.git")
    done = split_ci(work.repo, *asked, code=2, env=env)
    assert done.stderr.splitlines()[0] == "split-ci: error: forge: github: none of GITHUB_TOKEN and GH_TOKEN is set"
    assert git(work.repo, "for-each-ref") == before
    split_ci(work.repo, "run", "one", env=env)
    assert git(work.repo, "show", "split-ci/one:a.txt") == "uno"


def test_a_persons_commit_on_the_branch_is_left_alone(tmp_path: Path) -> None:
    work = Work(tmp_path)
    split_ci(work.repo, "publish", "../one.json", "--accept", "../one.results.json")
    git(work.repo, "worktree", "add", "-q", "../w", "split-ci/one")
    theirs = commit(tmp_path / "w", {"a.txt": "mine\n"})
    git(work.repo, "worktree", "remove", "../w")
    commit(work.repo, {"specs/one.md": spec(EDIT.format("uno!"), accept="  - contains: {in: a.txt, text: uno}")})
    split_ci(work.repo, "implement", "one", "--base", "HEAD", "--out", "../n.json")
    split_ci(work.repo, "accept", "../n.json", "--out", "../n.results.json")
    done = split_ci(work.repo, "publish", "../n.json", "--accept", "../n.results.json", code=1)
    assert done.stdout == f"one: blocked: split-ci/one holds {theirs[:12]}, which is not the bot's: it is left alone\n"
    assert git(work.repo, "rev-parse", "split-ci/one") == theirs


def criterion(value: Value, number: int = 0, **fields: Any) -> Value:
    criteria = [{**one, **fields} if at == number else one for at, one in enumerate(value["criteria"])]
    return {**value, "criteria": criteria}


TAMPERED: dict[str, tuple[Callable[[Work, Value], Value], str]] = {
    "results of another changeset": (
        lambda w, v: w.value("two.results.json"), "one: refused: rule results: they are of another changeset"),
    "another changeset's digest": (
        lambda w, v: {**v, "changeset": "0" * 64}, "one: refused: rule results: they are of another changeset"),
    "another base": (lambda w, v: {**v, "base": "a" * 40}, "one: refused: rule results: they are of another changeset"),
    "another spec's digest": (
        lambda w, v: {**v, "digest": "0" * 64}, "one: refused: rule results: they are of another changeset"),
    "another tree": (lambda w, v: {**v, "tree": "a" * 40}, "one: refused: rule results: they are of the tree aaaaaaaaaaaa, not of "),
    "a criterion less": (
        lambda w, v: {**v, "criteria": v["criteria"][:1]},
        "one: refused: rule results: they are not of the criteria that the spec asks for"),
    "another command": (
        lambda w, v: criterion(v, run="true"), "one: refused: rule results: they are not of the criteria that the spec asks for"),
    "nothing of the base": (
        lambda w, v: criterion(v, red=None), "one: refused: rule results: nothing is said of a1 on the base"),
    "no criterion": (lambda w, v: {**v, "criteria": []}, "one: failed: there is no criterion"),
    "red": (
        lambda w, v: criterion(v, 1, green=False, reason="it is there"), "one: failed: a2 (a.txt lacks 'one'): it is there"),
    "not red on the base": (
        lambda w, v: criterion(v, red=False, reason="green on the base"), "one: failed: a1 (a.txt contains 'uno'): green on the base"),
    "neither green nor red": (lambda w, v: criterion(v, green=None, reason=""), "one: failed: a1 (a.txt contains 'uno'): not as required"),
}  # fmt: skip
UNREADABLE: dict[str, tuple[Callable[[Work, Value], str], str]] = {
    "a changeset": (lambda w, v: "../one.json", "one.json: results: "),
    "a criterion twice": (lambda w, v: w.put({**v, "criteria": v["criteria"][:1] * 2}), "results: a criterion is there twice"),
    "an unknown key": (lambda w, v: w.put({**v, "ok": True}), "ok"),
    "a key twice": (
        lambda w, v: raw(w, json.dumps(v).replace("{", '{"tree":"x",', 1).encode()), "not JSON: the key 'tree' is there twice"),
    "half": (lambda w, v: raw(w, json.dumps(v)[:200].encode()), "not JSON: "),
    "a word for a flag": (lambda w, v: w.put(criterion(v, green="yes")), "green must be"),
    "not a number": (lambda w, v: raw(w, json.dumps(criterion(v, seconds=float("nan"))).encode()), "NaN is not a number of JSON"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _gone(work: Work) -> None:
    (work.folder / "tampered.json").unlink(missing_ok=True)


def published(work: Work, results: str) -> Any:
    """`publish` of `one`; the user's things are as they were, and no branch is made."""
    with untouched(work.repo):
        done = split_ci(work.repo, "publish", "../one.json", "--accept", results, code=1)
    assert "Traceback" not in done.stderr
    assert git(work.repo, "branch", "--list", "split-ci/one") == ""
    return done


@pytest.mark.parametrize("name", TAMPERED)
def test_results_that_are_not_this_changesets_green_ones(work: Work, name: str) -> None:
    change, said = TAMPERED[name]
    done = published(work, work.put(change(work, work.value("one.results.json"))))
    assert done.stdout.startswith(said)
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("name", UNREADABLE)
def test_no_results(work: Work, name: str) -> None:
    change, said = UNREADABLE[name]
    done = published(work, change(work, work.value("one.results.json")))
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 2
