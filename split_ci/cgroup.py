"""Caps that the kernel keeps, for whoever runs commands as root: a control group for each command.

Limits by `setrlimit` do not count the processes of root. Where the groups of the kernel can be written (both versions are
known: one tree for everything, or one for each controller) a command gets a group of its own, with a limit on its processes
and, where there is a controller for it, on its memory. Elsewhere there is none, and the other caps stay.

The memory of a group is what its processes hold, what lies in their temporary folders and what the kernel keeps for them;
files that it only remembers to be quick are given up first and end nobody.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import itertools
import os
import secrets
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "split-ci-"
REMOVE_SECONDS = 2.0
SWAP_BYTES = 1 << 20  # where swap is counted together with memory: so much that memory's own limit is met first


class Files(NamedTuple):
    """How one version of the kernel's groups calls the limit of a controller; the events that tell of it, as file and count.

    `ended` counts what the limit, or one further up, cost the command; `reached` how often it was this limit.
    """

    limit: str
    ended: tuple[str, str]
    reached: tuple[str, str]
    swap: str = ""


FILES = {
    ("cgroup", "pids"): Files("pids.max", ("pids.events", "max"), ("pids.events", "max")),
    ("cgroup2", "pids"): Files("pids.max", ("pids.events", "max"), ("pids.events", "max")),
    ("cgroup", "memory"): Files(
        "memory.limit_in_bytes", ("memory.oom_control", "oom_kill"), ("memory.failcnt", ""), "memory.memsw.limit_in_bytes"
    ),
    ("cgroup2", "memory"): Files("memory.max", ("memory.events", "oom_kill"), ("memory.events", "max"), "memory.swap.max"),
}


class Home(NamedTuple):
    """A folder of the kernel's groups in which this process may make some, and what they can limit there."""

    folder: str
    kind: str  # cgroup | cgroup2
    controllers: tuple[str, ...]


class Group:
    """The groups of one command: one, or one for each controller. A process enters by writing 0 to each of `descriptors`."""

    def __init__(self, homes: Iterable[Home], *, processes: int, memory_bytes: int) -> None:
        self.descriptors: list[int] = []
        self.controllers: list[str] = []  # what the kernel counts here
        self._made: list[str] = []
        self._watched: list[tuple[str, Files, str]] = []  # folder, its files, the cap's name
        limits = {"pids": processes, "memory": memory_bytes}
        names = {"pids": f"processes ({processes})", "memory": f"memory ({_size(memory_bytes)})"}
        number = next(_numbers)
        try:
            for home in homes:
                folder = os.path.join(home.folder, str(number))
                os.mkdir(folder)
                self._made.append(folder)
                for controller in home.controllers:
                    files = FILES[home.kind, controller]
                    _limit(folder, files, limits[controller])
                    self._watched.append((folder, files, names[controller]))
                    self.controllers.append(controller)
                self.descriptors.append(os.open(os.path.join(folder, "cgroup.procs"), os.O_WRONLY | os.O_CLOEXEC))
        except OSError:
            self.close()
            raise

    def passed(self) -> str:
        """The name of the first limit that the kernel had to enforce, or nothing."""
        for folder, files, name in self._watched:
            if _count(folder, *files.ended):
                return name if _count(folder, *files.reached) else "memory (all that this machine has left)"
        return ""

    def close(self) -> None:
        """Ends whatever is left inside, and removes the groups."""
        while self.descriptors:
            os.close(self.descriptors.pop())
        while self._made:
            remove(self._made.pop())


def make(*, processes: int, memory_bytes: int) -> Group | None:
    """A group with these limits; None where this process can't make one, or isn't root's: then `setrlimit` binds it."""
    found = homes()
    if not found:
        return None
    try:
        return Group(found, processes=processes, memory_bytes=memory_bytes)
    except OSError:
        return None  # taken from us since; the caps without it stay


def homes() -> list[Home]:
    """Where this process makes its groups: found, tried and locked once; what killed processes left is removed then."""
    with _finding:
        if os.getpid() not in _found:
            found: list[Home] = []
            if os.getuid() == 0:
                with contextlib.suppress(OSError):
                    found = _opened(places(_read("/proc/self/mountinfo"), _read("/proc/self/cgroup")))
            _found[os.getpid()] = found
        return _found[os.getpid()]


_finding = threading.Lock()
_found: dict[int, list[Home]] = {}  # by process: a fork has none of its parent's
_locks: list[int] = []
_numbers = itertools.count(1)


