"""What was paid for is written down before and after each call, so that a kill at any moment loses no cost and no answer.

One file for each attempt, `<common git dir>/split-ci/journal/<attempt>.jsonl`, in the lines of `past`. The writer holds a
lock on it; a file that nobody holds is of a run that died: the next one folds its cost into the ledger, and whoever asks
the same again goes on with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from split_ci.ledger import merged, read_all, write
from split_ci.past import (
    ended_line,
    first_lines,
    left_line,
    made_line,
    over_line,
    read_journal,
    started_line,
    works_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import Self

    from split_ci.git import Repo
    from split_ci.ledger import Entry
    from split_ci.past import Told
    from split_ci.ports import Attempt, Past, Reply, Usage, Workplace

FOLDER = os.path.join("split-ci", "journal")
MAX_BYTES = 256 * 1024 * 1024
INHERITED_SECONDS = 0.2  # a lock lives on in a process that is forked, until its program begins
KEPT_DAYS = 30  # an answer that nobody asked for again


class Journal:
    """One attempt's file, opened at its first call and locked while the attempt lives.

    `past` is there where it goes on with a dead run's.
    """

    def __init__(self, repo: Repo, entry: Entry, topic: str = "") -> None:
        self.entry = entry
        self.topic = topic
        self.path = os.path.join(repo.common_dir, FOLDER, f"{entry.attempt}.jsonl")
        self.past: Past | None = None
        self.kept = False  # it holds what another run could use
        self._file: int | None = None
        self._first = ""  # lines that wait for the first call
        self._release: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close(recorded=False)

    def adopt(self, path: str) -> bool:
        """Goes on with a dead run's file on the same topic; false where another run has it or it is gone."""
        file = _open_or_none(path, os.O_RDWR | os.O_APPEND)
        if file is None:
            return False
        told = _held(file)
        if told is None or told.topic != self.topic or not told.worth_keeping:
            os.close(file)
            return False
        self._file, self.path, self.past, self.kept = file, path, told.past(), True
        self.entry = told.entry
        return True

    def started(self) -> None:
        """Before a call leaves."""
        self._append(started_line())

    def ended(self, usage: Usage, question: str = "", reply: Reply | None = None) -> None:
        """After it: what it cost, and the answer."""
        self.kept = self.kept or bool(self.topic and question and reply)
        self._append(ended_line(usage, question, reply))

    def made(self, attempt: Attempt) -> None:
        """What the implementer made, once it was paid for."""
        line = made_line(attempt) if self._file is not None and self.topic else ""
        if line:
            self.kept = True
            self._append(line)

    def works_in(self, place: Workplace, release: Callable[[], None]) -> str:
        """As `ports.Account`. A place in which no call was made is not named: nothing was paid for there."""
        line = works_line(place)
        if not line:
            return ""
        self._release = release
        if self._file is None:
            self._first = line
        else:
            self._append(line)
        return self.path

    def leave(self) -> None:
        """All that was made where an agent worked is safe: that place can go."""
        release, self._release = self._release, None
        if release is None:
            return
        if self._file is not None:
            self._append(left_line())
        release()

    def over(self) -> None:
        """Whoever asked has it now, in a file of its own: only the ledger still waits for it."""
        if self._file is not None:
            self._append(over_line())
        self.leave()

    def close(self, *, recorded: bool) -> None:
        """Ends it. `recorded`: the ledger has this attempt and nobody will ask the same again, so the file can go."""
        if recorded or self._file is None:
            self.leave()
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
        _write_all(self._file, line.encode())
        os.fsync(self._file)

    def _open(self) -> None:
        folder = os.path.dirname(self.path)
        os.makedirs(folder, exist_ok=True)
        while True:
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file).st_nlink:
                break
            os.close(file)  # whoever looked for dead runs took it for one's, empty as it was
        self._file = file
        _write_all(file, (first_lines(self.entry, self.topic) + self._first).encode())
        _sync_folder(folder)


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Dead(NamedTuple):
    """The journal of a run that died."""

    path: str
    told: Told


def fold(repo: Repo) -> list[Dead]:
    """What runs that died had paid for. A journal whose run still lives is passed over."""
    folder = os.path.join(repo.common_dir, FOLDER)
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    paths = [os.path.join(folder, name) for name in names if name.endswith(".jsonl")]
    if any(_is_held(path) for path in paths):
        time.sleep(INHERITED_SECONDS)
    found = ((path, _of_dead_run(path)) for path in paths)
    return [Dead(path, told) for path, told in found if told is not None]


def _open_or_none(path: str, how: int) -> int | None:
    try:
        return os.open(path, how | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None


def _is_held(path: str) -> bool:
    """Whether a lock is on a journal: its run's, or, for a moment, that of a program on its way to be started by one."""
    file = _open_or_none(path, os.O_RDONLY)
    if file is None:
        return False
    try:
        return not _locked(file)
    finally:
        os.close(file)


def _locked(file: int) -> bool:
    """Takes the lock, unless another has it or the file is gone."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _held(file: int) -> Told | None:
    """What is in a file that is locked now; None where another has it, or took it away."""
    if not _locked(file) or os.fstat(file).st_nlink == 0:
        return None
    with os.fdopen(os.dup(file), "rb") as stream:
        return read_journal(stream.read(MAX_BYTES))


def _of_dead_run(path: str) -> Told | None:
    file = _open_or_none(path, os.O_RDONLY)
    if file is None:
        return None
    try:
        told = _held(file)
        if told is None and _locked(file) and b"\n" not in os.pread(file, 1 << 20, 0):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # it died (or its disk was full) before its first call
    finally:
        os.close(file)
    return told


class Found(NamedTuple):
    """A dead run's journal that this process holds; `left` writes that nothing is where its agent worked."""

    told: Told
    left: Callable[[], None]


@contextlib.contextmanager
def holding(path: str) -> Iterator[Found | None]:
    """The journal of a dead run, as it is now; None where another has it, or it is gone."""
    file = _open_or_none(path, os.O_RDWR | os.O_APPEND)
    if file is None:
        yield None
        return

    def left() -> None:
        _write_all(file, left_line().encode())
        os.fsync(file)

    try:
        told = _held(file)
        yield None if told is None else Found(told, left)
    finally:
        os.close(file)


def forget(repo: Repo, entries: Iterable[Entry]) -> None:
    """Removes the journals of attempts that the ledger has, and that nobody will ask for again."""
    for entry in entries:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(repo.common_dir, FOLDER, f"{entry.attempt}.jsonl"))


def recover(repo: Repo) -> list[Entry]:
    """Puts what dead runs had paid for into the ledger, and removes the journals that nobody can use. Safe to repeat.

    What a run had put there itself, and died before its journal was gone, is not put there again.
    """
    found = fold(repo)
    if not found:
        return []
    known = {(entry.id, entry.attempt, entry.role): entry for entry in read_all(repo)}
    told = [one.told.entry for one in found]
    new = [entry for entry in told if _adds(known.get((entry.id, entry.attempt, entry.role)), entry)]
    if new:
        write(repo, new)
    oldest = (datetime.now(UTC) - timedelta(days=KEPT_DAYS)).strftime("%Y-%m-%dT%H:%M:%SZ")
    over = [one.told for one in found if not one.told.place or one.told.entry.at < oldest]
    forget(repo, [told.entry for told in over if not told.worth_keeping or told.entry.at < oldest])
    return new


def _adds(known: Entry | None, entry: Entry) -> bool:
    """Whether a telling says more than the ledger knows."""
    return known is None or merged([known, entry]) != [known]
