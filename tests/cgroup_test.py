"""Groups of the kernel: which are found is told from its own words; what they hold to is tried for real, as root."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from split_ci import cgroup
from split_ci.cgroup import Home, places
from split_ci.proc import Caps, run
from tests.builders import SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from split_ci.results import Execution

MEBIBYTE = 1 << 20
OLD = (
    "31 23 0:28 / {0} rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "35 31 0:32 / {0}/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
    "39 31 0:36 / {0}/pids rw,relatime - cgroup cgroup rw,pids\n"
    "41 31 0:38 / {0}/unified rw,relatime - cgroup2 cgroup2 rw\n"
)
NEW = "30 23 0:27 / {0} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
PART = "30 23 0:27 /docker/c1 {0} ro,nosuid - cgroup2 cgroup rw\n"


@pytest.mark.parametrize(
    ("mounts", "own", "given", "found"),
    [
        pytest.param(
            OLD, "9:memory:/a/b\n8:pids:/\n0::/\n", {"unified": "hugetlb"},
            [("memory/a/b", "cgroup", ("memory",)), ("pids", "cgroup", ("pids",))], id="a tree for each controller",
        ),
        pytest.param(
            OLD, "9:memory:/a\n8:pids:/\n0::/\n", {"unified": "memory pids"},
            [("unified", "cgroup2", ("pids", "memory"))], id="both: the newer one first",
        ),
        pytest.param(
            OLD, "9:memory:/a\n8:pids:/\n0::/\n", {"unified": "pids"},
            [("unified", "cgroup2", ("pids",)), ("memory/a", "cgroup", ("memory",))], id="both: each has one",
        ),
        pytest.param(
            NEW, "0::/u/app/mine\n", {"u/app/mine": "", "u/app": "", "u": "cpu memory pids", "": "memory pids"},
            [("u", "cgroup2", ("pids", "memory"))], id="the nearest that hands on",
        ),
        pytest.param(
            NEW, "0::/u/mine\n", {"u/mine": "", "u": "pids", "": "memory pids"},
            [("u", "cgroup2", ("pids",))], id="one controller only",
        ),
        pytest.param(NEW, "0::/u\n", {"u": "", "": ""}, [], id="handed on by nobody"),
        pytest.param(PART, "0::/docker/c1/x\n", {"x": "memory pids"}, [("x", "cgroup2", ("pids", "memory"))], id="a part of a tree"),
        pytest.param(PART, "0::/\n", {"": "memory pids"}, [("", "cgroup2", ("pids", "memory"))], id="in a namespace of its own"),
        pytest.param("", "0::/\n", {}, [], id="no tree"),
        pytest.param(OLD, "", {}, [], id="in none"),
    ],
)  # fmt: skip
def test_places(
    tmp_path: Path, mounts: str, own: str, given: dict[str, str], found: list[tuple[str, str, tuple[str, ...]]]
) -> None:
    for folder, text in given.items():
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "cgroup.subtree_control").write_text(text + "\n")
    assert sorted(places(mounts.format(tmp_path), own)) == sorted(
        Home(os.path.normpath(tmp_path / folder), kind, names) for folder, kind, names in found
    )


@pytest.fixture
def homes() -> Iterator[list[Home]]:
    found = cgroup.homes()
    if not any("pids" in home.controllers for home in found):
        pytest.skip("only root makes groups, and only where the kernel's can be written")
    before = {home.folder: groups(home) for home in found}
    yield found
    assert {home.folder: groups(home) for home in found} == before


def groups(home: Home) -> list[str]:
    return sorted(entry.name for entry in os.scandir(home.folder) if entry.is_dir())


def sh(command: str, cwd: Path, **caps: float) -> Execution:
    return run(
        ["/bin/sh", "-c", command],
        cwd=str(cwd),
        env={"PATH": os.defpath},
        caps=Caps(seconds=30)._replace(**caps),  # type: ignore[arg-type]
    )


COUNTS_FORKS = """
import os, time
made = 0
try:
    while made < 200:
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
        made += 1
finally:
    open("made", "w").write(str(made))
