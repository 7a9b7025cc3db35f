"""What was paid for is written down before and after each call, so that a kill at any moment loses no cost.

One file for each attempt, `<common git dir>/split-ci/journal/<attempt>.jsonl`: the entry as it began, then a line a call.
The writer holds a lock on it; a file that nobody holds is of a run that died, and the next one folds it into the ledger.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from threading import Lock
from typing import TYPE_CHECKING

from split_ci.errors import Refused
from split_ci.fields import canonical, read_object
from split_ci.ledger import INTERRUPTED, Entry, line_of, read_all, read_line, write
from split_ci.ports import Usage
from split_ci.verdict import read_usage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from split_ci.git import Repo

FOLDER = os.path.join("split-ci", "journal")
MAX_BYTES = 16 * 1024 * 1024
INHERITED_SECONDS = 0.2  # a lock lives on in a process that is forked, until its program begins
STARTED = "started"
ENDED = "ended"


class Journal:
    """One attempt's file, opened at its first call and locked while the attempt lives."""

    def __init__(self, repo: Repo, entry: Entry) -> None:
        self.entry = entry
        self.path = os.path.join(repo.common_dir, FOLDER, f"{entry.attempt}.jsonl")
        self._file: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close(recorded=False)

    def started(self) -> None:
        """Before a call leaves."""
        self._append(canonical({"event": STARTED}))

    def ended(self, usage: Usage) -> None:
        """After it: what it cost."""
        self._append(canonical({"event": ENDED, "usage": usage._asdict()}))

    def close(self, *, recorded: bool) -> None:
        """Ends it. `recorded`: the ledger has this attempt, so the file can go."""
        if self._file is None:
            return
        if recorded:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
        os.close(self._file)
        self._file = None

    def _append(self, line: str) -> None:
        if self._file is None:
            self._open()
        assert self._file is not None
        _write_all(self._file, line.encode() + b"\n")
        os.fsync(self._file)

    def _open(self) -> None:
        folder = os.path.dirname(self.path)
        os.makedirs(folder, exist_ok=True)
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        _write_all(self._file, line_of(self.entry).encode() + b"\n")
        _sync_folder(folder)


class Journals:
    """The journals of one run, by attempt; safe between threads."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._open: dict[str, Journal] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def open(self, entry: Entry) -> Journal:
        """The journal of an attempt; its file comes with the first call."""
        with self._lock:
            return self._open.setdefault(entry.attempt, Journal(self._repo, entry))

    def settle(self, attempts: Iterable[str]) -> None:
        """The ledger has these attempts: their files go."""
        self._close(attempts, recorded=True)

    def close(self) -> None:
        """Leaves what is not in the ledger to `record` or to the next run."""
        self._close(list(self._open), recorded=False)

    def _close(self, attempts: Iterable[str], *, recorded: bool) -> None:
        with self._lock:
            found = [self._open.pop(attempt) for attempt in attempts if attempt in self._open]
        for journal in found:
            journal.close(recorded=recorded)


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fold(repo: Repo) -> list[Entry]:
    """What runs that died had paid for, one entry an attempt. A journal whose run still lives is passed over."""
    folder = os.path.join(repo.common_dir, FOLDER)
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    paths = [os.path.join(folder, name) for name in names if name.endswith(".jsonl")]
    if any(_is_held(path) for path in paths):
        time.sleep(INHERITED_SECONDS)
    found = (_of_dead_run(path) for path in paths)
    return [entry for entry in found if entry is not None]


def _is_held(path: str) -> bool:
    """Whether a lock is on a journal: its run's, or, for a moment, that of a program on its way to be started by one."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _of_dead_run(path: str) -> Entry | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with os.fdopen(os.dup(file), "rb") as stream:
            data = stream.read(MAX_BYTES)
        if b"\n" not in data:
            os.unlink(path)  # it died (or its disk was full) before its first call
    except BlockingIOError:
        return None
    finally:
        os.close(file)
    return read_journal(data)


def read_journal(data: bytes) -> Entry | None:
    """The attempt in a journal's bytes, as an interrupted one. A call without its end is one of unknown cost."""
    first, *rest = data.decode(errors="replace").split("\n")
    try:
        entry = read_line(first)
    except Refused:
        return None
    usage, open_calls = Usage(), 0
    for line in rest:
        if not line:
            continue
        ended = _usage_or_none(line)
        if ended is None:
            open_calls += STARTED in line
        else:
            usage += ended
            open_calls -= 1
    usage += Usage(calls=max(0, open_calls), usd=None if open_calls > 0 else 0.0)
    return entry._replace(usage=usage, outcome="failed", reason=INTERRUPTED)


def _usage_or_none(line: str) -> Usage | None:
    try:
        fields = read_object(line, "journal")
        return read_usage(fields.object("usage")) if fields.one_of("event", (STARTED, ENDED)) == ENDED else None
    except Refused:
        return None


def forget(repo: Repo, entries: Iterable[Entry]) -> None:
    """Removes the journals of attempts that the ledger has."""
    for entry in entries:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(repo.common_dir, FOLDER, f"{entry.attempt}.jsonl"))


def recover(repo: Repo) -> list[Entry]:
    """Puts what dead runs had paid for into the ledger, then removes their journals. Safe to repeat at any point.

    What a run had put there itself, and died before its journal was gone, is not put there again.
    """
    found = fold(repo)
    if not found:
        return []
    known = {(entry.id, entry.attempt, entry.role) for entry in read_all(repo)}
    entries = [entry for entry in found if (entry.id, entry.attempt, entry.role) not in known]
    if entries:
        write(repo, entries)
    forget(repo, found)
    return found
