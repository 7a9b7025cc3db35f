"""What a comment was made from, hidden in its last line, with a digest of what people see: an edit by a person shows."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_STATE = 4_000
_LAST = re.compile(r"<!-- split-ci (\{[^\n]*\}) -->")
_BRACKETS = {ord("<"): "\\u003c", ord(">"): "\\u003e"}
_TICKED = re.compile(r"^( *- )\[[xX]\]", re.MULTILINE)


class Sealed(NamedTuple):
    """A comment of the bot's: the text for people, the state, and whether the text is still the bot's own."""

    text: str
    state: Mapping[str, Any]
    intact: bool


def seal(text: str, state: Mapping[str, Any]) -> str:
    """The comment: the text, and the state in its last line. The same text and state give the same comment."""
    text = _plain(text)
    value = json.dumps({**state, "sha256": _digest(text)}, sort_keys=True, separators=(",", ":"))
    return f"{text}\n\n<!-- split-ci {value.translate(_BRACKETS)} -->\n"


def unseal(comment: str) -> Sealed | None:
    """What `seal` wrote, as a forge gives it back; None for any other comment. Who wrote it is for the caller to ask."""
    text, _, last = _plain(comment).rpartition("\n")
    found = _LAST.fullmatch(last.strip())
    if found is None or len(found[1]) > MAX_STATE:
        return None
    try:
        state = json.loads(found[1])
    except (ValueError, RecursionError):
        return None
    text = _plain(text)
    return Sealed(text, state, state.get("sha256") == _digest(text))


def _plain(text: str) -> str:
    """Forges give line ends and blanks at the ends back in their own way."""
    return text.replace("\r\n", "\n").strip()


def _digest(text: str) -> str:
    """Of the text with every box empty: to tick one is to ask for something, not to edit the text."""
    return sha256(_TICKED.sub(r"\1[ ]", text).encode("utf-8", "surrogateescape")).hexdigest()
