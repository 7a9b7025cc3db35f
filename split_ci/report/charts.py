"""Small charts as inline SVG: numbers in, text out. Every foreign word is escaped here."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Part(NamedTuple):
    """One part of a bar: its class (`a`, `i`, `q`) and its size."""

    kind: str
    value: float


class Bar(NamedTuple):
    label: str
    parts: tuple[Part, ...]
    said: str  # the value in words, shown beside or above the bar


WIDTH = 720
NAME, SAID, ROW = 190, 150, 30
HIGH, GROUND, SLOT = 170, 34, 46


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Lying bars, one a row, with their values in words."""
    most = max((sum(part.value for part in row.parts) for row in rows), default=0.0) or 1.0
    room = WIDTH - NAME - SAID
    drawn = []
    for number, row in enumerate(rows):
        top = number * ROW
        drawn.append(_text(NAME - 12, top + 19, _short(row.label, 26), "end"))
        left = float(NAME)
        for part in row.parts:
            width = room * max(0.0, part.value) / most
            drawn.append(f'<rect class="{part.kind}" x="{left:.1f}" y="{top + 5}" width="{width:.1f}" height="19" rx="2"/>')
            left += width
        drawn.append(_text(left + 9, top + 19, row.said, "start", "n"))
    return _svg(title, WIDTH, max(1, len(rows)) * ROW, drawn)


def columns(title: str, rows: Sequence[Bar]) -> str:
    """Standing bars side by side: the newest that have room."""
    shown = rows[-(WIDTH // SLOT) :]
    most = max((sum(part.value for part in row.parts) for row in shown), default=0.0) or 1.0
    room = HIGH - GROUND - 22
    drawn = [f'<line class="g" x1="0" y1="{HIGH - GROUND}" x2="{WIDTH}" y2="{HIGH - GROUND}"/>']
    for number, row in enumerate(shown):
        left, foot = number * SLOT + 4, float(HIGH - GROUND)
        for part in row.parts:
            tall = room * max(0.0, part.value) / most
            foot -= tall
            drawn.append(
                f'<rect class="{part.kind}" x="{left}" y="{foot:.1f}" width="{SLOT - 8}" height="{tall:.1f}" rx="2"/>'
            )
        drawn.append(_text(left + (SLOT - 8) / 2, foot - 6, row.said, "middle", "n s"))
        drawn.append(_text(left + (SLOT - 8) / 2, HIGH - 14, row.label, "middle", "s"))
    return _svg(title, WIDTH, HIGH, drawn)


def rate(passed: int, everything: int) -> str:
    """A small bar of how many passed; hollow where nothing was tried."""
    title = f"{passed} of {everything}"
    width = 64 * passed / everything if everything else 0
    inside = [
        '<rect class="h" x="0.5" y="0.5" width="63" height="9" rx="2"/>',
        f'<rect class="i" x="0" y="0" width="{width:.1f}" height="10" rx="2"/>',
    ]
    return _svg(title, 64, 10, inside, "rate")


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(title: str, width: int, height: int, inside: Sequence[str], kind: str = "chart") -> str:
    said = escape(title)
    if kind == "chart":
        return f'<div class="wide">{_drawn(said, width, height, inside, kind)}</div>'
    return _drawn(said, width, height, inside, kind)


def _drawn(said: str, width: int, height: int, inside: Sequence[str], kind: str) -> str:
    return (
        f'<svg class="{kind}" role="img" aria-label="{said}" viewBox="0 0 {width} {height}"><title>{said}</title>'
        + "".join(inside)
        + "</svg>"
    )
