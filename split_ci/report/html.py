"""The report as one page that loads nothing: no script, no font, no picture from anywhere; light and dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from split_ci.plain import visible
from split_ci.report.bill import amount, comparison, money
from split_ci.report.charts import Bar, Part, bars, columns, rate
from split_ci.report.coach import share
from split_ci.report.history import dearest, verdict_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.bill import Bill, Cost
    from split_ci.steps.lessons import Listed, Measured
    from split_ci.steps.report import Passes, Report, Week

STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6676; --line: #dfe3ea; --paper: #fff; --tile: #f6f7f9;
  --a: #8a5a00; --i: #1f6f6b; --q: #a9b2bf; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #9aa5b4; --line: #333b47; --paper: #14181e;
  --tile: #1c222a; --a: #e0a83f; --i: #4fb7b0; --q: #566172; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 52rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Liberation Sans", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.6rem 0 .7rem; }
p { margin: .4rem 0; } .soft { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.6rem, 1fr)); gap: .7rem; margin: 1.6rem 0 1rem; }
.tile { background: var(--tile); border-radius: 8px; padding: .9rem 1rem; }
.tile b { display: block; font-size: 1.35rem; line-height: 1.25; font-weight: 650; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .875rem; line-height: 1.4; display: block; }
.say { border-left: 3px solid var(--a); padding: .1rem 0 .1rem .9rem; margin: 1rem 0; }
svg.chart { width: 100%; min-width: 32rem; height: auto; display: block; }
svg.rate { width: 64px; height: 10px; margin-right: .5rem; }
svg text { font: 13px system-ui, -apple-system, "Segoe UI", "Liberation Sans", "DejaVu Sans", sans-serif; fill: var(--ink); }
svg .n { fill: var(--soft); font-variant-numeric: tabular-nums; } svg .s { font-size: 11px; fill: var(--soft); }
.a { fill: var(--a); } .i { fill: var(--i); } .q { fill: var(--q); } .h { fill: none; stroke: var(--line); }
.g { stroke: var(--line); }
.key { color: var(--soft); font-size: .875rem; }
.key i { display: inline-block; width: .7em; height: .7em; border-radius: 2px;
  margin: 0 .35em 0 1em; } .key i:first-child { margin-left: 0; }
.key .a { background: var(--a); } .key .i { background: var(--i); } .key .q { background: var(--q); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .925rem; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: .8rem; } td, th { padding: .45rem .9rem .45rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top; }
td:first-child { min-width: 17rem; } td:last-child { min-width: 8rem; }
td.r { white-space: nowrap; font-variant-numeric: tabular-nums; }
code { font: .9em ui-monospace, "DejaVu Sans Mono", "Liberation Mono", monospace; overflow-wrap: anywhere; }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; }
@media print { body { padding: 0; max-width: none; } h2 { break-after: avoid; } svg.chart, tr { break-inside: avoid; } }
"""
KEY = '<p class="key"><i class="a"></i>architect<i class="i"></i>implementer'


def page(found: Report, measured: Sequence[Measured], known: Sequence[Listed], name: str) -> str:
    """The whole page; `name` is the repository's."""
    title = f"split-ci: {visible(name)}"
    parts = [_head(found, name), _tiles(found), _bill(found), _weeks(found.weeks), _specs(found), _lessons(measured, known)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_safe(title)}</title>\n<style>{STYLE}</style></head>\n<body>\n" + "\n".join(filter(None, parts)) + "\n"
        "<footer>Written by <code>split-ci report --html</code> from the ledger in this repository's git notes."
        f"{_undated(found)}</footer>\n</body></html>\n"
    )


def _safe(text: str) -> str:
    return escape(visible(" ".join(text.split())))


def _undated(found: Report) -> str:
    return f" {found.undated} entries have no date that can be, and are in no week." if found.undated else ""


def _head(found: Report, name: str) -> str:
    weeks = found.weeks
    since = f", since the week of {weeks[0].monday:%d %B %Y}" if weeks else ""
    recorded = found.bill.total.recorded
    said = f" {recorded} of {found.bill.total.calls} calls were answered by recorded replies." if recorded else ""
    return (
        f"<h1>{_safe(name)}</h1>\n"
        f'<p class="soft">{found.specs} specs, {found.attempts} attempts, {found.reviews} paid reviews{since}.{said}</p>'
    )


