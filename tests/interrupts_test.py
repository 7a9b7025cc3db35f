"""An interrupt ends a run at once, whatever its threads, its streams and its terminal are at: 130, one line, no folder left."""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from split_ci.git import clean_env
from tests.builders import PERSON, SOURCE, make_repo, spec
from tests.promptly import promptly

if TYPE_CHECKING:
    from pathlib import Path

LINE = b"split-ci: interrupted; nothing half done is left: go on\n"
WORK = """\
import os, sys, threading, time
from split_ci import folders
from split_ci.interrupts import interruptible

def work(held):
    folder, _ = folders.hold("x-", sys.argv[1])
    while True:
        {does}

interruptible(work, "go on")
"""
SLEEPS = "open(folder + '/ready', 'w').close(); time.sleep(60)"
WRITES = "os.makedirs(folder + '/ready', exist_ok=True); sys.stderr.write('x' * 10000)"
LOSES = "os.close(2); open(folder + '/ready', 'w').close(); time.sleep(60)"
DROPS = "folders.leave(folder); folders.drop(folder)"
SLOW_RM = """\
#!/bin/sh
if [ -n "$(find . -maxdepth 0 -empty)" ]; then
  for last; do :; done
  : > begun; : > "$last/ready"; exec sleep 5
fi
exec {rm} "$@"
"""
EXACT = "### Edit `a.txt`\nBefore:\n```\na\n```\nAfter:\n```\nA\n```\n"


def at_work(folder: Path, does: str, stderr: int, **settings: Any) -> subprocess.Popen[bytes]:
    """A process in the midst of interruptible work, which has a folder of its own in this one."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", WORK.format(does=does), str(folder)],
        stderr=stderr, start_new_session=True, **{"env": clean_env({"PYTHONPATH": SOURCE}), **settings},
    )  # fmt: skip
    while not list(folder.glob("x-*/ready")):
        time.sleep(0.01)
    return process


def test_several_signals_at_once_are_one(tmp_path: Path) -> None:
    """The kernel gives them to any thread, and none of them is called anything else than an interrupt."""
    with promptly():
        process = at_work(tmp_path, SLEEPS, subprocess.PIPE)
        for each in (signal.SIGSTOP, signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
            os.kill(process.pid, each)
        assert process.communicate()[1] == LINE
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_nobody_reads_what_it_says(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    with promptly(), open(reading, "rb"), open(writing, "wb") as stream:
        process = at_work(tmp_path, WRITES, stream.fileno())
        began = time.monotonic()
        process.terminate()
        assert process.wait() == 130
    assert time.monotonic() - began < 6
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_being_removed_goes_to_the_end(tmp_path: Path) -> None:
    """Though it was left to a later run before: half removed, that one could not tell what it was."""
    tools, place, here = (tmp_path / name for name in ("tools", "place", "here"))
    for folder in (tools, place, here):
        folder.mkdir()
    (tools / "rm").write_text(SLOW_RM.format(rm=shutil.which("rm")))
    (tools / "rm").chmod(0o755)
    env = clean_env({"PYTHONPATH": SOURCE})
    with promptly():
        process = at_work(place, DROPS, subprocess.PIPE, cwd=here, env={**env, "PATH": f"{tools}:{env['PATH']}"})
        process.terminate()
        assert process.communicate()[1] == LINE
    assert list(place.iterdir()) == []


def test_there_is_nothing_to_say_it_on(tmp_path: Path) -> None:
    with promptly():
        process = at_work(tmp_path, LOSES, subprocess.DEVNULL)
        process.terminate()
        assert process.wait() == 130
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_that_is_ignored_stays_so(tmp_path: Path) -> None:
    with promptly():
        program = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + WORK.format(does=SLEEPS)
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", program, str(tmp_path)],
            env=clean_env({"PYTHONPATH": SOURCE}),
            stderr=subprocess.PIPE,
        )
        while not list(tmp_path.glob("x-*/ready")):
            time.sleep(0.01)
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.terminate()
        assert process.communicate()[1] == LINE


def test_the_terminal_gets_its_cursor_back(tmp_path: Path) -> None:
    """Ctrl-C while the table is drawn: the line stands below it, and is the last that is said."""
    repo = make_repo(
        tmp_path / "r", {"a.txt": "a\n", "specs/s.md": spec(EXACT, accept="  - run: sleep 60; grep -q A a.txt")}
    )
    env = clean_env({**PERSON, "PYTHONPATH": SOURCE, "TERM": "xterm", "TMPDIR": str(tmp_path)})
    with promptly():
        process, terminal = pty.fork()
        if process == 0:
            os.chdir(repo)
            os.execve(sys.executable, [sys.executable, "-P", "-m", "split_ci", "run"], env)
        said = b""
        while b"sleep" not in said:
            said += os.read(terminal, 4096)
        os.write(terminal, b"\x03")
        try:
            while more := os.read(terminal, 4096):
                said += more
        except OSError:  # its other end is closed
            os.close(terminal)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 130, said
    assert said.rindex(b"\x1b[?25h") > said.rindex(b"\x1b[?25l")
    assert said.endswith(b"\nsplit-ci: interrupted; nothing half done is left: split-ci run goes on from here\r\n")
