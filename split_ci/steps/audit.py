"""The audit: where an expensive model did cheap work, in the ledger or in the session files of a coding agent."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from split_ci import ledger, prices
from split_ci.bill import Cost, cost_of, model_name, priced_usd
from split_ci.errors import UsageError
from split_ci.ports import Usage
from split_ci.transcript import KINDS, Broken, Transcripts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from split_ci.config import Config
    from split_ci.git import Repo
    from split_ci.ledger import Entry
    from split_ci.settings import ModelConfig, Price
    from split_ci.transcript import Call

MAX_LINE = 8 * 1024 * 1024  # a longer one holds a picture, or is broken
MAX_NAMES = 10_000  # typed files that are told apart
MAX_MODELS = 100
SHOWN_FILES = 10
LEDGER_KINDS = ("architect-typed", "exact-by-model", "exact-reviewed")


class Waste(NamedTuple):
    """One kind of cheap work in the ledger: what it cost, which specs, and what it would have cost done cheaply.

    `cheap_usd` is None where no cheap price is known; 0.0 where code would have done it.
    """

    kind: str  # of LEDGER_KINDS
    cost: Cost
    specs: tuple[str, ...]
    cheap_usd: float | None


class Kind(NamedTuple):
    """A kind of work in sessions. Money is None where the model's price isn't known."""

    kind: str
    input: int
    cached: int
    output: int
    usd: float | None


class Range(NamedTuple):
    """An estimate with its honest width, US dollars."""

    least: float
    most: float


class Session(NamedTuple):
    """All calls of one model. `saved` is what a spec would have saved of the typing, None without prices."""

    model: str
    calls: int
    edits: int
    kinds: tuple[Kind, ...]
    saved: Range | None


class Audit(NamedTuple):
    """`sessions` is empty where the ledger was looked at, `ledger` where session files were."""

    ledger: tuple[Waste, ...] = ()
    entries: int = 0
    sessions: tuple[Session, ...] = ()
    files: tuple[tuple[str, int], ...] = ()  # typed files and how often, the most first
    transcripts: int = 0
    lines: int = 0
    broken: int = 0
    unread: tuple[str, ...] = ()  # session files that could not be opened
    cheap: str = ""  # the rung whose price the estimates use


def cheap_rung(config: Config) -> tuple[str, Price | None]:
    """The cheapest rung of known price; an empty name where no rung is a model that isn't the architect's."""
    found = [(name, config.models[name]) for name in config.implementers if name in config.models]
    others = [(name, prices.price_of(row)) for name, row in found if not _same_model(row, config)]
    known = sorted((price.output, name, price) for name, price in others if price)
    if known:
        return known[0][1], known[0][2]
    return (others[0][0], None) if others else ("", None)


def _same_model(row: ModelConfig, config: Config) -> bool:
    architect = config.models.get(config.architect)
    if architect is None:
        return False
    return (row.api, row.model, row.replies) == (architect.api, architect.model, architect.replies) and (
        row.api != "scripted" or row.name == architect.name
    )


# --- the ledger


def audit_ledger(repo: Repo, config: Config) -> Audit:
    """Three kinds of cheap work that were paid dearly: the architect typing, a model doing what was exact, and reviews of
    results that were exact to the last byte and green.
    """
    return audit_entries(ledger.read_all(repo), config)


def audit_entries(entries: Sequence[Entry], config: Config) -> Audit:
    """The same for some entries."""
    name, price = cheap_rung(config)
    by_name = prices.by_name(config)
    exact = {e.commit for e in entries if e.commit and e.role == "implementer" and _wholly_exact(e)}
    found: dict[str, list[Entry]] = {kind: [] for kind in LEDGER_KINDS}
    for entry in entries:
        kind = _waste(entry, config, exact)
        if kind:
            found[kind].append(entry)
    wastes = []
    for kind, those in found.items():
        cost = sum((cost_of(e, by_name) for e in those), Cost())
        typed = Usage(0, cost.input, cost.cached, cost.output)
        cheap = (priced_usd(typed, price) if price else None) if kind == "architect-typed" else 0.0
        wastes.append(Waste(kind, cost, tuple(dict.fromkeys(e.id for e in those)), cheap))
    return Audit(ledger=tuple(wastes), entries=len(entries), cheap=name)


def _waste(entry: Entry, config: Config, exact: set[str]) -> str:
    """The kind of cheap work that a paid entry is, or nothing."""
    if not entry.usage.calls:
        return ""
    if entry.role == "architect":
        return "exact-reviewed" if entry.decision and entry.commit in exact else ""
    if entry.outcome == "done" and entry.edits.get("exact") and not _by_model(entry):
        return "exact-by-model"
    row = config.models.get(model_name(entry.name))
    mine = model_name(entry.name) == config.architect or (row is not None and _same_model(row, config))
    return "architect-typed" if mine and config.architect != "rules" else ""


def _by_model(entry: Entry) -> int:
    return entry.edits.get("model", 0) + entry.edits.get("adapted", 0)


def _wholly_exact(entry: Entry) -> bool:
    green = all(c.green is not False and c.red is not False for c in entry.criteria)
    return entry.outcome == "done" and bool(entry.edits.get("exact")) and not _by_model(entry) and green


# --- session files


class _Sums:
    """What one model did, as it adds up."""

    def __init__(self) -> None:
        self.calls = 0
        self.edits = 0
        self.typing_calls = Usage()  # the calls that typed and did little else, whole
        self.kinds = {kind: [0.0, 0.0, 0.0] for kind in KINDS}

    def add(self, call: Call) -> None:
        self.calls += 1
        self.edits += call.edits
        usage = call.usage
        for kind, sums in self.kinds.items():
            share = call.share(kind)
            for at, tokens in enumerate((usage.input, usage.cached, usage.output)):
                sums[at] += share * tokens
        if call.share("typing") > 0.5:
            self.typing_calls += usage._replace(usd=0.0)


class _Tally:
    """What session files hold, as it adds up. It keeps sums and names of files, so that any number of lines fit."""

    def __init__(self) -> None:
        self.models: dict[str, _Sums] = {}
        self.files: dict[str, int] = {}
        self.lines = 0
        self.broken = 0
        self._reader = Transcripts()

    def read(self, path: str) -> None:
        """A whole file. Raises OSError."""
        self._take(self._reader.start())
        for line in read_lines(path):
            self.lines += 1
            try:
                self._take(self._reader.line(line))
            except Broken:
                self.broken += 1

    def end(self) -> None:
        self._take(self._reader.end())

    def _take(self, calls: Iterable[Call]) -> None:
        for call in calls:
            name = call.model if call.model in self.models or len(self.models) < MAX_MODELS else "(others)"
            self.models.setdefault(name, _Sums()).add(call)
            for path in call.files:
                key = path if path in self.files or len(self.files) < MAX_NAMES else "(others)"
                self.files[key] = self.files.get(key, 0) + 1


def audit_transcripts(paths: Sequence[str], config: Config) -> Audit:
    """Session files, or folders of them, read a line at a time. Raises UsageError for a path at which nothing is."""
    tally = _Tally()
    count = 0
    unread: list[str] = []
    for path in transcript_files(paths):
        count += 1
        try:
            tally.read(path)
        except OSError as error:
            unread.append(f"{path}: {error.strerror}")
    tally.end()
    name, cheap = cheap_rung(config)
    sessions = sorted((_session(model, sums, config, cheap) for model, sums in tally.models.items()), key=_dearest)
    most = sorted(tally.files.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_FILES]
    return Audit(
        sessions=tuple(sessions), files=tuple(most), transcripts=count, lines=tally.lines, broken=tally.broken,
        unread=tuple(unread), cheap=name,
    )  # fmt: skip


def _dearest(session: Session) -> tuple[float, int, str]:
    return -sum(kind.usd or 0.0 for kind in session.kinds), -sum(kind.output for kind in session.kinds), session.model


def _session(model: str, sums: _Sums, config: Config, cheap: Price | None) -> Session:
    price = prices.price_of_id(config, model)
    kinds = []
    for kind, counts in sums.kinds.items():
        tokens = Usage(0, *map(round, counts))
        usd = priced_usd(tokens, price) if price else None
        kinds.append(Kind(kind, tokens.input, tokens.cached, tokens.output, usd))
    return Session(model, sums.calls, sums.edits, tuple(kinds), _saved(sums, price, cheap))


def _saved(sums: _Sums, price: Price | None, cheap: Price | None) -> Range | None:
    """What a spec would have saved.

    At least nothing: the text still has to be thought out, a spec that writes it out exactly costs the architect the same
    tokens once, and writing the criteria costs more. At most: the typing calls are not made by this model at all, since
    the whole brief goes to the cheap one.
    """
    if price is None or cheap is None:
        return None
    calls = sums.typing_calls
    return Range(0.0, max(0.0, priced_usd(calls, price) - priced_usd(calls, cheap)))


def transcript_files(paths: Sequence[str]) -> Iterator[str]:
    """The session files at paths: each that is named, and each `.jsonl` below a folder; no link is followed."""
    for path in paths:
        if os.path.isdir(path):
            for folder, below, names in os.walk(path):
                below.sort()
                yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith(".jsonl"))
        elif os.path.lexists(path):
            yield path
        else:
            raise UsageError(f"{path}: there is nothing", hint="split-ci audit ~/.claude/projects ~/.codex/sessions")


def read_lines(path: str) -> Iterator[bytes | None]:
    """The lines of a file that aren't empty, one at a time; None for one that is too long. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "not a plain file")
        while line := file.readline(MAX_LINE):
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                    pass
                yield None
            elif line.strip():
                yield line
