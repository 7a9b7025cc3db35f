"""The journals of one run: every paid attempt's is open until the ledger has it."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from split_ci.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from split_ci.git import Repo
    from split_ci.ledger import Entry


class Journals:
    """Opens journals and ends them. What is still open at the end is left for `journal.recover`."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._open: dict[str, Journal] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for journal in self._open.values():
            journal.close(recorded=False)

    def open(self, entry: Entry) -> Journal:
        """The journal of an attempt that begins."""
        journal = Journal(self._repo, entry)
        with self._lock:
            self._open[entry.attempt] = journal
        return journal

    def settle(self, attempts: Iterable[str]) -> None:
        """Ends the journals of attempts that the ledger has."""
        for attempt in attempts:
            with self._lock:
                journal = self._open.pop(attempt, None)
            if journal is not None:
                journal.close(recorded=True)
