"""Several commands in one repository at once, as real processes: nothing is lost, nothing is there twice, and each ends well."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from split_ci.git import clean_env
from tests.builders import PERSON, SOURCE, git
from tests.kill_test import Place, seed, whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["seed", "whole"]  # fixtures


def begin(place: Place, *words: str, cwd: Path | None = None, **more: str) -> subprocess.Popen[str]:
    env = clean_env({**PERSON, "PYTHONPATH": SOURCE, "NO_COLOR": "1", "TMPDIR": str(place.tmp), **more})
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "split_ci", *words], cwd=cwd or place.repo, env=env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def ended(*processes: subprocess.Popen[str]) -> list[tuple[int, str, str]]:
    said = [process.communicate(timeout=120) for process in processes]
    return [(process.returncode, *words) for process, words in zip(processes, said, strict=True)]


def outcomes(said: str) -> dict[str, str]:
    return {one["id"]: one["outcome"] for one in json.loads(said)["specs"]}


def nothing_twice(place: Place) -> list[dict[str, Any]]:
    ledger = place.ledger()
    attempts = [(line["id"], line["attempt"], line["role"]) for line in ledger]
    assert len(attempts) == len(set(attempts))
    git(place.repo, "fsck", "--strict")
    assert place.left() == []
    return ledger


@pytest.mark.parametrize("where", ["one work tree", "a linked one"])
def test_runs_at_once(tmp_path: Path, seed: Path, whole: Place, where: str) -> None:
    place, other = Place(tmp_path, seed), tmp_path / "linked"
    git(place.repo, "worktree", "add", "-q", "--detach", str(other))
    folders = (place.repo, other if where == "a linked one" else place.repo, place.repo)
    told = ended(*(begin(place, "run", "-j", "2", "--format", "json", cwd=folder) for folder in folders))
    for code, out, err in told:
        assert code in (0, 1), err  # 1: the quicker one's first round, with its change asked for, is what this one saw
        assert set(outcomes(out).values()) <= {"done", "unchanged"}
    assert [outcomes(out)["first"] for _, out, _ in told].count("done") == 1
    assert place.end() == whole.end()
    ledger = nothing_twice(place)
    (made,) = [line for line in ledger if (line["id"], line["role"]) == ("first", "implementer")]
    assert made["outcome"] == "done"
    assert place.run() == 0
    assert place.end() == whole.end()


def test_a_run_while_everything_is_pruned(tmp_path: Path, seed: Path, whole: Place) -> None:
    place = Place(tmp_path, seed)
    running = begin(place, "run", "-j", "2", "--format", "json")
    while running.poll() is None:
        subprocess.run(
            ["git", "gc", "-q", "--prune=now"], cwd=place.repo, env=clean_env(PERSON), capture_output=True, check=False
        )
    (told,) = ended(running)
    assert told[0] in (0, 4), told[2]
    assert place.run() == 0
    assert place.end() == whole.end()
    nothing_twice(place)


def test_landing_while_a_run_goes_on(tmp_path: Path, seed: Path, whole: Place) -> None:
    place = Place(tmp_path, seed)
    ended(begin(place, "run", "first"))
    (code, _, err), (ran, out, err_run) = ended(begin(place, "land", "first"), begin(place, "run", "--format", "json"))
    assert (code, ran) == (0, 0), err + err_run
    assert outcomes(out)["second"] == "done"
    assert git(place.repo, "show", "main:b.txt") == "B"
    assert git(place.repo, "show", "split-ci/second:a.txt") == git(whole.repo, "show", "split-ci/second:a.txt")
    assert git(place.repo, "status", "--porcelain") == ""
    nothing_twice(place)


def test_dropping_while_a_run_goes_on(tmp_path: Path, seed: Path, whole: Place) -> None:
    place = Place(tmp_path, seed)
    ended(begin(place, "run", "first"))
    (code, _, err), (ran, _, err_run) = ended(begin(place, "drop", "first"), begin(place, "run", "-j", "2"))
    assert code in (0, 4), err
    assert ran in (0, 1), err_run
    assert place.run() == 0
    assert place.end() == whole.end()
    nothing_twice(place)


def test_two_landings_and_two_drops(tmp_path: Path, seed: Path) -> None:
    place = Place(tmp_path, seed)
    assert place.run() == 0
    for code, out, err in ended(begin(place, "land", "first"), begin(place, "land", "first")):
        assert code in (0, 1), out + err
    assert git(place.repo, "show", "main:b.txt") == "B"
    assert git(place.repo, "log", "--merges", "--format=%s", "main").count("\n") == 0
    codes = sorted(code for code, _, _ in ended(begin(place, "drop", "second"), begin(place, "drop", "second")))
    assert codes[0] == 0
    assert codes[1] in (0, 2, 4)
    assert git(place.repo, "branch", "--list", "split-ci/second") == ""
    nothing_twice(place)


SLOW = f"""\
#!/bin/sh
case " $* " in *" --ff-only "*) touch "$GATE/there"; until [ -e "$GATE/go" ]; do sleep 0.02; done ;; esac
exec {shutil.which("git")} "$@"
"""


def test_a_landing_waits_for_one_that_is_writing_files(tmp_path: Path, seed: Path) -> None:
    """The quicker one is stopped before its files are written; the other must not take its move for a dead one's."""
    place = Place(tmp_path, seed)
    assert place.run() == 0
    (place.bin / "git").write_text(SLOW)
    first = begin(place, "land", "first", PATH=f"{place.bin}:{clean_env()['PATH']}", GATE=str(place.kills))
    until(lambda: (place.kills / "there").exists() or first.poll() is not None)
    second = begin(place, "land", "first")
    with suppress(subprocess.TimeoutExpired):
        second.wait(3)
    (place.kills / "go").touch()
    for code, out, err in ended(first, second):
        assert code in (0, 1), out + err
    assert git(place.repo, "show", "main:b.txt") == "B"
    assert (place.repo / "b.txt").read_text() == "B\n"
    assert git(place.repo, "status", "--porcelain") == ""
    nothing_twice(place)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
