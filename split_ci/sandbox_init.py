"""The first process of every command that is run: it limits, watches and reaps the command's whole tree.

It is started by `proc.supervise` as a script of its own, isolated from everything else of this package: behind bubblewrap or
`unshare` it is process 1 of new namespaces (and with `unshare` builds the mounts itself); without either it is only a
subreaper. The plan comes as one line of JSON on a pipe whose other end stays open as long as the parent lives: when it
closes, everything here ends. What happened goes to a second pipe, which the command never holds.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time

TICK_SECONDS = 0.04
PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 4, 24, 36, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
SYS_PIVOT_ROOT = {"x86_64": 155}.get(os.uname().machine, 41)
SYS_MOUNT_SETATTR = 442
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
NEW, OLD = "/newroot", "/oldroot"
libc = ctypes.CDLL(None, use_errno=True)


def main(control: int, status: int) -> None:
    """Runs the plan that is written to `control`, and writes what happened to `status`, as JSON."""
    os.set_inheritable(control, False)
    os.set_inheritable(status, False)
    plan = json.loads(_read_line(control))
    wakes, wake = os.pipe()
    for fd in (wakes, wake):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    alone = plan["kind"] != "none"
    if plan["kind"] == "unshare":
        build_root(plan["mounts"])
        loopback_up(plan["network"])
    confine(alone=alone)
    pid = start(plan)
    done = watch(pid, plan, control, wakes, alone=alone)
    kill_all(pid, alone=alone)
    os.write(status, json.dumps(done).encode())
    os._exit(0)


def _read_line(fd: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(fd, 65536)
        if not part:
            os._exit(0)
        line += part
    return line


def confine(*, alone: bool) -> None:
    """Takes every right from this process and those that it starts."""
    if alone:
        last = 0
        while libc.prctl(PR_CAPBSET_DROP, last, 0, 0, 0) == 0:
            last += 1
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0))
        _must(libc.capset(header, ctypes.create_string_buffer(24)), "capset")
        libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    else:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def start(plan: dict) -> int:
    """Forks the command, in a session of its own, with its limits."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        limit(plan["caps"])
        with contextlib.suppress(OSError):
            with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write("1000")
        os.chdir(plan["cwd"])
        os.execvpe(plan["argv"][0], plan["argv"], plan["env"])
    except OSError as error:
        os.write(2, f"split-ci: {plan['argv'][0]}: {error.strerror}\n".encode())
    os._exit(127)


def limit(caps: dict) -> None:
    for name, key in (("RLIMIT_FSIZE", "file_bytes"), ("RLIMIT_NOFILE", "open_files"), ("RLIMIT_CPU", "cpu_seconds")):
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        most = caps[key] if hard == resource.RLIM_INFINITY else min(caps[key], hard)
        resource.setrlimit(kind, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def watch(pid: int, plan: dict, control: int, wakes: int, *, alone: bool) -> dict:
    """Waits for the command's end, a cap, or the end of the parent."""
    began = time.monotonic()
    survey = Survey(plan, alone=alone)
    done: dict = {"exit": None, "signal": None, "cap": "", "stopped": False}
    while True:
        ended = reap(pid)
        if ended is not None:
            code = os.waitstatus_to_exitcode(ended)
            done["exit" if code >= 0 else "signal"] = abs(code)
            break
        ready, _, _ = select.select([control, wakes], [], [], TICK_SECONDS)
        if control in ready:
            done["stopped"] = True
            break
        if wakes in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wakes, 4096)
        done["cap"] = survey.cap()
        if done["cap"]:
            break
    if not done["cap"] and not done["stopped"]:
        done["cap"] = survey.last(done["signal"])
    return done | {"seconds": time.monotonic() - began, "memory": survey.peak}


def reap(pid: int) -> int | None:
    """Reaps whatever has ended; the command's own status, if it is among them."""
    found = None
    while True:
        try:
            which, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if which == 0:
            return found
        if which == pid:
            found = status


class Survey:
    """How much the tree uses, looked at every few milliseconds."""

    def __init__(self, plan: dict, *, alone: bool) -> None:
        self.caps = plan["caps"]
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
        processes = list(self._processes())
        memory = sum(rss for _, rss, _, _ in processes) * self.page
        volatile = self._volatile()
        self.peak = max(self.peak, memory + sum(volatile))
        if sum(threads for _, _, threads, _ in processes) > self.caps["processes"]:
            return f"processes ({self.caps['processes']})"
        if memory + sum(volatile) > self.caps["memory_bytes"]:
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

    def _processes(self):  # noqa: ANN202 - (pid, resident pages, threads, ticks) of each process of the tree
        me = os.getpid()
        found, parents = {}, {}
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) == me:
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
            return found.values()
        return [one for pid, one in found.items() if _descends(pid, me, parents)]

    def _volatile(self) -> list[int]:
        used = []
        for path in self.volatile:
            with contextlib.suppress(OSError):
                at = os.statvfs(path)
                used.append((at.f_blocks - at.f_bfree) * at.f_frsize)
        return used

    def _free(self) -> int:
        with contextlib.suppress(OSError):
            at = os.statvfs(self.folder)
            return at.f_bfree * at.f_frsize
        return 0

    def _disk(self, pids: list[int]) -> str:
        """Free space tells cheaply when to look; what was written here since the start is what counts."""
        for path in self.volatile:
            with contextlib.suppress(OSError):
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


