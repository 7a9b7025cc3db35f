"""The audit as people and programs read it: sums, money, specs and names of files, and nothing that anybody said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from split_ci.plain import counted, visible
from split_ci.report.bill import amount, cost_json, money
from split_ci.report.terminal import paint, say, say_json

if TYPE_CHECKING:
    from split_ci.steps.audit import Audit, Kind, Session, Waste

SAID = {
    "architect-typed": "the architect's model typed",
    "exact-by-model": "a model was paid where everything that changed was exact",
    "exact-reviewed": "the architect read results that were exact to the byte, with green criteria",
}
MENDED = {
    "architect-typed": "take it out of `implementers`, or put a cheap rung before it",
    "exact-by-model": "write such edits out as Edit sections: code makes them for nothing",
    "exact-reviewed": "`architect: rules` approves such results for nothing; nobody then asks if the spec itself was right",
}
NAMED = 8


def show(found: Audit, form: str) -> None:
    """The whole answer in the form that was asked for."""
    if form == "json":
        say_json(as_json(found))
    elif found.transcripts:
        _show_sessions(found)
    else:
        _show_ledger(found)


def as_json(found: Audit) -> dict[str, Any]:
    """The audit as `audit --format json` prints it."""
    return {
        "ledger": [_waste_json(one) for one in found.ledger],
        "entries": found.entries,
        "sessions": [_session_json(one) for one in found.sessions],
        "files": [{"path": visible(path), "edits": count} for path, count in found.files],
        "transcripts": found.transcripts,
        "lines": found.lines,
        "broken": found.broken,
        "unread": [visible(each) for each in found.unread],
        "cheap": found.cheap or None,
    }


def _waste_json(one: Waste) -> dict[str, Any]:
    return {"kind": one.kind, "cost": cost_json(one.cost), "specs": list(one.specs), "cheap_usd": one.cheap_usd}


def _session_json(one: Session) -> dict[str, Any]:
    return {
        "model": visible(one.model), "calls": one.calls, "edits": one.edits,
        "kinds": [kind._asdict() for kind in one.kinds],
        "saved": None if one.saved is None else {"estimate": True, **one.saved._asdict()},
    }  # fmt: skip


def _show_ledger(found: Audit) -> None:
    paid = [one for one in found.ledger if one.cost.calls]
    for one in paid:
        say(paint(f"{SAID[one.kind]}: {counted(one.cost.calls, 'call')}, {amount(one.cost)}", "bold"))
        rest = f" and {len(one.specs) - NAMED} more" if len(one.specs) > NAMED else ""
        say(f"  {', '.join(one.specs[:NAMED])}{rest}")
        say(f"  done cheaply: {_cheap(one, found.cheap)}")
        say(f"  next: {MENDED[one.kind]}")
    if not found.entries:
        say("the ledger is empty: split-ci run fills it; split-ci audit FILE reads an agent's session files")
    elif not paid:
        say(f"no cheap work was paid dearly in {found.entries} entries of the ledger")


def _cheap(one: Waste, rung: str) -> str:
    if one.kind != "architect-typed":
        return "nothing, code does it"
    if one.cheap_usd is None:
        return "not known: no cheap rung has a known price"
    return f"about {money(one.cheap_usd)} (an estimate: the same tokens at the price of {visible(rung)})"


def _show_sessions(found: Audit) -> None:
    for one in found.sessions:
        say(paint(f"{visible(one.model)}: {counted(one.calls, 'call')}, {counted(one.edits, 'edit')}", "bold"))
        total = sum(kind.output for kind in one.kinds) or 1
        for kind in one.kinds:
            say(_kind_line(kind, total))
        say(f"  as specs: {_saved(one, found.cheap)}")
    if found.files:
        say(paint("typed most often", "bold"))
        for path, count in found.files:
            say(f"  {count:>5}  {visible(path)}")
    say(f"{found.transcripts} session files, {found.lines} lines, {found.broken} of them not readable")
    if found.sessions:
        say("a call's tokens are split by the characters that it wrote for each kind, an estimate; commands are running")
    for each in found.unread:
        say(paint(f"not read: {visible(each)}", "red"))


def _kind_line(kind: Kind, total: int) -> str:
    part = f"{100 * kind.output // total} %"
    tokens = f"{kind.output:,} tokens out ({part}), {kind.input:,} in ({kind.cached:,} cached)"
    return f"  {kind.kind:<9} {tokens}, {money(kind.usd)}"


def _saved(one: Session, rung: str) -> str:
    if not one.edits:
        return "nothing was typed"
    if one.saved is None:
        return "not known: it needs the price of this model and that of a cheap rung (models.<name>.price)"
    return (
        f"between nothing and about {money(one.saved.most)} less (an estimate: nothing where a spec writes every line out, "
        f"most where {visible(rung)} types it all at the first attempt; the tokens that the spec itself takes are not in it)"
    )
