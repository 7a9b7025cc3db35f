"""Workflows that run with secrets on what others write are found on every branch, however their YAML is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from split_ci.git import Repo
from split_ci.risky import risky_workflows, triggers
from tests.builders import commit, git, make_repo

if TYPE_CHECKING:
    from pathlib import Path

FOUND = {
    "a word": ("on: pull_request_target\n", ("pull_request_target",)),
    "a list": ("on: [push, issue_comment]\n", ("issue_comment",)),
    "a list in lines": ("on:\n  - push\n  - workflow_run\n", ("workflow_run",)),
    "a mapping": ("on:\n  pull_request_target:\n    types: [opened]\n  issue_comment:\n", ("pull_request_target", "issue_comment")),
    "a key in quotes": ('"on":\n  "pull_request_target": {}\n', ("pull_request_target",)),
    "a flow mapping": ("{on: {pull_request_target: {types: [opened]}}, jobs: {}}\n", ("pull_request_target",)),
    "an anchor": ("x: &e [issue_comment]\non: *e\n", ("issue_comment",)),
    "carriage returns": ("on:\r\n  workflow_run:\r\n", ("workflow_run",)),
    "with a comment behind it": ("on: pull_request_target # careful\n", ("pull_request_target",)),
    "no YAML at all": ("on: [pull_request_target\n\t}{", ("pull_request_target",)),
}  # fmt: skip
NONE = {
    "push": "on: push\n",
    "pull_request": "on: [pull_request]\n",
    "a comment": "on: push\n# never pull_request_target\n",
    "a comparison": "on: push\njobs:\n  a:\n    if: github.event_name != 'issue_comment'\n",
    "an expression": "on: push\njobs:\n  a:\n    steps:\n      - name: ${{ github.event.workflow_run.id }}\n",
    "a longer word": "on: push\nname: my_workflow_runner\n",
    "nothing": "",
}


@pytest.mark.parametrize(("text", "found"), FOUND.values(), ids=FOUND)
def test_a_trigger_is_found(text: str, found: tuple[str, ...]) -> None:
    assert triggers(text.encode()) == found


@pytest.mark.parametrize("text", NONE.values(), ids=NONE)
def test_other_words_are_none(text: str) -> None:
    assert triggers(text.encode()) == ()


def test_every_branch_is_looked_at_and_each_file_is_said_once(tmp_path: Path) -> None:
    up = make_repo(tmp_path / "up", {"a.txt": "one\n", ".github/workflows/ok.yml": "on: push\n"})
    git(up, "checkout", "-q", "-b", "old")
    commit(up, {".github/workflows/bad.yaml": "on: pull_request_target\n", ".github/workflows/notes.txt": "workflow_run"})
    git(up, "branch", "older")
    git(up, "checkout", "-q", "main")
    git(tmp_path, "clone", "-q", str(up), str(tmp_path / "down"))
    (found,) = risky_workflows(Repo.find(str(tmp_path / "down")))
    assert found == (".github/workflows/bad.yaml", "pull_request_target", ("origin/old", "origin/older"))
    (found,) = risky_workflows(Repo.find(str(up)))
    assert found.branches == ("old", "older")


def test_a_repository_without_workflows(tmp_path: Path) -> None:
    assert risky_workflows(Repo.find(str(make_repo(tmp_path / "r")))) == ()
