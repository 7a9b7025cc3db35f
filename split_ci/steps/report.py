"""The report: how often a first attempt passed, what each role cost, and how that went over time; from git's notes alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from split_ci import ledger, notes, prices
from split_ci.bill import Bill, Cost, bill_of, cost_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from split_ci.config import Config
    from split_ci.git import Repo
    from split_ci.ledger import Entry

WEEKS = 104  # that are told, the newest
WEEK = timedelta(days=7)


class Passes(NamedTuple):
    """Generations of specs: those whose first result was approved, of those that are decided; `open` wait for a review."""

    passed: int = 0
    decided: int = 0
    open: int = 0

    def __add__(self, other: Passes) -> Passes:  # type: ignore[override]
        return Passes(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class Week(NamedTuple):
    """A week by its Monday: what was dispatched first in it, and what was paid in it."""

    monday: date
    passes: Passes
    architect: Cost
    implementer: Cost


class Report(NamedTuple):
    """`typed` had a model in their making, `exact` none. `undated` entries are in every sum but in no week."""

    specs: int
    attempts: int
    reviews: int
    typed: Passes
    exact: Passes
    edits: Mapping[str, int]  # exact, adapted and model edits of the results that are done
    bill: Bill
    weeks: tuple[Week, ...]
    undated: int
    architect: str  # its name in the configuration
    priced: bool  # whether its price is known


def report(repo: Repo, config: Config) -> Report:
    """Everything that the ledger and the reviews of this repository know."""
    entries = ledger.read_all(repo)
    decisions = {verdict.head: verdict.decision for verdict in notes.reviews(repo).values()}
    return compile_report(entries, decisions, config, datetime.now(UTC).date())


def compile_report(entries: Sequence[Entry], decisions: Mapping[str, str], config: Config, today: date) -> Report:
    """The report of some entries; `decisions` are reviews by the commit that they read."""
    judged = _judged(entries, decisions)
    generations = _generations(entries)
    typed = exact = Passes()
    for attempts in generations.values():
        if any(e.usage.calls for e in attempts):
            typed += _passes(attempts, judged)
        else:
            exact += _passes(attempts, judged)
    price, by_name = prices.architect_price(config), prices.by_name(config)
    weeks, undated = _weeks(entries, generations.values(), judged, config, today)
    return Report(
        specs=len({e.id for e in entries}),
        attempts=sum(e.role == "implementer" for e in entries),
        reviews=sum(bool(e.decision) for e in entries),
        typed=typed,
        exact=exact,
        edits=_edits(entries),
        bill=bill_of(entries, price, by_name),
        weeks=weeks,
        undated=undated,
        architect=config.architect,
        priced=price is not None,
    )


def _judged(entries: Iterable[Entry], decisions: Mapping[str, str]) -> dict[str, set[str]]:
    """Commit -> every decision on it: one by code is in the notes alone, one that another followed is in the ledger."""
    found = {commit: {decision} for commit, decision in decisions.items()}
    for entry in entries:
        if entry.commit and entry.decision:
            found.setdefault(entry.commit, set()).add(entry.decision)
    return found


def _generations(entries: Iterable[Entry]) -> dict[tuple[str, str], list[Entry]]:
    """The attempts by (id, digest)."""
    found: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        if entry.role == "implementer":
            found.setdefault((entry.id, entry.digest), []).append(entry)
    return found


def _passes(attempts: Iterable[Entry], judged: Mapping[str, set[str]]) -> Passes:
    """One generation: passed where its first round was approved, open where nobody has said so or the contrary.

    An attempt that the world ended (a key, a network, the day's money) decides nothing.
    """
    first = [e for e in attempts if e.round == 1 and not e.world]
    said = {decision for e in first if e.commit and e.outcome == "done" for decision in judged.get(e.commit, ())}
    again = any(e.round > 1 for e in attempts)
    if not first and not again:
        return Passes()
    if "approve" in said and not again:
        return Passes(1, 1, 0)
    if again or "request_changes" in said or not any(e.outcome == "done" for e in first):
        return Passes(0, 1, 0)
    return Passes(0, 0, 1)


def _edits(entries: Iterable[Entry]) -> dict[str, int]:
    """Who made the edits: of each generation its last result that is done."""
    last: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        if entry.role == "implementer" and entry.outcome == "done":
            key = entry.id, entry.digest
            if key not in last or entry.round >= last[key].round:
                last[key] = entry
    return {kind: sum(e.edits.get(kind, 0) for e in last.values()) for kind in ("exact", "adapted", "model")}


def _weeks(
    entries: Iterable[Entry],
    generations: Iterable[Sequence[Entry]],
    judged: Mapping[str, set[str]],
    config: Config,
    today: date,
) -> tuple[tuple[Week, ...], int]:
    """The newest weeks, empty ones between them too, and how many entries have no date that can be."""
    by_name = prices.by_name(config)
    costs: dict[tuple[date, str], Cost] = {}
    passes: dict[date, Passes] = {}
    undated = 0
    for entry in entries:
        monday = monday_of(entry.at, today)
        if monday is None:
            undated += 1
        else:
            key = monday, entry.role
            costs[key] = costs.get(key, Cost()) + cost_of(entry, by_name)
    for attempts in generations:
        monday = min(filter(None, (monday_of(e.at, today) for e in attempts)), default=None)
        if monday is not None:
            passes[monday] = passes.get(monday, Passes()) + _passes(attempts, judged)
    known = {monday for monday, _ in costs}
    return tuple(
        Week(
            monday,
            passes.get(monday, Passes()),
            costs.get((monday, "architect"), Cost()),
            costs.get((monday, "implementer"), Cost()),
        )
        for monday in _without_gaps(known)
    ), undated


def monday_of(at: str, today: date) -> date | None:
    """The Monday of a time's week; None for a time that is none, or that is still to come."""
    try:
        day = date.fromisoformat(at[:10])
        return None if day > today + timedelta(days=1) else day - timedelta(days=day.weekday())
    except (ValueError, OverflowError):
        return None


def _without_gaps(mondays: Iterable[date]) -> list[date]:
    """The newest `WEEKS` weeks up to the last that is known, from the first of them that is."""
    known = sorted(mondays)
    if not known:
        return []
    last = known[-1]
    first = next(monday for monday in known if (last - monday) // WEEK < WEEKS)
    return [first + n * WEEK for n in range((last - first) // WEEK + 1)]
