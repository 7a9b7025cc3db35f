"""The boxes in the body of a bot's pull request: a person ticks one, and the next dispatch sees it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Box = Literal["round", "anew"]

BOXES: dict[Box, str] = {
    "round": "- [ ] <!-- split-ci:round --> another round",
    "anew": "- [ ] <!-- split-ci:anew --> anew from the newest base",
}
_TICKED = re.compile(r"^[ ]{0,3}[-*+] \[[xX]\] <!-- split-ci:(round|anew) -->", re.MULTILINE)


def boxes() -> Sequence[str]:
    """The lines for a body, each with its box empty."""
    return tuple(BOXES.values())


def ticked(body: str) -> Box | None:
    """The box that is ticked; of both the one that asks for more."""
    found = {match[1] for match in _TICKED.finditer(body)}
    return "anew" if "anew" in found else "round" if "round" in found else None
