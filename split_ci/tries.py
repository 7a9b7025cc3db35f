"""When a generation may be tried again: what failed by the world's fault waits longer each time, a no waits for a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from split_ci.ledger import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from split_ci.ledger import Entry

MOST_HOURS = 24
SKEW = timedelta(hours=24)  # of the clock of a runner
NO = ("failed", "refused", "stale", "over-limit", "blocked")


class Tries(NamedTuple):
    """What became of what was tried since the last answer: how often it failed, and when last. `no`: the answer is no."""

    failed: int = 0
    last: str = ""
    no: Entry | None = None


def tries(entries: Sequence[Entry], runs: Iterable[str], now: str) -> Tries:
    """Of the attempts in question, by time, and of runs (when they were made) that ended without success.

    `runs` are those since the last that succeeded. One try may have left both an attempt and a run; it is counted once.
    A time of tomorrow is somebody's invention: nothing waits for it.
    """
    answers = [entry for entry in entries if not by_the_world(entry)]
    since = answers[-1].at if answers else ""
    worldly = [entry.at for entry in entries if entry.at > since and by_the_world(entry)]
    broken = list(runs)
    no = answers[-1] if answers and answers[-1].outcome in NO else None
    seen = [at for at in (*worldly, *broken) if _time(at) <= _time(now) + SKEW]
    return Tries(max(len(worldly), len(broken)), max(seen, key=_time, default=""), no)


def by_the_world(entry: Entry) -> bool:
    """Whether an attempt ended by what another hour may mend."""
    return entry.world or entry.reason == INTERRUPTED


def wait_until(found: Tries) -> str:
    """When the next try is due: 1, 2, 4 … 24 hours after the last; "" where nothing failed."""
    if not found.failed:
        return ""
    hours = min(2 ** (found.failed - 1), MOST_HOURS) if found.failed <= MOST_HOURS else MOST_HOURS
    return (_time(found.last) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(at: str) -> datetime:
    """A moment as the ledger and GitHub write it; one that is none is long past."""
    try:
        found = datetime.fromisoformat(at)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(0, UTC)