"""


def test_not_one_process_more_than_the_cap(tmp_path: Path, homes: list[Home]) -> None:
    assert homes
    caps = Caps(seconds=30, processes=64)
    done = run([sys.executable, "-I", "-S", "-c", COUNTS_FORKS], cwd=str(tmp_path), env={}, caps=caps)
    assert (done.exit, done.cap) == (None, "processes (64)")
    assert (tmp_path / "made").read_text() == "63"


@pytest.mark.usefixtures("homes")
def test_as_many_as_the_cap_may_run(tmp_path: Path) -> None:
    done = sh("for i in 1 2 3 4 5 6; do sleep 0.1 & done; wait", tmp_path, processes=7)
    assert (done.exit, done.cap) == (0, "")


def test_memory(tmp_path: Path, homes: list[Home]) -> None:
    if not any("memory" in home.controllers for home in homes):
        pytest.skip("no controller for memory here")
    program = "x = bytearray(200 << 20); x[::4096] = b'1' * (200 << 8); print(len(x))"
    done = run([sys.executable, "-c", program], cwd=str(tmp_path), env={}, caps=Caps(memory_bytes=100 * MEBIBYTE))
    assert (done.exit, done.cap) == (None, "memory (100 MiB)")
    done = run([sys.executable, "-c", program], cwd=str(tmp_path), env={}, caps=Caps(memory_bytes=300 * MEBIBYTE))
    assert (done.exit, done.cap) == (0, "")


SHARES = """
import mmap, os
shared = mmap.mmap(-1, 40 << 20)
shared[::4096] = b"1" * (40 << 8)
readers = [os.fork() for _ in range(3)]
sum(shared[::4096])
os.system("sleep 0.3")
"""


def test_memory_that_is_shared_counts_once(tmp_path: Path, homes: list[Home]) -> None:
    if not any("memory" in home.controllers for home in homes):
        pytest.skip("no controller for memory here")
    caps = Caps(seconds=30, memory_bytes=120 * MEBIBYTE)
    done = run([sys.executable, "-I", "-S", "-c", SHARES], cwd=str(tmp_path), env={"PATH": os.defpath}, caps=caps)
    assert (done.exit, done.cap) == (0, ""), done


def test_memory_does_not_count_what_the_kernel_can_forget(tmp_path: Path, homes: list[Home]) -> None:
    if not any("memory" in home.controllers for home in homes):
        pytest.skip("no controller for memory here")
    done = sh("head -c 150m /dev/zero > big; cat big big > /dev/null", tmp_path, memory_bytes=50 * MEBIBYTE)
    assert (done.exit, done.cap) == (0, "")


@pytest.mark.usefixtures("homes")
def test_the_command_does_not_hold_the_way_in(tmp_path: Path) -> None:
    assert b"cgroup" not in sh("ls -l /proc/self/fd", tmp_path).output


def test_what_is_left_in_a_group_is_ended(homes: list[Home]) -> None:
    group = cgroup.make(processes=16, memory_bytes=1 << 30)
    assert group is not None
    into = "".join(f"echo 0 >&{fd}; " for fd in group.descriptors)
    with subprocess.Popen(
        ["/bin/bash", "-c", into + "echo in; exec sleep 1000"], pass_fds=group.descriptors, stdout=subprocess.PIPE
    ) as left:
        assert left.stdout is not None
        assert left.stdout.read(3) == b"in\n"
        group.close()
        assert left.wait() == -signal.SIGKILL
    assert homes


KILLED = """
import os, signal, sys
from split_ci import cgroup
print("\\n".join(home.folder for home in cgroup.homes()), flush=True)
assert cgroup.make(processes=16, memory_bytes=1 << 30)
os.kill(os.getpid(), getattr(signal, sys.argv[1])) if sys.argv[1:] else None
"""


@pytest.mark.usefixtures("homes")
def test_a_killed_process_leaves_what_the_next_removes(monkeypatch: pytest.MonkeyPatch) -> None:
    def folders(*args: str) -> list[str]:
        env = {**os.environ, "PYTHONPATH": SOURCE}
        done = subprocess.run([sys.executable, "-c", KILLED, *args], env=env, capture_output=True, text=True, check=False)
        return done.stdout.split()

    ended, killed = folders(), folders("SIGKILL")
    assert ended
    assert not any(os.path.exists(one) for one in ended)
    assert all(os.path.isdir(one) for one in killed)
    own = [home.folder for home in cgroup.homes()]
    monkeypatch.setattr(cgroup, "REMOVE_SECONDS", 0.05)
    time.sleep(0.1)
    for one in killed:
        cgroup.prune(os.path.dirname(one))
    assert not any(os.path.exists(one) for one in killed)
    assert all(os.path.isdir(one) for one in own), "locked by us"


def test_without_groups_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "homes", list)
    assert cgroup.make(processes=16, memory_bytes=1 << 30) is None
