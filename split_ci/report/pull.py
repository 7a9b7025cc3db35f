"""A pull request's text: what must be known first, what was done and why, how it was proved, what it cost, what next."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci import pull_state
from split_ci.bill import bill_of
from split_ci.markdown import code, prose
from split_ci.plain import counted, visible
from split_ci.problems import CODES
from split_ci.pull_state import PullState
from split_ci.report.bill import amount, money

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from split_ci.bill import Bill, Cost
    from split_ci.ledger import Entry
    from split_ci.settings import Price
    from split_ci.spec import Spec

MAX_WHY = 12_000
MAX_ROWS = 100
MAX_RUN = 300
MAX_NAMES = 50


class Told(NamedTuple):
    """What a pull request tells of: the spec, the attempt that its branch holds, and all that its generation cost."""

    spec: Spec
    base: str
    head: str
    attempt: Entry | None  # None: it isn't known how the branch came about
    entries: Sequence[Entry]
    sandbox: str = ""
    architect: Price | None = None
    conflicts: Sequence[str] = ()  # paths that the default branch has changed since, so that it can't be merged

    @property
    def round(self) -> int:
        return self.attempt.round if self.attempt else 1


def pull_body(told: Told) -> str:
    """The text, as Markdown, with its hidden state in the last line."""
    spec = told.spec
    parts = [
        *_warnings(told), _why(spec), "## What was done", _done(told), "## How it was proved", _criteria(told),
        "## What it cost", *_cost(told), "## What next", *_next(told), _footer(told),
    ]  # fmt: skip
    state = PullState(spec.id, spec.digest, told.head, told.round)
    return pull_state.seal("\n\n".join(part for part in parts if part), state)


def _warnings(told: Told) -> Iterable[str]:
    """What stands first: what is protected and changed all the same, what was waived, what ran without a sandbox."""
    spec = told.spec
    if spec.protected:
        names = _names(spec.protected)
        yield f"> [!WARNING]\n> **Changes protected paths:** {names}. The spec names them and writes out each change."
    if spec.waive:
        meant = "; ".join(f"`{each}` ({CODES[each].title})" for each in spec.waive if each in CODES)
        yield f"> [!NOTE]\n> **Waived by the spec:** {meant}."
    if told.conflicts:
        where = _names(told.conflicts)
        said = f"the default branch changed {where} since: the box *anew* helps."
        yield f"> [!WARNING]\n> **Can't be merged as it is:** {said}"
    if told.sandbox == "none" and any(one.kind == "run" for one in spec.accept):
        yield "> [!WARNING]\n> **The criteria ran without a sandbox:** they could reach the network and other files."


def _why(spec: Spec) -> str:
    if len(spec.why) <= MAX_WHY:
        return prose(spec.why, MAX_WHY)
    return f"{prose(spec.why, MAX_WHY)}\n\n(cut: the whole of it stands in {code(spec.path)})"


def _done(told: Told) -> str:
    attempt = told.attempt
    if attempt is None:
        return "The branch holds a result of this spec; `split-ci status` tells how it came about."
    edits = attempt.edits
    kinds = [
        (edits.get("exact", 0), "applied as the spec writes {it} out"),
        (edits.get("adapted", 0), "adapted to text that had moved"),
        (edits.get("model", 0), "written by a model"),
    ]
    told_edits = [f"{counted(n, 'edit')} {said.format(it='it' if n == 1 else 'them')}" for n, said in kinds if n]
    by = "by code alone, no model was asked" if attempt.name == "exact" else f"the last by {code(attempt.name)}"
    lines = [f"- {', '.join(told_edits) or 'no edit'} ({by})"]
    if attempt.recorded:
        lines.append("- the model's answers are recorded ones, not made for this")
    if told.round > 1:
        lines.append(f"- round {told.round}: the findings of the last review went into it")
    if attempt.lessons:
        lines.append(f"- lessons that the implementer was given: {_names(attempt.lessons)}")
    if told.spec.needs:
        lines.append(f"- builds on {_names(told.spec.needs)}")
    lines.append(f"- the spec moves to `specs/landed/` with it: {code(_landed(told.spec))}")
    return "\n".join(lines)


def _landed(spec: Spec) -> str:
    folder, _, name = spec.path.rpartition("/")
    return f"{folder}/landed/{name}"


def _criteria(told: Told) -> str:
    """Every criterion: red on the base, green on the result."""
    known = {one.id: one for one in told.attempt.criteria} if told.attempt else {}
    rows = ["| | criterion | before | after | seconds |", "|---|---|---|---|---:|"]
    for asked in told.spec.accept[:MAX_ROWS]:
        one = known.get(asked.id)
        before = "🟢 passes" if asked.guard else "🔴 fails" if one and one.red else "not known"
        after = "🟢 passes" if one and one.green else "🔴 fails" if one and one.green is False else "not known"
        seconds = f"{one.seconds:.1f}" if one else ""
        guard = " (guard)" if asked.guard else ""
        rows.append(f"| {asked.id} | {_cell(str(asked))}{guard} | {before} | {after} | {seconds} |")
    more = len(told.spec.accept) - MAX_ROWS
    if more > 0:
        rows.append(f"| | and {more} more | | | |")
    where = f", in a sandbox ({code(told.sandbox)})" if told.sandbox not in ("", "none") else ""
    return "\n".join(rows) + f"\n\nJudged in clean checkouts of the base (before) and of this result (after){where}."


def _cost(told: Told) -> Iterable[str]:
    bill = bill_of(told.entries, told.architect)
    if not bill.total.calls:
        yield "Nothing: no model was called."
        return
    rows = ["| role | calls | tokens in | of them cached | tokens out | cost |", "|---|---:|---:|---:|---:|---:|"]
    rows += [_cost_row(name, cost) for name, cost in _roles(bill).items()]
    yield "\n".join([*rows, _cost_row("**together**", bill.total)])
    if bill.counterfactual:
        usd = money(bill.counterfactual.usd)
        yield f"Without the split about {usd}: an estimate, the same tokens at the architect's price."


def _roles(bill: Bill) -> Mapping[str, Cost]:
    return {name: bill.roles[name] for name in ("implementer", "architect") if name in bill.roles}


def _cost_row(name: str, cost: Cost) -> str:
    return f"| {name} | {cost.calls} | {cost.input:,} | {cost.cached:,} | {cost.output:,} | {amount(cost)} |"


def _next(told: Told) -> Iterable[str]:
    id_ = told.spec.id
    yield "Merge it, in any way, and the spec has landed. Or tick a box, and the next dispatch (hourly) sees to it:"
    yield pull_state.boxes()
    yield (
        f"Edit the spec, and it is made anew for the new text. Close this, and it stays closed until the spec changes; "
        f"`split-ci drop {id_}` takes the branch away too. A commit of yours on `split-ci/{id_}` is never overwritten: "
        "the bot leaves the branch to you then."
    )


def _footer(told: Told) -> str:
    spec = told.spec
    return (
        f"---\n\n<sub>Spec {code(spec.path)} ({spec.digest[:12]}), on the base {told.base}, round {told.round}. "
        "Made by split-ci. This text is renewed with each result, unless somebody edits it.</sub>"
    )


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(code(name) for name in names[:MAX_NAMES])
    return shown + (f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else "")


def _cell(text: str) -> str:
    """Code in a cell of a table, on one line."""
    one = " ⏎ ".join(line.strip() for line in visible(text).splitlines() if line.strip())
    return code(one[:MAX_RUN] + ("…" if len(one) > MAX_RUN else "")).replace("|", "\\|")
