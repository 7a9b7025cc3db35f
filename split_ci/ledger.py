"""The ledger: what every attempt and every review cost and came to, one JSON line each, in git notes.

A note lies on the attempt's own commit (on the base, where nothing was built). Notes merge by union: the same attempt
told twice falls together, and the richer line wins, so that no order of merging changes what is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from split_ci.errors import Refused, WorldError
from split_ci.fields import Fields, canonical, read_object
from split_ci.notes import note_of, notes, put, review_notes
from split_ci.ports import Usage
from split_ci.verdict import read_usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from split_ci.changeset import Changeset
    from split_ci.git import Repo
    from split_ci.ports import Role
    from split_ci.results import Results
    from split_ci.store import Quarantine, RefUpdate
    from split_ci.verdict import Verdict

REF = "refs/notes/split-ci"
ROLES = ("architect", "implementer")
OUTCOMES = ("done", "unchanged", "failed", "stale", "refused", "over-limit", "blocked")
DECISIONS = ("", "approve", "request_changes", "incomplete")
MAX_LINE = 256 * 1024
TRIES = 8


class CriterionSummary(NamedTuple):
    id: str
    red: bool | None
    green: bool | None
    seconds: float


class Entry(NamedTuple):
    """What one implementer did once, or one review. `at` is real UTC time; money that isn't known is None."""

    id: str
    digest: str
    attempt: str  # its own id: of the attempt, or of the review
    role: Role
    name: str  # the implementer's, or the reviewer's
    at: str
    commit: str | None  # what it made, or what it read
    base: str = ""
    round: int = 1
    usage: Usage = Usage()
    outcome: str = "done"
    reason: str = ""
    edits: Mapping[str, int] = {}
    lessons: tuple[str, ...] = ()
    lessons_at: str | None = None
    criteria: tuple[CriterionSummary, ...] = ()
    decision: str = ""  # of a review
    recorded: bool = False  # a scripted model spoke
    held: tuple[str, ...] = ()  # lessons that the brief was to do without (`coaching.holdout`)
    world: bool = False  # something outside ended it, and not an answer


def now() -> str:
    """The real time, UTC, to the second: `2026-01-02T03:04:05Z`."""
    from datetime import UTC, datetime  # noqa: PLC0415

    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def entry_of_changeset(
    changeset: Changeset, commit: str | None, results: Results | None = None, at: str | None = None
) -> Entry:
    """An attempt as the ledger keeps it."""
    summary = () if results is None else tuple(CriterionSummary(c.id, c.red, c.green, c.seconds) for c in results.criteria)
    return Entry(
        id=changeset.id,
        digest=changeset.digest,
        attempt=changeset.attempt,
        role="implementer",
        name=changeset.implementer,
        at=at or now(),
        commit=commit,
        base=changeset.base,
        round=changeset.round,
        usage=changeset.usage,
        outcome=changeset.outcome.name,
        reason=changeset.outcome.reason[:2000],
        edits=dict(changeset.edits),
        lessons=changeset.lessons,
        lessons_at=changeset.lessons_at,
        held=changeset.held,
        criteria=summary,
        world=changeset.world,
    )


def entry_of_verdict(verdict: Verdict, at: str | None = None) -> Entry:
    """A review as the ledger keeps it."""
    return Entry(
        id=verdict.id,
        digest=verdict.digest,
        attempt=verdict.review,
        role="architect",
        name=verdict.by,
        at=at or now(),
        commit=verdict.head,
        base=verdict.base,
        round=verdict.round,
        usage=verdict.usage,
        decision=verdict.decision,
        recorded=verdict.recorded,
        world=verdict.world,
        lessons=tuple(lesson.id for lesson in verdict.lessons),
    )


def line_of(entry: Entry) -> str:
    """One line of the ledger, the same for the same entry."""
    value: dict[str, Any] = entry._asdict()
    value["usage"] = entry.usage._asdict()
    value["edits"] = dict(entry.edits)
    value["criteria"] = [c._asdict() for c in entry.criteria]
    if not entry.world:
        del value["world"]
    return canonical(value)


def read_line(line: str) -> Entry:
    """Reads what `line_of` wrote. Raises Refused."""
    fields = read_object(line, "ledger", MAX_LINE)
    entry = Entry(
        id=fields.spec_id("id"),
        digest=fields.hex("digest", (64,)),
        attempt=fields.text("attempt", 64),
        role=cast("Role", fields.one_of("role", ROLES)),
        name=fields.text("name", 200),
        at=fields.text("at", 40),
        commit=fields.hex_or_none("commit"),
        base=fields.text("base", 64),
        round=fields.integer("round", 1, 1000),
        usage=read_usage(fields.object("usage")),
        outcome=fields.one_of("outcome", OUTCOMES),
        reason=fields.text("reason", 8000),
        edits=fields.counts("edits"),
        lessons=fields.texts("lessons", 1000, 63),
        lessons_at=fields.hex_or_none("lessons_at"),
        criteria=fields.objects("criteria", _read_criterion, 1000),
        decision=fields.one_of("decision", DECISIONS),
        recorded=fields.flag("recorded"),
        held=fields.texts("held", 1000, 63) if "held" in fields else (),
        world="world" in fields and fields.flag("world"),
    )
    fields.end()
    return entry


