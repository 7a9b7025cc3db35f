"""Locks of the dead go, where they said that they would make them; every other lock stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from split_ci.git import Repo, clean_env
from split_ci.intent import FOLDER, HALF, intent, recover
from split_ci.refs import RefUpdate, run_locking, swap
from tests.builders import SOURCE, commit, git, make_repo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OID = "a" * 40


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "r", {"a.txt": "a\n"})


def lock_of(root: Path, name: str = "refs/heads/split-ci/s") -> Path:
    path = root / ".git" / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def dead(root: Path, *locks: Path, holds: str | None = OID, machine: str = os.uname().nodename, age: float = 5) -> Path:
    """The intent of a command that is no more."""
    folder = root / ".git" / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "dead"
    path.write_text(json.dumps({"machine": machine, "locks": {str(lock): holds for lock in locks}}))
    os.utime(path, (time.time() - age,) * 2)
    return path


HELD: dict[str, tuple[str, str | None, Callable[[Path], object] | None, bool]] = {
    # what the lock holds, what the intent says, what is done to the lock, whether it goes
    "the dead command's own": (f"{OID}\n", OID, None, True),
    "one that it had only just made": ("", OID, None, True),
    "an index half written": ("half", None, None, True),
    "of another value": ("b" * 40 + "\n", OID, None, False),
    "with something in it": (f"{OID}\n", "", None, False),
    "older than the command": (f"{OID}\n", OID, lambda lock: os.utime(lock, (1, 1)), False),
    "another user's": (f"{OID}\n", OID, lambda lock: os.chown(lock, 65534, 65534), False),
}


@pytest.mark.parametrize("name", HELD)
def test_locks(root: Path, name: str) -> None:
    text, holds, change, goes = HELD[name]
    if name == "another user's" and os.geteuid():
        pytest.skip("only root can give a file away")
    lock = lock_of(root)
    said = dead(root, lock, holds=holds)
    lock.write_text(text)
    if change:
        change(lock)
    assert recover(Repo.find(str(root))) is goes
    assert lock.exists() is not goes
    assert not said.exists()


def test_a_lock_that_no_intent_names_stays(root: Path) -> None:
    lock, other = lock_of(root), lock_of(root, "refs/heads/split-ci/other")
    dead(root, other)
    lock.write_text(f"{OID}\n")
    assert not recover(Repo.find(str(root)))
    assert lock.exists()


def test_only_locks_are_ever_removed(root: Path) -> None:
    victim = root / "a.txt"
    dead(root, victim, holds=None)
    os.utime(victim)
    assert not recover(Repo.find(str(root)))
    assert victim.exists()


def test_what_another_machine_said_is_not_for_this_one_to_judge(root: Path) -> None:
    lock = lock_of(root)
    dead(root, lock, machine="elsewhere")
    lock.write_text(f"{OID}\n")
    assert not recover(Repo.find(str(root)))
    assert lock.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"locks": 3}', '{"machine": "x", "locks": [1]}', "\0" * 100])
def test_an_intent_that_is_not_whole_says_nothing(root: Path, text: str) -> None:
    said = dead(root, lock_of(root))
    said.write_text(text)
    assert not recover(Repo.find(str(root)))
    assert not said.exists()


def test_a_half_written_intent_goes(root: Path) -> None:
    said = dead(root, lock_of(root))
    said.rename(f"{said}{HALF}")
    assert not recover(Repo.find(str(root)))
    assert not any((root / ".git" / FOLDER).iterdir())


def test_the_living_keep_their_locks(root: Path) -> None:
    repo, lock = Repo.find(str(root)), lock_of(root)
    with intent(repo, {str(lock): OID}):
        lock.write_text(f"{OID}\n")
        assert not recover(repo)
    assert lock.exists()


LEAVES_ITS_GIT = """
import os, subprocess, sys
from split_ci.git import Repo
from split_ci.intent import intent
with intent(Repo.find(sys.argv[1]), {sys.argv[2]: None}) as held:
    git = subprocess.Popen(["sleep", "60"], pass_fds=(held,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(git.pid, flush=True)
    os._exit(0)
"""


def test_a_command_lives_as_long_as_its_git(root: Path) -> None:
    """Where only the run was killed, its git works on, and holds what says so."""
    repo, lock = Repo.find(str(root)), lock_of(root)
    words = [sys.executable, "-P", "-c", LEAVES_ITS_GIT, str(root), str(lock)]
    left = subprocess.run(words, env=clean_env({"PYTHONPATH": SOURCE}), capture_output=True, text=True, check=True)
    lock.write_text("half")
    assert not recover(repo)
    os.kill(int(left.stdout), signal.SIGKILL)
    until = time.monotonic() + 10
    while not recover(repo) and time.monotonic() < until:
        time.sleep(0.01)
    assert not lock.exists()


def test_nothing_is_removed_while_a_git_works_here(root: Path) -> None:
    lock = lock_of(root)
    said = dead(root, lock)
    lock.write_text(f"{OID}\n")
    repo = Repo.find(str(root))
    working = subprocess.Popen(["git", "hash-object", "--stdin"], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    time.sleep(0.2)
    assert not recover(repo)
    assert lock.exists()
    assert said.exists()
    working.communicate()
    assert recover(repo)
    assert not lock.exists()


def test_a_reader_of_objects_is_in_nobodys_way(root: Path) -> None:
    repo, lock = Repo.find(str(root)), lock_of(root)
    dead(root, lock)
    lock.write_text(f"{OID}\n")
    with repo.objects() as objects:
        assert objects.read("HEAD")
        assert recover(repo)


def test_a_transaction_goes_through_the_locks_of_a_dead_one(root: Path) -> None:
    repo, head = Repo.find(str(root)), git(root, "rev-parse", "HEAD")
    lock = lock_of(root)
    dead(root, lock, holds=head)
    lock.write_text(f"{head}\n")
    assert swap(repo, [RefUpdate("refs/heads/split-ci/s", head, None)]) == []
    assert git(root, "rev-parse", "split-ci/s") == head
    assert not any((root / ".git" / FOLDER).iterdir())


def test_deleting_goes_through_the_locks_of_packed_refs(root: Path) -> None:
    repo, head = Repo.find(str(root)), git(root, "rev-parse", "HEAD")
    git(root, "branch", "split-ci/s")
    git(root, "pack-refs", "--all")
    for name in ("packed-refs.lock", "packed-refs.new"):
        dead(root, root / ".git" / name, holds="" if name.endswith("lock") else None)
        (root / ".git" / name).touch()
        recover(repo)
        assert not (root / ".git" / name).exists()
    assert swap(repo, [RefUpdate("refs/heads/split-ci/s", None, head)]) == []
    assert git(root, "branch", "--list", "split-ci/*") == ""


def test_every_lock_that_git_makes_is_named(root: Path, tmp_path: Path) -> None:
    """Git itself is watched: it makes no lock in a transaction that the intent does not name."""
    if subprocess.run(["sh", "-c", "command -v strace"], capture_output=True, check=False).returncode:
        pytest.skip("no strace here")
    head = commit(root, {"b.txt": "b\n"})
    trace = tmp_path / "trace"
    (tmp_path / "git").write_text(f'#!/bin/sh\nexec strace -f -o {trace} -e trace=openat,open {_git()} "$@"\n')
    (tmp_path / "git").chmod(0o755)
    repo = Repo.find(str(root))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        swap(repo, [RefUpdate("refs/heads/main", f"{head}", head), RefUpdate("refs/heads/split-ci/s", head, None)])
    made = {line.split('"')[1] for line in trace.read_text().splitlines() if '.lock"' in line and "O_CREAT" in line}
    assert {os.path.basename(path) for path in made} <= {"HEAD.lock", "main.lock", "s.lock"}


def _git() -> str:
    return subprocess.run(["sh", "-c", "command -v git"], capture_output=True, text=True, check=True).stdout.strip()


def test_a_command_that_locks_has_a_session_of_its_own(root: Path) -> None:
    """What kills the group of the caller, or interrupts it, lets git come to its end."""
    repo = Repo.find(str(root))
    git(root, "config", "alias.session", "!ps -o sid= -p $$")
    done = run_locking(repo, ["session"], {})
    assert int(done.stdout) != os.getsid(0)
