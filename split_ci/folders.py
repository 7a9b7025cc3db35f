"""The folders that this process made for itself, and takes away in the end, also where it is interrupted."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from split_ci.errors import WorldError

if TYPE_CHECKING:
    from collections.abc import Iterator

_lock = threading.Lock()
_own: set[str] = set()
_writers: set[subprocess.Popen[bytes]] = set()


def make(prefix: str, parent: str) -> str:
    """A new folder. Raises OSError where there can be none."""
    with _lock:
        folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
        _own.add(folder)
        return folder


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