def _read_criterion(fields: Fields) -> CriterionSummary:
    return CriterionSummary(
        fields.text("id", 16), fields.flag_or_none("red"), fields.flag_or_none("green"), fields.number("seconds")
    )


def merged(entries: Iterable[Entry]) -> list[Entry]:
    """Each attempt once, the richest of its tellings, by time. The order of `entries` doesn't matter."""
    best: dict[tuple[str, str, str], Entry] = {}
    for entry in entries:
        key = (entry.id, entry.attempt, entry.role)
        known = best.get(key)
        best[key] = entry if known is None else _richer(known, entry)
    return sorted(best.values(), key=lambda e: (e.at, e.id, e.round, e.role, e.attempt))


def _richer(one: Entry, other: Entry) -> Entry:
    """The one that knows more; told twice, the earlier telling, so that a repeat adds nothing."""
    a, b = _weight(one), _weight(other)
    if a != b:
        return one if a > b else other
    return min(one, other, key=lambda e: (e.at, line_of(e)))


def _weight(entry: Entry) -> tuple[int, ...]:
    usage = entry.usage
    told = usage.calls, usage.input + usage.output, entry.commit is not None, len(entry.criteria), bool(entry.decision)
    ended = int(entry.reason != INTERRUPTED), int(entry.outcome != "unchanged")  # the quicker of two runs made it visible
    return (*map(int, told), *ended, sum(c.green is True for c in entry.criteria))


INTERRUPTED = "the run was interrupted"


def text_of(entries: Iterable[Entry]) -> bytes:
    """A note: one line for each attempt, sorted."""
    return "".join(sorted(line_of(e) + "\n" for e in merged(entries))).encode()


def entries_in(note: bytes) -> list[Entry]:
    """The entries in a note. Lines that are not the ledger's are passed over: a note is open to anyone."""
    found = []
    for line in note.decode(errors="replace").splitlines():
        if line.startswith("{"):
            try:
                found.append(read_line(line))
            except Refused:
                continue
    return found


def foreign_lines(note: bytes) -> list[str]:
    """Lines of a note that the ledger can't read: they are kept as they are."""
    return [line for line in note.decode(errors="replace").splitlines() if line.strip() and not entries_in(line.encode())]


def append(quarantine: Quarantine, entries: Iterable[Entry]) -> RefUpdate | None:
    """Puts entries beside what the notes hold; None where they hold them all. The update joins a transaction."""
    wanted: dict[str, list[Entry]] = {}
    for entry in entries:
        wanted.setdefault(entry.commit or entry.base, []).append(entry)
        if entry.commit and entry.base and entry.usage.calls:
            wanted.setdefault(entry.base, []).append(entry)
    return put(quarantine, REF, wanted, _union, "record what attempts cost")


def _union(at: str, note: bytes | None, entries: Sequence[Entry]) -> bytes:
    """The note on an object with the entries that belong there. What was told on the base of an attempt that was cut off
    goes, once its own commit tells the whole of it.
    """
    here = [entry for entry in entries if at == (entry.commit or entry.base)]
    if note is None:
        return text_of(here)
    over = {(entry.id, entry.attempt, entry.role) for entry in entries if entry not in here}
    told = [e for e in entries_in(note) if e.reason != INTERRUPTED or (e.id, e.attempt, e.role) not in over]
    kept = "".join(line + "\n" for line in foreign_lines(note)).encode()
    return kept + text_of([*told, *here])


def note_updates(quarantine: Quarantine, entries: Iterable[Entry], verdicts: Iterable[Verdict]) -> list[RefUpdate]:
    """The ledger's and the reviews' part of a transaction. After a lost race, call it again."""
    return [update for update in (append(quarantine, entries), review_notes(quarantine, verdicts)) if update]


def write(repo: Repo, entries: Iterable[Entry]) -> bool:
    """Puts entries into the ledger by themselves; false where it held them all. Raises WorldError after lost races."""
    from split_ci.store import Quarantine  # noqa: PLC0415

    entries = list(entries)
    for _ in range(TRIES):
        with Quarantine(repo) as quarantine:
            update = append(quarantine, entries)
            if update is None:
                return False
            if not quarantine.admit([update]):
                return True
    raise WorldError(f"{REF} kept moving while it was written", again=True)


def read_all(repo: Repo) -> list[Entry]:
    """Every attempt that the ledger knows, by time."""
    return merged(entry for note in notes(repo, REF).values() for entry in entries_in(note))


def read_of(repo: Repo, commit: str) -> list[Entry]:
    """The entries on one commit."""
    note = note_of(repo, REF, commit)
    return [] if note is None else merged(entries_in(note))
