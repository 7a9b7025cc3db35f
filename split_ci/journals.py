"""The journals of one run: every paid attempt's is kept until the ledger has it and its spec has ended."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from split_ci.journal import Journal, fold

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from split_ci.git import Repo
    from split_ci.journal import Dead
    from split_ci.ledger import Entry


class Journals:
    """Opens journals and ends them; safe between threads. What is still open at the end is left for the next run."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._dead: list[Dead] | None = None
        self._open: dict[str, Journal] = {}
        self._settled: dict[str, list[Journal]] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with self._lock:
            left = [*self._open.values(), *(one for settled in self._settled.values() for one in settled)]
            self._open, self._settled = {}, {}
        for journal in left:
            journal.close(recorded=False)

    def open(self, entry: Entry, topic: str = "") -> Journal:
        """The journal of an attempt that begins, or that goes on where a run died that asked the same."""
        journal = Journal(self._repo, entry, topic)
        with self._lock:
            found = [one for one in self._of_dead_runs() if topic and one.told.topic == topic]
            for one in found:
                if journal.adopt(one.path):
                    break
            self._open[journal.entry.attempt] = journal
        return journal

    def settle(self, attempts: Iterable[str]) -> None:
        """The ledger has these attempts. What another run could use stays until its spec has ended."""
        for attempt in attempts:
            with self._lock:
                journal = self._open.pop(attempt, None)
                if journal is not None and journal.kept:
                    self._settled.setdefault(journal.entry.id, []).append(journal)
            if journal is not None and journal.kept:
                journal.leave()
            elif journal is not None:
                journal.close(recorded=True)

    def over(self) -> None:
        """Whoever asked has it all, and hands it to `record`: the ledger gets it from there, or from the next run."""
        with self._lock:
            left = list(self._open.values())
        for journal in left:
            journal.over()

    def end(self, spec: str) -> None:
        """A spec has ended: nobody will ask again what was asked for it."""
        with self._lock:
            settled = self._settled.pop(spec, [])
            known = {one.path for one in settled}
            dead = [one for one in self._of_dead_runs() if one.told.entry.id == spec and one.path not in known]
        for journal in settled:
            journal.close(recorded=True)
        for one in dead:
            over = Journal(self._repo, one.told.entry, one.told.topic)
            if over.adopt(one.path):
                over.close(recorded=True)

    def _of_dead_runs(self) -> list[Dead]:
        """Those that were there when the first was asked for: `recover` has put their cost into the ledger."""
        if self._dead is None:
            self._dead = [one for one in fold(self._repo) if one.told.worth_keeping]
        return self._dead
