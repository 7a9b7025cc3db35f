"""Processes that outlived a run without a sandbox: found by a mark in their environment, wherever they moved, and ended."""

from __future__ import annotations

import os
import signal
import time

MARK = "SPLIT_CI_RUN"  # the environment variable that holds a run's own word
TRIES = 20


def end_marked(mark: str) -> int:
    """Ends every process of this user that carries the mark; how many there were. Asked again until none is left."""
    ended: set[int] = set()
    for _ in range(TRIES):
        left = marked(mark)
        if not left:
            break
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
            ended.add(pid)
        time.sleep(0.02)
    return len(ended)


def marked(mark: str) -> list[int]:
    """The living processes that carry a mark, this one left out."""
    needle = f"{MARK}={mark}".encode()
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if needle in file.read().split(b"\0"):
                    found.append(int(name))
        except OSError:
            continue
    return found
