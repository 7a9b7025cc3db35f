"""What every forge does: one suite, run against each adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from split_ci.config import Config
from split_ci.errors import UsageError
from split_ci.forges import build
from split_ci.git import Repo
from split_ci.ports import Proposal
from split_ci.refs import RefUpdate, swap
from tests.builders import git, make_repo

if TYPE_CHECKING:
    from pathlib import Path


def test_a_forge_that_is_not_in_the_table(tmp_path: Path) -> None:
    repo = Repo.find(str(make_repo(tmp_path / "r", {"a.txt": "one\n"})))
    with pytest.raises(UsageError, match="'sourcehut' is not one of this version: local"):
        build(repo, Config(forge="sourcehut"), {})


def test_a_branch_is_the_pull_request_of_a_repository_alone(tmp_path: Path) -> None:
    repo = Repo.find(str(make_repo(tmp_path / "r", {"a.txt": "one\n"})))
    forge = build(repo, Config(), {})
    head = repo.commit("HEAD")
    assert forge.pull("split-ci/one") is None
    assert forge.transact(repo, lambda there: swap(there, [RefUpdate("refs/heads/split-ci/one", head, None)])) == []
    made = forge.ensure_pull(Proposal("split-ci/one", head, "One", "why"))
    assert (made.branch, made.head, made.state, made.number) == ("split-ci/one", head, "open", None)
    assert forge.pull("split-ci/one") == made
    assert list(forge.pulls()) == [made]
    assert forge.close_pull("split-ci/one", "withdrawn") is None
    assert git(tmp_path / "r", "rev-parse", "split-ci/one") == head
