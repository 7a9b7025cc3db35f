"""The last line of a pull request's text: what it was made from, hidden, with a digest that shows a person's edit.

Two boxes in the text ask for more; a tick in one is no edit. GitHub's editor writes CRLF: line ends are no edit either.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from split_ci.errors import Refused
from split_ci.fields import canonical, read_object

if TYPE_CHECKING:
    from split_ci.fields import Fields

MAX_BODY = 65_000  # GitHub takes 65,536 characters
MAX_STATE = 2_000
BOXES = {  # name -> what the box says
    "round": "another round: the review's findings go to the implementer again",
    "anew": "anew, from the newest base: this result is replaced by a new one",
}
_LINE = re.compile(r"<!-- split-ci (\{.*\}) -->")
_BOX = re.compile(r"^(\s*[-*] \[)([ xX])(\] .*<!-- split-ci-box (\w+) -->\s*)$", re.MULTILINE)


class PullState(NamedTuple):
    """What a pull request's text was made from. `sha256` is of the text that people see."""

    id: str
    digest: str  # of the spec
    head: str
    round: int
    sha256: str = ""


def seal(text: str, state: PullState) -> str:
    """The text with its hidden last line; cut where it is too long for GitHub."""
    text = _plain(text)
    if len(text) > MAX_BODY - MAX_STATE:
        text = text[: MAX_BODY - MAX_STATE].rpartition("\n")[0] + "\n\n(cut: it was too long for a pull request)"
    value = canonical({**state._asdict(), "sha256": _digest(text)})
    return f"{text}\n\n<!-- split-ci {value.strip()} -->\n"


def read_state(body: str) -> PullState | None:
    """What the last line says; None where there is none that can be read."""
    found = _LINE.fullmatch(_parts(body)[1])
    if found is None or len(found[1]) > MAX_STATE:
        return None
    try:
        return _read(read_object(found[1], "pull request", MAX_STATE))
    except Refused:
        return None


def is_edited(body: str) -> bool:
    """Whether a person changed the text, ticks apart; also where its last line is gone."""
    state = read_state(body)
    return state is None or _digest(_parts(body)[0]) != state.sha256


def ticked(body: str) -> frozenset[str]:
    """The names of the boxes that somebody ticked."""
    found = _BOX.finditer(_plain(body))
    return frozenset(one[4] for one in found if one[2] != " " and one[4] in BOXES)


def boxes() -> str:
    """The boxes, none of them ticked."""
    return "\n".join(f"- [ ] {words} <!-- split-ci-box {name} -->" for name, words in BOXES.items())


def _read(fields: Fields) -> PullState:
    state = PullState(
        fields.spec_id("id"), fields.hex("digest", (64,)), fields.hex("head"), fields.integer("round", 1, 1000),
        fields.hex("sha256", (64,)),
    )  # fmt: skip
    fields.end()
    return state


def _parts(body: str) -> tuple[str, str]:
    """(the text, its last line)."""
    text, _, last = _plain(body).rpartition("\n")
    return _plain(text), last


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _digest(text: str) -> str:
    return sha256(_BOX.sub(r"\1 \3", _plain(text)).encode("utf-8", "surrogatepass")).hexdigest()
