"""The folders that this process made for itself, and takes away in the end; also where it is interrupted in the midst of it.

Whoever is interrupted has threads that go on until the process ends: `drop_all` lets none of them make another one.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from split_ci.errors import WorldError

if TYPE_CHECKING:
    from collections.abc import Iterator

TRIES = 20

_lock = threading.Lock()
_own: set[str] = set()
_writers: set[subprocess.Popen[bytes]] = set()
_over = threading.Event()


def make(prefix: str, parent: str) -> str:
    """A new folder. Raises WorldError where this process is about to end, OSError where there can be none."""
    with _lock:
        if _over.is_set():
            raise WorldError("interrupted", again=True)
        folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
        _own.add(folder)
        return folder


def leave(folder: str) -> None:
    """It is gone, or is to outlive this process: a later one finds it."""
    with _lock:
        _own.discard(folder)


def drop(folder: str) -> None:
    """Removes one. Raises WorldError where that can't be done."""
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


def drop_all() -> None:
    """Removes them all, though other threads and their commands still write there. What stays, the next run removes."""
    with _lock:
        _over.set()
        folders, writers = list(_own), list(_writers)
    for process in writers:
        process.kill()
        process.wait()
    for folder in folders:
        for again in range(TRIES):
            with suppress(WorldError):
                remove(folder)
            if not os.path.lexists(folder):
                break
            time.sleep(0.005 * again)


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
