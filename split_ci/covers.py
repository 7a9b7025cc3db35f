"""What a sandbox covers of the folders that it shows: what its user may see or change by its name alone."""

from __future__ import annotations

import os
import threading
from typing import Any

OF_NAMESPACES = ("sysvipc",)  # folders of /proc that tell each process of its own
_finding = threading.Lock()


def hidden_in_proc() -> list[list[Any]]:
    """Covers for what root may write or read below `/proc`, rights or no rights: the machine's own settings above all.

    A sandbox takes every right from root, but not its name, and by that the kernel judges these files.
    """
    if os.getuid() != 0:
        return []
    with _finding:
        if not _proc:
            _proc.extend(owned("/proc"))
    return _proc


_proc: list[list[Any]] = []


def owned(top: str) -> list[list[Any]]:
    """Mounts over whatever in a folder like `/proc` its owner may write, or alone may read."""
    found: list[list[Any]] = []
    for entry in sorted(os.scandir(top), key=lambda one: one.name):
        if entry.name.isdigit() or entry.is_symlink():
            continue
        if entry.is_dir():
            found += [["ro", entry.path, entry.path]] if entry.name not in OF_NAMESPACES and _holds_owned(entry.path) else []
        elif _is_owned(entry):
            found.append(["ro", "/dev/null", entry.path])
    return found


def _is_owned(entry: os.DirEntry[str]) -> bool:
    """Whether its owner may do more with a file than everybody."""
    mode = entry.stat(follow_symlinks=False).st_mode
    return not entry.is_symlink() and (mode & 0o222 != 0 or mode & 0o004 == 0)


def _holds_owned(top: str) -> bool:
    folders = [top]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except OSError:
            return True
        folders += [one.path for one in entries if one.is_dir(follow_symlinks=False)]
        if any(_is_owned(one) for one in entries if not one.is_dir(follow_symlinks=False)):
            return True
    return False


def hidden_in_etc() -> list[list[Any]]:
    """Covers for what not everybody may read below `/etc`: being its owner, or in its group, must not matter inside."""
    with _finding:
        if not _etc:
            _etc.extend(_find_hidden("/etc"))
    return _etc


_etc: list[list[Any]] = []


def _find_hidden(top: str) -> list[list[Any]]:
    found: list[list[Any]] = []
    folders = [top]
    while folders:
        try:
            entries = sorted(os.scandir(folders.pop()), key=lambda one: one.name)
        except OSError:
            continue
        for entry in entries:
            mode = entry.stat(follow_symlinks=False).st_mode
            if entry.is_symlink():
                continue
            if entry.is_dir():
                if mode & 0o005 == 0o005:
                    folders.append(entry.path)
                else:
                    found.append(["tmpfs", entry.path, 4096, "555"])
            elif not mode & 0o004:
                found.append(["ro", "/dev/null", entry.path])
    return found
