"""The first process of every command that is run: it limits, watches and reaps the command's whole tree.

It is started by `proc.supervise` in an interpreter of its own, isolated from everything else of this package: behind
bubblewrap or `unshare` it is process 1 of new namespaces (and with `unshare` builds the mounts itself, `sandbox_root`);
without either it is only a subreaper. Plan and program come, marshalled, on a pipe whose other end stays open as long as the
parent lives: when it closes, everything here ends. What happened goes to a second pipe, which the command never holds.

It starts with every command, so it is compiled once by the parent and imports little: `json`, `contextlib`,
`signal` and `ctypes` would each cost as much as all the rest.
"""

from __future__ import annotations

import _ctypes
import _signal as signal  # type: ignore[import-not-found]  # without its enums
import errno
import os
import resource
import select
import sys
import time

TICK_SECONDS = 0.04
PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 4, 24, 36, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
SYS_KEYCTL = {"x86_64": 250}.get(os.uname().machine, 219)
KEYCTL_JOIN_SESSION_KEYRING = 1
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Plan = dict[str, Any]


class Integer(_ctypes._SimpleCData):  # type: ignore[type-arg]  # noqa: SLF001
    """C's int. `ctypes` has one too, but its import takes longer than all else here together."""

    _type_ = "i"


class Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = Integer


class Library:
    _handle = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # this program itself


prctl = Function(("prctl", Library))  # type: ignore[arg-type]
capset = Function(("capset", Library))  # type: ignore[arg-type]
syscall = Function(("syscall", Library))  # type: ignore[arg-type]


class suppress:  # noqa: N801 - contextlib's own, without its imports
    """Goes on after an error of these kinds."""

    def __init__(self, *kinds: type[BaseException]) -> None:
        self._kinds = kinds

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, self._kinds)


def main(plan: Plan, control: int, status: int) -> None:
    """Runs a plan until its end, or until `control` closes, and writes what happened to `status`, as lines of `key
    value`.
    """
    os.set_inheritable(control, False)
    os.set_inheritable(status, False)
    wakes, wake = os.pipe()
    for fd in (wakes, wake):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    alone = plan["kind"] != "none"
    if plan["kind"] == "unshare":
        root: dict[str, Any] = {}
        exec(plan["root"], root)  # noqa: S102 - `sandbox_root`, from our own parent
        root["build_root"](plan["mounts"])
        root["loopback_up"](shared=plan["network"])
    confine(alone=alone)
    pid = start(plan)
    for door in plan["doors"]:
        os.close(door)
    done = watch(pid, plan, control, wakes, alone=alone)
    kill_all(pid, alone=alone)
    said = "\n".join(f"{key} {value}" for key, value in done.items() if value is not None)
    os.write(status, said.encode())
    os._exit(0)


def confine(*, alone: bool) -> None:
    """Takes every right from this process and those that it starts, and the keys that its session holds."""
    if alone:
        if syscall(SYS_KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, None) < 0 and _ctypes.get_errno() == errno.EDQUOT:
            raise OSError(errno.EDQUOT, "keyctl")  # any other error: nobody inside can ask for keys either
        last = 0
        while prctl(PR_CAPBSET_DROP, last, 0, 0, 0) == 0:
            last += 1
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        version_and_process = (0x20080522).to_bytes(4, sys.byteorder) + bytes(4)
        if capset(version_and_process, bytes(24)) != 0:
            raise OSError(_ctypes.get_errno(), "capset")
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    else:
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def start(plan: Plan) -> int:
    """Forks the command, in a session of its own, with its limits. Only the command is in its group, not its supervisor."""
    pid = os.fork()
    if pid:
        return pid
    try:
        for door in plan["doors"]:
            os.write(door, b"0")
            os.close(door)
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        limit(plan["caps"], alone=plan["kind"] != "none")
        os.nice(10)  # so that whoever watches it is heard
        with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
        os.chdir(plan["cwd"])
        os.execvpe(plan["argv"][0], plan["argv"], plan["env"])  # noqa: S606
    except OSError as error:
        os.write(2, f"split-ci: {plan['argv'][0]}: {error.strerror}\n".encode())
    os._exit(127)


