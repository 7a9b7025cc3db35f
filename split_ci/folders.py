"""The folders that this process made for itself, and takes away in the end, also where it is interrupted.

A folder is held for as long as its process lives, by a lock on itself, or on a file in it: one that nobody holds is a dead
one's.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from split_ci.errors import WorldError

if TYPE_CHECKING:
    from collections.abc import Iterator

_lock = threading.Lock()
_own: set[str] = set()
_writers: set[subprocess.Popen[bytes]] = set()


def hold(prefix: str, parent: str, lock: str = "") -> tuple[str, int]:
    """A new folder, and what holds it until that is closed: its file `lock`, or itself.

    It is made anew where another process took it for a dead one's before it was held. Raises OSError.
    """
    while True:
        folder = _make(prefix, parent)
        with suppress(FileNotFoundError):
            held = _open(folder, lock, os.O_CREAT)
            fcntl.flock(held, fcntl.LOCK_EX)
            if os.fstat(held).st_nlink and os.path.isdir(folder):
                return folder, held
            os.close(held)
        leave(folder)


def _make(prefix: str, parent: str) -> str:
    with _lock:
        folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
        _own.add(folder)
        return folder


def _open(folder: str, lock: str, how: int = 0) -> int:
    if lock:
        return os.open(os.path.join(folder, lock), how | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


@contextmanager
def abandoned(folder: str, lock: str = "") -> Iterator[bool]:
    """Whether nobody holds a folder; while this lasts, nobody else takes it. Raises OSError where it is gone."""
    held = _open(folder, lock)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(held)


def leave(folder: str) -> None:
    """It is gone, or is to outlive this process: a later one finds it."""
    with _lock:
        _own.discard(folder)


def drop(folder: str) -> None:
    """Removes one, whoever it was left to. Raises WorldError where that can't be done."""
    with _lock:
        _own.add(folder)  # half removed, nobody could tell what it was
    remove(folder)
    leave(folder)


@contextmanager
def written_by(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """While this lasts, the process may make folders anew that are removed under it: it is ended before they are."""
    with _lock:
        _writers.add(process)
    try:
        yield
    finally:
        with _lock:
            _writers.discard(process)


def own() -> tuple[list[str], list[int]]:
    """The folders that are to be removed when this process ends now, and the processes that are to be ended before."""
    with _lock:
        return list(_own), [process.pid for process in _writers]


def remove(folder: str) -> None:
    """Removes a folder and all in it, however deep and whatever its modes. Never follows a symlink out of it.

    Raises WorldError where something of it stays.
    """
    done = subprocess.run(["rm", "-rf", "--", folder], capture_output=True, check=False)
    if done.returncode:
        subprocess.run(["chmod", "-R", "u+rwX", "--", folder], capture_output=True, check=False)
        done = subprocess.run(["rm", "-rf", "--", folder], capture_output=True, check=False)
    if done.returncode:
        raise WorldError(f"{folder} can't be removed: {done.stderr.decode(errors='replace').strip()[-200:]}")
