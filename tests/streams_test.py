"""Standard streams that are closed or full: no traceback, the documented exit codes, and no file under their numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from split_ci.git import clean_env
from tests.builders import PERSON, SOURCE, git, make_repo, spec

if TYPE_CHECKING:
    from pathlib import Path

GOOD = spec("### Create `a.txt`\n```\na\n```\n", accept="  - exists: a.txt")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "r", {"x": "x\n", "specs/good.md": GOOD})


def through_shell(repo: Path, words: str, streams: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -P -m split_ci {words} {streams}"],
        cwd=repo, env=clean_env({**PERSON, "PYTHONPATH": SOURCE, **env}), capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "<&-"])
@pytest.mark.parametrize("words", ["check", "check --format json", "run", "status"])
def test_closed(repo: Path, words: str, streams: str) -> None:
    done = through_shell(repo, words, streams)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert git(repo, "fsck", "--no-dangling") == ""
    if words == "run":
        assert git(repo, "show", "split-ci/good:a.txt") == "a"


def test_a_child_finds_no_file_under_a_closed_number(repo: Path) -> None:
    program = "from split_ci.main import _open_streams; _open_streams(); import os; print(os.get_inheritable(2))"
    done = subprocess.run(
        ["sh", "-c", f'exec {sys.executable} -P -c "{program}" 2>&-'],
        env=clean_env({"PYTHONPATH": SOURCE}), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "True\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize("words", ["run", "status", "check", "explain", "plan", "report"])
def test_of_another_encoding(repo: Path, words: str, encoding: str) -> None:
    done = through_shell(repo, words, "", PYTHONIOENCODING=encoding)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    if words == "run":
        assert "\\u2713 done" in done.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device here")
@pytest.mark.parametrize("streams", [">/dev/full", ">/dev/full 2>/dev/full"])
def test_full(repo: Path, streams: str) -> None:
    done = through_shell(repo, "status", streams)
    assert (done.returncode, "Traceback" in done.stderr) == (4, False)
