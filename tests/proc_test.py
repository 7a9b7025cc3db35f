from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from split_ci import proc
from split_ci.proc import Caps, Stopped, run

if TYPE_CHECKING:
    from pathlib import Path

    from split_ci.results import Execution

ENV = {"PATH": os.defpath}


def sh(command: str, cwd: Path, **caps: Any) -> Execution:
    return run(["/bin/sh", "-c", command], cwd=str(cwd), env=ENV, caps=Caps()._replace(**({"seconds": 30.0} | caps)))


@pytest.mark.parametrize(
    ("command", "code", "number", "output"),
    [
        pytest.param("echo out; echo err >&2", 0, None, b"out\nerr\n", id="both streams, in order"),
        pytest.param("exit 125", 125, None, b"", id="exit"),
        pytest.param("kill -9 $$", None, signal.SIGKILL, b"", id="signal"),
        pytest.param("pwd; env", 0, None, b"PATH=/bin:/usr/bin\n", id="its own folder and environment"),
        pytest.param("cat", 0, None, b"", id="nothing on standard input"),
        pytest.param("printf 'a\\0b\\377'", 0, None, b"a\0b\xff", id="bytes"),
    ],
)
def test_ends(tmp_path: Path, command: str, code: int | None, number: int | None, output: bytes) -> None:
    done = sh(command, tmp_path)
    assert (done.exit, done.signal, done.cap, done.fault) == (code, number, "", "")
    assert output in done.output


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    done = run(["no-such-program"], cwd=str(tmp_path), env=ENV)
    assert (done.exit, done.output) == (127, b"split-ci: no-such-program: No such file or directory\n")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = run(["true"], cwd=str(tmp_path / "none"), env=ENV)
    assert done.exit == 127
    assert b"No such file or directory" in done.output


def test_a_pipe_that_a_grandchild_holds_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    done = sh("setsid sleep 1000 & echo done", tmp_path)
    assert (done.exit, done.output) == (0, b"done\n")
    assert time.monotonic() - began < 25


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("{alive} & sleep 0.3", id="in the background"),
        pytest.param("setsid sh -c '{alive}' & sleep 0.3", id="in a session of its own"),
        pytest.param("(setsid sh -c '(setsid sh -c \"{alive}\" &)' &); sleep 0.4", id="twice removed"),
        pytest.param("trap '' TERM HUP INT; {alive} & sleep 1000", id="deaf, past the deadline"),
    ],
)
def test_nothing_survives(tmp_path: Path, command: str) -> None:
    sh(command.format(alive="while :; do date > alive; sleep 0.02; done"), tmp_path, seconds=1.5)
    before = (tmp_path / "alive").stat().st_mtime_ns
    time.sleep(0.2)
    assert (tmp_path / "alive").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("command", "caps", "cap"),
    [
        pytest.param("sleep 1000", {"seconds": 0.3}, "time (0.3 s)", id="time"),
        pytest.param("yes", {"output_bytes": 1 << 20}, "output (1048576 bytes)", id="output"),
        pytest.param(
            "head -c 5m /dev/zero", {"output_bytes": 1 << 20}, "output (1048576 bytes)", id="output that ends by itself"
        ),
        pytest.param(
            "for i in 1 2 3 4 5 6 7 8 9; do sleep 100 & done; wait", {"processes": 5}, "processes (5)", id="processes"
        ),
    ],
)
def test_caps(tmp_path: Path, command: str, caps: dict[str, float], cap: str) -> None:
    done = sh(command, tmp_path, **caps)
    assert (done.exit, done.cap) == (None, cap)


def test_only_the_end_of_the_output_is_kept(tmp_path: Path) -> None:
    done = sh("head -c 9m /dev/zero | tr '\\0' x; echo end", tmp_path)
    assert len(done.output) == proc.KEPT_BYTES
    assert done.output.endswith(b"xend\n")


def test_output_is_seen_as_it_comes(tmp_path: Path) -> None:
    seen: list[bytes] = []
    run(["/bin/sh", "-c", "echo a; echo b"], cwd=str(tmp_path), env=ENV, on_output=seen.append)
    assert b"".join(seen) == b"a\nb\n"


def test_stop(tmp_path: Path) -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Stopped, match=r"^stopped before a command had ended$"):
        run(["sleep", "1000"], cwd=str(tmp_path), env=ENV, stop=stop)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    sh("true", tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        sh("true", tmp_path)
        run(["sleep", "9"], cwd=str(tmp_path), env=ENV, caps=Caps(seconds=0.05))
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_interpreter_is_not_the_virtual_environments() -> None:
    assert os.path.realpath(proc.python()) == proc.python()
    assert not proc.python().startswith(sys.prefix + "/") or sys.prefix == sys.base_prefix