def places(mounts: str, own: str) -> list[Home]:
    """Where groups could be made, from what the kernel says of its mounts and of this process's own groups.

    A controller that the newer tree has isn't looked for in the older ones.
    """
    mine: dict[str, str] = {}
    for line in own.splitlines():
        _, names, path = line.split(":", 2)
        mine |= dict.fromkeys(names.split(","), path)
    found: list[Home] = []
    missing = ["pids", "memory"]
    for folder, root, kind, options in sorted(_mounted(mounts), key=lambda one: one[2] != "cgroup2"):
        wanted = missing if kind == "cgroup2" else [name for name in missing if name in options.split(",")]
        path = mine.get("" if kind == "cgroup2" else next(iter(wanted), "-"), "")
        if not wanted or not path:
            continue
        at = os.path.normpath(folder + "/" + os.path.relpath(path, root)) if _inside(path, root) else folder
        place = _nearest(at, folder, wanted) if kind == "cgroup2" else Home(at, kind, tuple(wanted))
        if place:
            found.append(place)
            missing = [name for name in missing if name not in place.controllers]
    return found


def _mounted(mounts: str) -> list[tuple[str, str, str, str]]:
    """(folder, the part of the tree that is seen there, kind, options) of each tree of groups."""
    found = []
    for line in mounts.splitlines():
        first, _, last = line.partition(" - ")
        fields, (kind, _, options) = first.split(" "), last.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            found.append((fields[4].replace("\\040", " "), fields[3].replace("\\040", " "), kind, options))
    return found


def _nearest(at: str, top: str, names: list[str]) -> Home | None:
    """The nearest folder up from one that hands its controllers on: only there a new group has them."""
    while _inside(at, top):
        with contextlib.suppress(OSError), open(os.path.join(at, "cgroup.subtree_control"), encoding="ascii") as file:
            given = file.read().split()
            if "pids" in given:
                return Home(at, "cgroup2", tuple(name for name in names if name in given))
        if at == top:
            break
        at = os.path.dirname(at)
    return None


def _opened(found: list[Home]) -> list[Home]:
    """The places that really work: a process could be limited there. Each gets a folder that is ours as long as we live."""
    made = []
    for home in found:
        prune(home.folder)
        folder = os.path.join(home.folder, PREFIX + secrets.token_hex(8))
        try:
            os.mkdir(folder)
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(held, fcntl.LOCK_EX)
            if home.kind == "cgroup2":
                _write(folder, "cgroup.subtree_control", " ".join("+" + name for name in home.controllers))
            worked = _tried(home._replace(folder=folder))
        except OSError:
            worked = False
        if not worked:
            remove(folder)
            continue
        _locks.append(held)
        atexit.register(_leave, folder, os.getpid())
        made.append(home._replace(folder=folder))
    return made


def _tried(home: Home) -> bool:
    group = Group([home], processes=16, memory_bytes=1 << 30)
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", "echo 0"], stdout=group.descriptors[0], stderr=subprocess.DEVNULL, check=False, env={}
        )
        return done.returncode == 0
    finally:
        group.close()


def _leave(folder: str, pid: int) -> None:
    if os.getpid() == pid:
        remove_all(folder)


def prune(parent: str) -> None:
    """Removes the groups of processes that are no more: ours by name, and locked by nobody."""
    with contextlib.suppress(OSError):
        for name in os.listdir(parent):
            folder = os.path.join(parent, name)
            if name.startswith(PREFIX) and time.time() - os.stat(folder).st_ctime > REMOVE_SECONDS:
                _prune_one(folder)


def _prune_one(folder: str) -> None:
    with contextlib.suppress(OSError):
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_all(folder)
        finally:
            os.close(held)


def remove_all(folder: str) -> None:
    """Removes a process's folder with the groups of its commands."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False):
                remove(entry.path)
    remove(folder)


def remove(folder: str) -> None:
    """Ends all that is in a group, and removes it. One that can't be removed in time is left to be pruned."""
    end = time.monotonic() + REMOVE_SECONDS
    while time.monotonic() < end:
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            return
        except OSError:
            _kill(folder)
            time.sleep(0.005)
        else:
            return


def _kill(folder: str) -> None:
    with contextlib.suppress(OSError), open(os.path.join(folder, "cgroup.procs"), encoding="ascii") as file:
        for pid in file.read().split():
            if int(pid) > 1 and int(pid) != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)


def _limit(folder: str, files: Files, most: int) -> None:
    _write(folder, files.limit, str(most))
    if files.swap:
        with contextlib.suppress(OSError):  # there only where the kernel counts swap
            _write(folder, files.swap, "0" if files.swap == "memory.swap.max" else str(most + SWAP_BYTES))


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def _write(folder: str, name: str, text: str) -> None:
    descriptor = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _count(folder: str, file: str, name: str) -> int:
    """A count of a file that has one a line, by name; or the only one."""
    with contextlib.suppress(OSError), open(os.path.join(folder, file), encoding="ascii") as lines:
        for line in lines:
            if not name or line.startswith(name + " "):
                return int(line.split()[-1])
    return 0


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _size(count: int) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024 or count % 1024:
            return f"{count} {unit}"
        count //= 1024
    return f"{count} GiB"
