"""The root of a sandbox that `unshare` made: built mount by mount, by its first process, before that gives up its rights.

Bubblewrap does the same by itself. Part of `sandbox_init`, and like it without anything else of this package.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
SYS_PIVOT_ROOT = {"x86_64": 155}.get(os.uname().machine, 41)
SYS_MOUNT_SETATTR = 442
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
NEW, OLD = "/newroot", "/oldroot"
libc = ctypes.CDLL(None, use_errno=True)


def build_root(mounts: list[list[Any]]) -> None:
    """Builds a new root of the mounts, in this namespace, and leaves the old one. For `unshare`; bubblewrap does it
    by itself.
    """
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


MOUNTS: dict[str, Callable[..., None]] = {
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


def loopback_up(*, shared: bool) -> None:
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
