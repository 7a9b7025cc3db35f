"""`publish` and `drop` at GitHub, cut off or killed at any call and run again: one pull request in the end."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from split_ci.errors import SplitCiError
from split_ci.git import clean_env
from split_ci.ports import Proposal
from split_ci.pull_state import PullState, is_edited, seal
from tests.builders import PERSON, SOURCE, git
from tests.forges.conftest import hub
from tests.forges.hub import FILES, Hub
from tests.github import Answer, Fault, serving
from tests.invariants import leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.github.world import Pull as Shown

__all__ = ["hub"]  # a fixture
PUBLISH = ("publish", "../one.json", "--accept", "../one.results.json")
ONE = "refs/heads/split-ci/one"


def the_pull(hub: Hub) -> Shown:
    """The one that there is."""
    (pull,) = hub.server.world.pulls
    return pull


LOST = [None, Answer(502, b"<html>"), Answer(200, b"<html>"), Answer(200, b'{"numb'), Answer(201, {"number": 1}, short=True)]


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("at", range(8))
@pytest.mark.parametrize("answer", LOST, ids=["cut", "502", "a page", "half", "short"])
def test_one_answer_is_lost(hub: Hub, at: int, answer: Answer | None, done: bool) -> None:
    """Whichever it is, in this very run or when it is run again: one pull request, one comment of each closing."""
    git(hub.repo, "commit", "-q", "--allow-empty", "-m", "one")
    git(hub.repo, "push", "-q", "origin", f"HEAD:{ONE}")
    head = hub.refs()[ONE]
    wanted = Proposal("split-ci/one", head, "One", seal("why", PullState("one", "a" * 64, head, 1)))
    hub.server.faults.append(Fault(answer, skip=at, done=done))
    for _ in range(2):
        try:
            hub.forge().ensure_pull(wanted)
            hub.forge().close_pull("split-ci/one", "withdrawn")
            break
        except SplitCiError:
            continue
    else:
        raise AssertionError("it didn't come to its end when it was run again")
    assert the_pull(hub).state == "closed"
    assert len(hub.server.world.comments) == 1


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with its origin and the files of one result, to be copied."""
    root = tmp_path_factory.mktemp("made")
    Hub(root, FILES).make()
    return root


@pytest.fixture
def wired(tmp_path: Path, made: Path) -> Iterator[Hub]:
    """The same, with git over HTTP too: every step to the outside goes through the server."""
    shutil.copytree(made, tmp_path / "w", symlinks=True)
    hub = Hub.__new__(Hub)
    hub.root, hub.repo, hub.bare = tmp_path / "w", tmp_path / "w/r", tmp_path / "w/one.git"
    with serving(hub.bare) as hub.server:
        git(hub.repo, "remote", "set-url", "origin", f"{hub.server.url}/ada/one.git")
        yield hub


def killed_at(hub: Hub, at: int, args: tuple[str, ...]) -> bool:
    """Runs a command that is killed at its request number `at`, before that is done; False where there is none."""
    processes: list[subprocess.Popen[bytes]] = []
    fault = Fault(skip=at, call=lambda: processes[0].send_signal(signal.SIGKILL))
    hub.server.faults.append(fault)
    env = clean_env({**PERSON, "PYTHONPATH": SOURCE, **hub.server.env()})
    with hub.server.world.lock:
        processes.append(subprocess.Popen(
            [sys.executable, "-P", "-m", "split_ci", *args], cwd=hub.repo, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE))  # fmt: skip
    processes[0].communicate()
    hub.server.faults.remove(fault)
    return bool(fault.hit)


@pytest.mark.parametrize("at", range(12))
def test_killed_at_any_call_and_run_again(wired: Hub, at: int) -> None:
    """K08 and its kin."""
    was_killed = killed_at(wired, at, PUBLISH)
    assert was_killed == (at < 11), "the number of calls changed: so must the range of this test"
    told = json.loads(wired.cli(*PUBLISH, "--format", "json").stdout)
    assert told["outcome"] in ("done", "unchanged")
    pull = the_pull(wired)
    assert (pull.state, pull.head_sha) == ("open", told["head"])
    assert not is_edited(pull.body or "")
    assert [ref for ref in wired.refs() if "split-ci" in ref] == [ONE, "refs/split-ci/attempts/one/1"]
    assert wired.server.writes.count("POST /pulls") in (1, 2)
    assert leftovers(wired.repo) == []


@pytest.mark.parametrize("at", range(13))
def test_a_drop_that_is_killed_at_any_call_and_run_again(wired: Hub, at: int) -> None:
    wired.cli(*PUBLISH)
    wired.server.log.clear()
    was_killed = killed_at(wired, at, ("drop", "one"))
    assert was_killed == (at < 12), "the number of calls changed: so must the range of this test"
    wired.cli("drop", "one", code=0)
    assert the_pull(wired).state == "closed"
    assert len(wired.server.world.comments) == 1
    assert [ref for ref in wired.refs() if "split-ci" in ref] == []
    assert wired.told(*PUBLISH)["pull"] == 2


def test_two_at_once(wired: Hub) -> None:
    env = clean_env({**PERSON, "PYTHONPATH": SOURCE, **wired.server.env()})
    runs = [
        subprocess.Popen(
            [sys.executable, "-P", "-m", "split_ci", *PUBLISH],
            cwd=wired.repo,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    said = [run.communicate() for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], said
    assert the_pull(wired).head_sha == wired.refs()[ONE]
    assert [ref for ref in wired.refs() if "split-ci" in ref] == [ONE, "refs/split-ci/attempts/one/1"]