def _descends(pid: int, ancestor: int, parents: dict) -> bool:
    seen = set()
    while pid in parents and pid not in seen:
        seen.add(pid)
        pid = parents[pid]
    return pid == ancestor


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
    seen = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    at = os.stat(f"/proc/{pid}/fd/{name}")
                    if at.st_nlink == 0 and (at.st_dev, at.st_ino) not in seen:
                        seen.add((at.st_dev, at.st_ino))
                        total += at.st_blocks * 512
    return total


def kill_all(pid: int, *, alone: bool) -> None:
    """Ends every process that is left. In a namespace of its own that is all there are; elsewhere only what descends from here.

    The command's own process group goes first and in one step, so that nothing in it can outrun the rest by forking.
    """
    if alone and os.getpid() == 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for step in (signal.SIGSTOP, signal.SIGKILL):
        killed: set = set()
        for _ in range(1000):
            left = {pid for pid in descendants(os.getpid()) if pid not in killed}
            if not left:
                break
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, step)
            killed |= left
    end = time.monotonic() + 5
    while descendants(os.getpid()) and time.monotonic() < end:
        reap(-1)
        time.sleep(0.005)


def descendants(ancestor: int) -> list[int]:
    parents, dead = {}, set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                parents[int(name)] = int(fields[1])
                if fields[0] == b"Z":
                    dead.add(int(name))
    return [pid for pid in parents if pid not in dead and pid != ancestor and _descends_from(pid, ancestor, parents)]


def _descends_from(pid: int, ancestor: int, parents: dict) -> bool:
    seen = set()
    while pid in parents and pid not in seen:
        seen.add(pid)
        pid = parents[pid]
        if pid == ancestor:
            return True
    return False


def build_root(mounts: list) -> None:
    """Builds a new root of the mounts, in this namespace, and leaves the old one. For `unshare`; bubblewrap does it by itself."""
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV)
    os.mkdir("/tmp" + NEW)
    os.mkdir("/tmp" + OLD)
    _pivot("/tmp", "/tmp" + OLD)
    mount("tmpfs", NEW, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    for one in mounts:
        MOUNTS[one[0]](*one[1:])
    _pivot(NEW, NEW + OLD, make=True)
    libc.umount2(OLD.encode(), MNT_DETACH)
    os.rmdir(OLD)
    set_attributes("/", ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV, recursive=False)


def _pivot(new: str, old: str, *, make: bool = False) -> None:
    if make:
        os.mkdir(old)
    _must(libc.syscall(SYS_PIVOT_ROOT, new.encode(), old.encode()), "pivot_root")
    os.chdir("/")


def _bind(source: str, target: str, *, writable: bool) -> None:
    where = NEW + target
    if os.path.isdir(OLD + source):
        os.makedirs(where, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(where), exist_ok=True)
        if not os.path.lexists(where):
            os.close(os.open(where, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o644))
    mount(OLD + source, where, None, MS_BIND | MS_REC)
    set_attributes(where, ATTR_NOSUID | ATTR_NODEV | (0 if writable else ATTR_RDONLY), recursive=True)


def _tmpfs(target: str, size: int, mode: str) -> None:
    os.makedirs(NEW + target, exist_ok=True)
    mount("tmpfs", NEW + target, "tmpfs", MS_NOSUID | MS_NODEV, f"size={size},mode={mode}")


def _dev(target: str) -> None:
    where = NEW + target
    _tmpfs(target, 1 << 20, "755")
    for name in DEVICES:
        if os.path.exists(f"{OLD}/dev/{name}"):
            os.close(os.open(f"{where}/{name}", os.O_CREAT | os.O_WRONLY, 0o644))
            mount(f"{OLD}/dev/{name}", f"{where}/{name}", None, MS_BIND)
    for at, to in (
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ):
        os.symlink(to, f"{where}/{at}")
    os.makedirs(f"{where}/pts")
    mount("devpts", f"{where}/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    os.symlink("pts/ptmx", f"{where}/ptmx")
    os.makedirs(f"{where}/shm")


def _proc(target: str) -> None:
    os.makedirs(NEW + target, exist_ok=True)
    mount("proc", NEW + target, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def _symlink(to: str, at: str) -> None:
    os.makedirs(os.path.dirname(NEW + at), exist_ok=True)
    os.symlink(to, NEW + at)


MOUNTS = {
    "ro": lambda source, target: _bind(source, target, writable=False),
    "rw": lambda source, target: _bind(source, target, writable=True),
    "tmpfs": _tmpfs,
    "dev": _dev,
    "proc": _proc,
    "symlink": _symlink,
}


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    answer = libc.mount(source.encode(), os.fsencode(target), kind.encode() if kind else None, flags, data.encode() or None)
    _must(answer, f"mount {target}")


def set_attributes(target: str, attributes: int, *, recursive: bool) -> None:
    value = ctypes.create_string_buffer(struct.pack("=QQQQ", attributes, 0, 0, 0))
    flags = AT_RECURSIVE if recursive else 0
    _must(libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, os.fsencode(target), flags, value, 32), f"mount_setattr {target}")


def loopback_up(shared: bool) -> None:
    """Brings up `lo`, all that a network namespace of its own has, and names the machine."""
    socket.sethostname("split-ci")
    if shared:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, 0x8913, request))[1]
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", flags | 1))


def _must(answer: int, what: str) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _size(count: int) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024 or count % 1024:
            return f"{count} {unit}"
        count //= 1024
    return f"{count} GiB"


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