def limit(caps: dict[str, int], *, alone: bool) -> None:
    for name, key in (("RLIMIT_FSIZE", "file_bytes"), ("RLIMIT_NOFILE", "open_files"), ("RLIMIT_CPU", "cpu_seconds")):
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        most = caps[key] if hard == resource.RLIM_INFINITY else min(caps[key], hard)
        spare = (
            5 if name == "RLIMIT_CPU" and hard == resource.RLIM_INFINITY else 0
        )  # a signal that says which, before the last one
        resource.setrlimit(kind, (most, most + spare))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if alone:  # counted for each user namespace; a little more than the cap, so that the survey sees it passed
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NPROC, (caps["processes"] + 64, caps["processes"] + 64))


def watch(pid: int, plan: Plan, control: int, wakes: int, *, alone: bool) -> dict[str, Any]:
    """Waits for the command's end, a cap, or the end of the parent."""
    began = time.monotonic()
    survey = Survey(plan, alone=alone)
    done: dict[str, Any] = {"exit": None, "signal": None, "cap": "", "stopped": False}
    while True:
        done["cap"] = survey.cap()
        if done["cap"]:
            break
        ended = reap(pid)
        if ended is not None:
            code = os.waitstatus_to_exitcode(ended)
            done["exit" if code >= 0 else "signal"] = abs(code)
            break
        ready, _, _ = select.select([control, wakes], [], [], tick_seconds(time.monotonic() - began, plan["counted"]))
        if control in ready:
            done["stopped"] = True
            break
        if wakes in ready:
            with suppress(BlockingIOError):
                os.read(wakes, 4096)
    if not done["cap"] and not done["stopped"]:
        done["cap"] = survey.last(done["signal"])
    return done | {"seconds": time.monotonic() - began, "memory": survey.peak}


def tick_seconds(age: float, counted: list[str]) -> float:
    """How long until the next look: the end of a command wakes us by itself, and what the kernel counts needs no hurry."""
    return 6 * TICK_SECONDS if len(counted) == len(("pids", "memory")) else min(TICK_SECONDS, 0.01 + age / 10)


def reap(pid: int) -> int | None:
    """Reaps what has ended, some at a time (a fork bomb ends faster than it is reaped); the command's own status, if
    among them.
    """
    found = None
    for _ in range(16):
        try:
            which, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if which == 0:
            return found
        if which == pid:
            found = status
    return found