def _tiles(found: Report) -> str:
    compared = found.bill.counterfactual
    edits = sum(found.edits.values())
    tiles = [
        (_rate(found.typed), f"passed at once, typed by a model{_open(found.typed)}"),
        (_rate(found.exact), f"passed at once, wholly exact{_open(found.exact)}"),
        (f"{found.edits['exact']} of {edits}" if edits else "-", "edits were exact: made by code, for nothing"),
        (money(found.bill.total.usd) if found.bill.total.calls else "nothing", _paid(found.bill)),
        (money(compared.usd) if compared else "not known", "without the split, an estimate"),
    ]
    shown = "".join(f'<div class="tile"><b>{_safe(figure)}</b><span>{_safe(said)}</span></div>' for figure, said in tiles)
    return f'<div class="tiles">{shown}</div>'


def _open(passes: Passes) -> str:
    return f"; {passes.open} not reviewed" if passes.open else ""


def _rate(passes: Passes) -> str:
    return f"{passes.passed} of {passes.decided}" if passes.decided else "-"


def _paid(bill: Bill) -> str:
    return f"paid; {amount(bill.total)}" if bill.total.unpriced else "paid for models, in all"


def _bill(found: Report) -> str:
    bill = found.bill
    if not bill.total.calls:
        return "<h2>The bill</h2>\n<p>No model was called.</p>"
    typed = bill.roles.get("implementer")
    rows = [("designs", bill.designs, "a"), ("reviews", bill.reviews, "a"), ("typing", typed, "i")]
    drawn = [Bar(name, (Part(kind, c.known_usd),), amount(c)) for name, c, kind in rows if c and c.calls]
    if bill.counterfactual:
        drawn.append(
            Bar("without the split", (Part("q", bill.counterfactual.usd),), f"about {money(bill.counterfactual.usd)}")
        )
    lines = comparison(bill.total, bill.counterfactual, found.architect)
    said = "".join(f"<p>{_safe(line[0].upper() + line[1:])}.</p>" for line in lines)
    rounds = "; ".join(f"round {number}: {amount(cost)}" for number, cost in bill.rounds.items())
    return (
        f'<h2>The bill</h2>\n{bars("Cost by role", drawn)}\n{KEY}<i class="q"></i>estimate</p>\n'
        f'<div class="say">{said}</div>\n<p class="soft">{_safe(rounds)}</p>'
    )


def _weeks(weeks: Sequence[Week]) -> str:
    if not weeks:
        return ""
    paid = [
        Bar(
            f"{week.monday:%d %b}",
            (Part("a", week.architect.known_usd), Part("i", week.implementer.known_usd)),
            _column(week.architect + week.implementer),
        )
        for week in weeks
    ]
    rates = [
        Bar(
            f"{week.monday:%d %b}",
            (Part("i", week.passes.passed), Part("q", week.passes.decided - week.passes.passed)),
            f"{week.passes.passed}/{week.passes.decided}" if week.passes.decided else "",
        )
        for week in weeks
    ]
    return (
        f"<h2>By week: what was paid</h2>\n{columns('Cost by week', paid)}\n{KEY}</p>\n"
        f"<h2>By week: passed at the first attempt</h2>\n{columns('First passes by week', rates)}\n"
        '<p class="key"><i class="i"></i>passed<i class="q"></i>sent back, or failed</p>'
    )


def _column(cost: Cost) -> str:
    """The money above a column; `+?` where a part of it isn't known."""
    usd, mark = cost.known_usd, "+?" if cost.unpriced else ""
    return f"${usd:.0f}{mark}" if usd >= 100 else f"${usd:.2f}{mark}" if usd or mark else ""


def _specs(found: Report) -> str:
    rows = [Bar(visible(name), (Part("q", cost.known_usd),), amount(cost)) for name, cost in dearest(found)]
    return f"<h2>The dearest specs</h2>\n{bars('Cost by spec', rows)}" if rows else ""


def _lessons(measured: Sequence[Measured], known: Sequence[Listed]) -> str:
    if not measured:
        return "<h2>Lessons</h2>\n<p>None yet.</p>"
    texts = {one.lesson.id: one.lesson.text for one in known}
    rows = "".join(
        f"<tr><td><code>{_safe(one.id)}</code><br>{_safe(texts.get(one.id, 'retired'))}</td>"
        f'<td class="r">{_tried(one.with_passed, one.with_all)}</td>'
        f'<td class="r">{_tried(one.without_passed, one.without_all)}</td><td>{_safe(verdict_of(one))}</td></tr>'
        for one in measured
    )
    return (
        "<h2>Lessons, and how often a first attempt passed</h2>\n"
        '<div class="wide"><table><thead><tr><th>lesson</th><th>with it</th><th>without it</th><th>what that says</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def _tried(passes: int, everything: int) -> str:
    return (rate(passes, everything) if everything else "") + _safe(share(passes, everything))
