"""The workflows as they run: real files under `act`, a real bare repository, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from split_ci.workflows import Setting, render
from tests.builders import git, make_repo, spec
from tests.workflows.act import ACT, Actions, push

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not ACT.exists(), reason="act is not installed for this system")
GOOD = spec("### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\nuno\n```\n", accept="  - run: grep -q uno a.txt")
WRONG = GOOD.replace("\none\n", "\ntwo\n")


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A bare repository on whose default branch `init`'s workflows are."""
    seed = make_repo(tmp_path / "seed", {"a.txt": "one\n", **render(Setting("main"))})
    git(tmp_path, "clone", "-q", "--bare", str(seed), "remote.git")
    return tmp_path / "remote.git"


def test_a_pull_request_has_its_specs_and_lessons_checked(tmp_path: Path, remote: Path) -> None:
    actions = Actions(tmp_path / "act", remote)
    push(remote, tmp_path, {**actions.install(), "specs/good.md": GOOD})
    run = actions.run("pull_request", "split-ci-check.yml")
    assert run.jobs == {"check": "success"}, run.log
    assert [call.words[0] for call in run.calls] == ["check", "coach"]
    push(remote, tmp_path, {"specs/wrong.md": WRONG, "specs/coaching/bad.md": "no front matter\n"})
    run = actions.run("pull_request", "split-ci-check.yml")
    assert run.jobs == {"check": "failure"}
    assert [call.words[0] for call in run.calls] == ["check", "coach"]  # the second says its part all the same
    assert run.annotations[0] == ("specs/wrong.md", "15", "SP301")
    assert run.annotations[1][0] == "specs/coaching/bad.md"