class Survey:
    """How much the tree uses, looked at every few milliseconds."""

    def __init__(self, plan: Plan, *, alone: bool) -> None:
        self.caps = plan["caps"]
        self.counted = plan["counted"]  # by the kernel, which counts what processes share once
        self.folder = plan["watch"]
        self.volatile = [path for path in plan["volatile"] if alone]
        self.alone = alone
        self.page = os.sysconf("SC_PAGE_SIZE")
        self.tick = os.sysconf("SC_CLK_TCK")
        self.began = time.time()
        self.free = self._free()
        self.next_walk = time.monotonic() + 5
        self.peak = 0

    def cap(self) -> str:
        """The name of the first cap that is passed, or nothing."""
        names = [name for name in os.listdir("/proc") if name.isdigit()]
        if (
            self.alone and len(names) - 1 > self.caps["processes"]
        ):  # a look at each would take longer than they take to multiply
            return f"processes ({self.caps['processes']})"
        processes = self._processes(names)
        memory = sum(rss for _, rss, _, _ in processes) * self.page
        volatile = self._volatile()
        self.peak = max(self.peak, memory + sum(volatile))
        if sum(threads for _, _, threads, _ in processes) > self.caps["processes"]:
            return f"processes ({self.caps['processes']})"
        if "memory" not in self.counted and memory + sum(volatile) > self.caps["memory_bytes"]:
            return f"memory ({_size(self.caps['memory_bytes'])})"
        if sum(ticks for _, _, _, ticks in processes) / self.tick + self._reaped_seconds() > self.caps["cpu_seconds"]:
            return f"CPU time ({self.caps['cpu_seconds']} s)"
        return self._disk([pid for pid, _, _, _ in processes])

    def last(self, number: int | None) -> str:
        """The cap that ended the command by itself: by a signal, or by an error that it printed."""
        if number == signal.SIGXFSZ:
            return f"file size ({_size(self.caps['file_bytes'])})"
        if number == signal.SIGXCPU:
            return f"CPU time ({self.caps['cpu_seconds']} s)"
        return ""

    def _reaped_seconds(self) -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def _processes(self, names: list[str]) -> list[tuple[int, int, int, int]]:
        """(pid, resident pages, threads, ticks) of each process of the tree."""
        me = os.getpid()
        found: dict[int, tuple[int, int, int, int]] = {}
        parents: dict[int, int] = {}
        for name in names:
            if int(name) == me:
                continue
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            pid = int(name)
            parents[pid] = int(fields[1])
            found[pid] = (pid, int(fields[21]), int(fields[17]), sum(map(int, fields[11:15])))
        if self.alone:
            return list(found.values())
        return [one for pid, one in found.items() if descends(pid, me, parents)]

    def _volatile(self) -> list[int]:
        used = []
        for path in self.volatile:
            with suppress(OSError):
                at = os.statvfs(path)
                used.append((at.f_blocks - at.f_bfree) * at.f_frsize)
        return used

    def _free(self) -> int:
        with suppress(OSError):
            at = os.statvfs(self.folder)
            return at.f_bfree * at.f_frsize
        return 0

    def _disk(self, pids: list[int]) -> str:
        """Free space tells cheaply when to look; what was written here since the start is what counts."""
        for path in self.volatile:
            with suppress(OSError):
                if os.statvfs(path).f_bavail == 0:
                    return f"disk ({path} is full)"
        now = time.monotonic()
        lost = self.free - self._free()
        if now < self.next_walk and (lost < self.caps["disk_bytes"] or now < self.next_walk - 4.5):
            return ""
        written = written_since(self.folder, self.began, pids)
        took = time.monotonic() - now
        self.next_walk = time.monotonic() + max(5, 20 * took)
        return f"disk ({_size(self.caps['disk_bytes'])})" if written > self.caps["disk_bytes"] else ""


def written_since(folder: str, began: float, pids: list[int]) -> int:
    """Bytes on disk of everything below a folder that changed since a moment, files that are open and deleted included."""
    total, folders = 0, [folder]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        continue
                    at = entry.stat(follow_symlinks=False)
                    total += at.st_blocks * 512 if at.st_ctime >= began - 1 else 0
        except OSError:
            continue
    seen: set[tuple[int, int]] = set()
    for pid in pids:
        with suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    at = os.stat(f"/proc/{pid}/fd/{name}")
                    if at.st_nlink == 0 and (at.st_dev, at.st_ino) not in seen:
                        seen.add((at.st_dev, at.st_ino))
                        total += at.st_blocks * 512
    return total


def kill_all(pid: int, *, alone: bool) -> None:
    """Ends every process that is left. In a namespace of its own that is all there are; elsewhere only what descends
    from here.

    The command's own process group goes first and in one step, so that nothing in it can outrun the rest by forking.
    """
    if alone and os.getpid() == 1:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for step in (signal.SIGSTOP, signal.SIGKILL):
        killed: set[int] = set()
        for _ in range(1000):
            left = {one for one in descendants(os.getpid()) if one not in killed}
            if not left:
                break
            for one in left:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(one, step)
            killed |= left
    end = time.monotonic() + 5
    while descendants(os.getpid()) and time.monotonic() < end:
        reap(-1)
        time.sleep(0.005)


def descendants(ancestor: int) -> list[int]:
    parents: dict[int, int] = {}
    dead: set[int] = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError):
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                parents[int(name)] = int(fields[1])
                if fields[0] == b"Z":
                    dead.add(int(name))
    return [pid for pid in parents if pid not in dead and pid != ancestor and descends(pid, ancestor, parents)]


def descends(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    seen: set[int] = set()
    while pid in parents and pid not in seen:
        seen.add(pid)
        pid = parents[pid]
        if pid == ancestor:
            return True
    return False


def _size(count: int) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024 or count % 1024:
            return f"{count} {unit}"
        count //= 1024
    return f"{count} GiB"
