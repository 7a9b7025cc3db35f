"""`run` as people see it: a live row a spec on a terminal, one line a finished spec elsewhere, and the bill at the end."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from split_ci.coaching import ROLLING
from split_ci.plain import counted, visible
from split_ci.report.after import next_steps, output_of
from split_ci.report.bill import money
from split_ci.report.coach import WAITING
from split_ci.report.terminal import coloured, paint, say, say_json, warn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Any

    from rich.live import Live
    from rich.table import Table

    from split_ci.lane import Finished
    from split_ci.ports import Event, Usage
    from split_ci.results import CriterionResult
    from split_ci.selection import Selection
    from split_ci.settings import Config
    from split_ci.verdict import Verdict

COLOUR = {
    "done": "green", "unchanged": "dim", "failed": "red", "stale": "yellow", "refused": "red", "over-limit": "yellow",
    "blocked": "yellow", "approve": "green", "request_changes": "red", "incomplete": "yellow",
}  # fmt: skip
SIGN = {"done": "✓", "unchanged": "=", "failed": "✗", "stale": "~", "refused": "✗", "over-limit": "!", "blocked": "■"}
STATE_WIDTH = 48
NUMBERS = (("criteria", 8), ("time", 8), ("cost", 7))  # columns with their widths


class Row(NamedTuple):
    state: str = "waiting"
    detail: str = ""
    green: int = 0
    criteria: int = 0
    usd: float | None = 0.0
    started: float = 0.0
    ended: float = 0.0


def watch(ids: Sequence[str], *, quiet: bool = False) -> Quiet | Screen:
    """What follows a dispatch: a live table on a terminal, plain lines elsewhere, nothing where only JSON was asked for."""
    if quiet:
        return Quiet(silent=True)
    return Screen(ids) if sys.stderr.isatty() and coloured(sys.stderr) else Quiet()


class Quiet:
    """Plain lines on standard error, one for each spec that ended."""

    left = ""  # what the terminal needs where nobody leaves this

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent

    def __enter__(self) -> Callable[[Event], None]:
        return self.see

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        return None

    def see(self, event: Event) -> None:
        if event.outcome is not None and not self._silent:
            warn(f"{event.outcome.name:<10} {event.id}")


class Screen:
    """One row a spec: state, criteria, time, cost."""

    left = "\x1b[0m\x1b[?25h\n"  # no colour, and the cursor; the table stays as it was

    def __init__(self, ids: Sequence[str]) -> None:
        self._rows = {name: Row() for name in ids}
        self._live: Live | None = None

    def __enter__(self) -> Callable[[Event], None]:
        from rich.console import Console  # noqa: PLC0415
        from rich.live import Live  # noqa: PLC0415

        console = Console(stderr=True)
        self._live = Live(
            get_renderable=lambda: self.table(*console.size), console=console, refresh_per_second=8, transient=True
        )
        self._live.__enter__()
        return self.see

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, tb)

    def see(self, event: Event) -> None:
        row = self._rows.get(event.id, Row())
        now = time.monotonic()
        self._rows[event.id] = row._replace(
            state=event.state, detail=event.detail,
            green=row.green if event.green is None else event.green,
            criteria=row.criteria if event.criteria is None else event.criteria,
            usd=row.usd if event.usd is None else event.usd,
            started=row.started or now, ended=now if event.outcome else 0.0,
        )  # fmt: skip

    def table(self, columns: int, lines: int) -> Table:
        """The rows that a terminal of this size has room for."""
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        rows = list(self._rows.items())
        more = len(rows) > lines - 2  # a heading, and what `Live` needs below
        if more:
            rows = sorted(rows, key=lambda item: _urgency(item[1]))[: max(lines - 3, 1)]
        wide, state_wide = widths(max(map(len, self._rows), default=4), columns)
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
        table.add_column("spec", no_wrap=True, width=wide)
        table.add_column("state", no_wrap=True, width=state_wide)
        for title, width in NUMBERS:
            table.add_column(title, justify="right", no_wrap=True, width=width)
        now = time.monotonic()
        for name, row in rows:
            seconds = f"{(row.ended or now) - row.started:.1f} s" if row.started else ""
            said = f"{SIGN.get(row.state, '·')} {row.state} {visible(row.detail)}".rstrip()
            state = Text(shortened(said, state_wide), COLOUR.get(row.state, ""))
            green = f"{row.green}/{row.criteria}" if row.criteria else ""
            table.add_row(
                Text(shortened(name, wide, middle=True)), state, green, seconds, "?" if row.usd is None else money(row.usd)
            )
        if more:
            table.caption = f"{sum(1 for row in self._rows.values() if row.ended)} of {len(self._rows)} specs ended"
        return table


def _urgency(row: Row) -> tuple[int, float]:
    """What is at work comes first, then what waits, then what ended, the newest first."""
    if row.ended:
        return 2, -row.ended
    return int(row.state in ("waiting", "exact") or 0 < row.criteria == row.green), 0.0


def widths(longest: int, columns: int) -> tuple[int, int]:
    """The widths of the columns for names and states; the numbers always have room, so that all columns stand still."""
    room = columns - sum(width + 1 for _, width in NUMBERS) - 1
    name = min(longest, max(room - STATE_WIDTH, room // 2, 4))
    return name, max(min(STATE_WIDTH, room - name), 4)


def shortened(text: str, width: int, *, middle: bool = False) -> str:
    """A text of at most so many characters; names that begin alike differ at their end."""
    if len(text) <= width:
        return text
    tail = width // 2 if middle else 0
    return text[: width - tail - 1] + "…" + (text[-tail:] if tail else "")


def usage_json(usage: Usage) -> dict[str, Any]:
    return {"calls": usage.calls, "input": usage.input, "cached": usage.cached, "output": usage.output, "usd": usage.usd}


def criterion_json(one: CriterionResult) -> dict[str, Any]:
    return {
        "id": one.id,
        "run": one.run,
        "red": one.red,
        "green": one.green,
        "seconds": round(one.seconds, 3),
        "reason": one.reason,
    }


def review_json(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    findings = [finding._asdict() for finding in verdict.findings]
    return {"decision": verdict.decision, "by": verdict.by, "recorded": verdict.recorded, "findings": findings}


def finished_json(one: Finished) -> dict[str, Any]:
    """One entry of `run --format json`, as `schemas/run.schema.json` has it."""
    total = one.architect + one.implementer
    return {
        "id": one.id, "outcome": one.outcome.name, "reason": one.outcome.reason, "branch": one.branch, "base": one.base,
        "head": one.head, "edits": dict(one.edits), "criteria": [criterion_json(c) for c in one.criteria],
        "rounds": one.rounds, "usage": {"architect": usage_json(one.architect), "implementer": usage_json(one.implementer)},
        "usd": total.usd, "review": review_json(one.review),
        "lessons": list(one.lessons), "taught": list(one.taught), "sent_back": list(one.sent_back),
    }  # fmt: skip


def print_run(done: Sequence[Finished], config: Config, *, json: bool, paths: Mapping[str, str] | None = None) -> None:
    """The whole answer of a run; the configuration knows what the architect's tokens cost. With `paths`, the files of the
    specs by id, it ends with what to type next.
    """
    if json:
        say_json({"specs": [finished_json(one) for one in done]})
    elif done:
        _print_finished(done, config)
        for step in next_steps(done, paths) if paths is not None else ():
            say(f"  next: {step}")
    else:
        say("nothing is ready here: split-ci new TITLE writes a draft, `status: ready` in it makes it a spec to dispatch")


def print_dry_run(found: Sequence[Finished], selection: Selection, base: str, *, json: bool) -> int:
    """What a run would do with each spec; the exit code of `run --dry-run`. In JSON, `outcome` is null where one would be
    dispatched.
    """
    sizes = {one.id: (one.path, len(one.changes), len(one.accept)) for one in selection.specs}
    wrong = any(one.outcome.name not in ("done", "unchanged") for one in found)
    if json:
        rows = [
            finished_json(one) | {"outcome": None if one.outcome.name == "done" else one.outcome.name}
            | {"path": sizes[one.id][0] if one.id in sizes else None}
            for one in found
        ]  # fmt: skip
        say_json({"base": base, "specs": rows})
        return int(wrong)
    for one in found:
        if one.outcome.name == "done":
            _, sections, criteria = sizes[one.id]
            size = f"{counted(sections, 'section')}, {counted(criteria, 'criterion', 'criteria')}"
            say(f"would dispatch {one.id} on {base[:12]}: {size}")
        else:
            say(f"{one.outcome.name} {one.id}: {visible(one.outcome.reason)}")
    if not found:
        say("nothing is ready here")
    return int(wrong)


def _print_finished(done: Sequence[Finished], config: Config) -> None:
    """The table after a run, and the bill."""
    wide = max((len(one.id) for one in done), default=4)
    for one in done:
        green = sum(1 for c in one.criteria if c.green and c.red is not False)
        criteria = f"{green}/{len(one.criteria)} criteria" if one.criteria else ""
        review = paint(one.review.decision, COLOUR[one.review.decision]) + f" by {one.review.by}" if one.review else ""
        rounds = f"{one.rounds} rounds" if one.rounds > 1 else ""
        name = paint(f"{SIGN[one.outcome.name]} {one.outcome.name:<10}", COLOUR[one.outcome.name])
        say("  ".join(part for part in (name, f"{one.id:<{wide}}", criteria, rounds, review) if part).rstrip())
        for line in _details(one):
            say(f"             {visible(line)}")
    if any(one.taught for one in done) and config.coaching.branch == ROLLING:
        say(f"\nlessons were taught; next: {WAITING}")
    _print_bill(done, config)


def _details(one: Finished) -> list[str]:
    """What else there is to say of a spec: why, what was sent back, the lessons, and what is still asked for."""
    lines = [one.outcome.reason] if one.outcome.reason and one.outcome.name not in ("done", "unchanged") else []
    lines += [f"| {line}" for line in output_of(one.criteria)] if lines else []
    lines += [f"sent back: {_one_line(said)}" for said in one.sent_back]
    lines += [f"taught: {lesson}" for lesson in one.taught]
    lines += [f"its brief carried: {lesson}" for lesson in one.lessons]
    if one.review and one.review.decision == "incomplete":
        lines.append(f"incomplete: {_one_line(one.review.summary)}")
    if one.review and one.review.decision != "approve":
        lines += [f"{f.path}:{f.line}: {' '.join(f.message.split())}" for f in one.review.findings]
    return lines


def _one_line(text: str) -> str:
    return "; ".join(" ".join(line.split()).rstrip(".;") for line in text.splitlines() if line.strip())


def _print_bill(done: Sequence[Finished], config: Config) -> None:
    outcomes = {name: sum(1 for one in done if one.outcome.name == name) for name in SIGN}
    say("\n" + ", ".join(f"{count} {name}" for name, count in outcomes.items() if count))
    if not any(one.architect.calls or one.implementer.calls for one in done):
        say("cost: nothing (no model was called)")
        return
    from split_ci.bill import Cost, cost_of_usage, counterfactual  # noqa: PLC0415 - only where a model was paid
    from split_ci.prices import architect_price  # noqa: PLC0415
    from split_ci.report.bill import comparison, role_line  # noqa: PLC0415

    architect = sum((cost_of_usage(one.architect) for one in done), Cost())
    implementer = sum((cost_of_usage(one.implementer) for one in done), Cost())
    compared = counterfactual(architect, implementer, architect_price(config))
    for name, cost in (("architect", architect), ("implementer", implementer)):
        if cost.calls:
            say(role_line(name, cost))
    for line in comparison(architect + implementer, compared, config.architect):
        say(line)
