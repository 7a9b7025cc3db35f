"""Which locks a git command of ours may leave behind: written down before it starts, so that only those are ever removed.

git removes its own locks, but not where it is killed outright. One file for each command, below
`<common git dir>/split-ci/intents/`, names them; this process and its git hold a lock on that file, so it is free only
once both are dead. A lock that no such file names is somebody else's, and stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from split_ci.git import Repo

FOLDER = os.path.join("split-ci", "intents")
HALF = ".new"
MAX_BYTES = 64 * 1024 * 1024
MAX_LOCK_BYTES = 200
READERS = (b"cat-file", b"fsmonitor--daemon")  # git commands that live long and lock nothing


@contextlib.contextmanager
def intent(repo: Repo, locks: Mapping[str, str | None]) -> Iterator[int]:
    """Says which locks (path -> what it may hold beside nothing; None: anything) the next git command may make.

    Yields the file descriptor that this command must inherit. Raises OSError.
    """
    folder = os.path.join(repo.common_dir, FOLDER)
    os.makedirs(folder, exist_ok=True)
    held, half = _locked_file(folder)
    path = half
    try:
        _write(held, _text(locks))
        os.rename(half, half.removesuffix(HALF))
        path = half.removesuffix(HALF)
        yield held
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        os.close(held)


def _locked_file(folder: str) -> tuple[int, str]:
    """A new file that this process holds, made anew where another process took it for a dead one's before it was held."""
    while True:
        held, half = tempfile.mkstemp(suffix=HALF, dir=folder)
        fcntl.flock(held, fcntl.LOCK_EX)
        if os.fstat(held).st_nlink:
            return held, half
        os.close(held)


def _text(locks: Mapping[str, str | None]) -> bytes:
    from json import dumps  # noqa: PLC0415 - not on the way of `check`

    return dumps({"machine": _machine(), "locks": locks}).encode()


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
    os.fsync(file)


def _machine() -> str:
    """The machine whose processes can be seen: elsewhere nobody can tell whether a lock's owner is dead."""
    return os.uname().nodename


def recover(repo: Repo) -> bool:
    """Removes the locks of commands that are dead, and what said that they would make them. True where one was removed."""
    folder = os.path.join(repo.common_dir, FOLDER)
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    removed = [_settle(repo, os.path.join(folder, name)) for name in names]
    return any(removed)


def _settle(repo: Repo, path: str) -> bool:
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(file), os.stat(path)):
            return False
        locks = {} if path.endswith(HALF) else _read(file)
        ours = [lock for lock, holds in locks.items() if _made_by_it(lock, holds, os.fstat(file))]
        if ours and _git_lives(repo):
            return False
        for lock in ours:
            os.unlink(lock)
        os.unlink(path)
    except OSError:
        return False
    else:
        return bool(ours)
    finally:
        os.close(file)


def _read(file: int) -> dict[str, str | None]:
    """The locks that an intent names; none where it was written on another machine, or isn't whole."""
    from json import loads  # noqa: PLC0415

    try:
        said = loads(os.pread(file, MAX_BYTES, 0))
        locks = dict(said["locks"]) if said["machine"] == _machine() else {}
    except (ValueError, KeyError, TypeError):
        return {}
    return {lock: holds for lock, holds in locks.items() if isinstance(lock, str) and lock.endswith((".lock", ".new"))}


def _made_by_it(lock: str, holds: str | None, intent_: os.stat_result) -> bool:
    """Whether a lock is there that the dead command can have made: of this user, after its intent, with its content."""
    try:
        there = os.lstat(lock)
        if there.st_uid != os.geteuid() or there.st_mtime_ns < intent_.st_mtime_ns:
            return False
        if holds is None or there.st_size == 0:
            return True
        with open(lock, "rb") as file:
            return file.read(MAX_LOCK_BYTES).strip() == holds.encode()
    except OSError:
        return False


def _git_lives(repo: Repo) -> bool:
    """Whether a git of this user's works in this repository now; where processes can't be listed, one may."""
    places = tuple(os.fsencode(os.path.realpath(place)) for place in {repo.root, repo.git_dir, repo.common_dir})
    try:
        numbers = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return True
    return any(_works_in(f"/proc/{number}", places) for number in numbers)


def _works_in(process: str, places: tuple[bytes, ...]) -> bool:
    try:
        with open(f"{process}/comm", "rb") as file:
            if file.read().strip() != b"git" or os.stat(process).st_uid != os.geteuid():
                return False
        with open(f"{process}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
        where = os.fsencode(os.readlink(f"{process}/cwd"))
        with open(f"{process}/environ", "rb") as file:
            words += file.read().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:
        return True
    if any(reader in words for reader in READERS):
        return False
    return any(where == place or where.startswith(place + b"/") or any(place in word for word in words) for place in places)
