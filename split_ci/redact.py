"""A key made unreadable in foreign text, in every spelling that a server or a program might give it."""

from __future__ import annotations

import base64
import re
from functools import lru_cache

LEAST = 12  # characters of a key that tell something
HIDDEN = "***"


def redacted(text: str, key: str) -> str:
    """The text without the key: raw, reversed, in hex, in base64, quoted for an address, nor a part of any of them."""
    if not key:
        return text
    if len(key) < LEAST:
        return text.replace(key, HIDDEN)
    parts, spellings = _parts(key)
    found = parts.search(text)
    if not found:
        return text
    made, end = [], 0
    while found:
        stop = max(_common(text, found.start(), one, one.find(found[0])) for one in spellings if found[0] in one)
        made += [text[end : found.start()], HIDDEN]
        end = stop
        found = parts.search(text, end)
    return "".join([*made, text[end:]])


def _common(text: str, start: int, spelling: str, at: int) -> int:
    """Where the text and the spelling, from these places on, stop to be the same."""
    while start < len(text) and at < len(spelling) and text[start] == spelling[at]:
        start, at = start + 1, at + 1
    return start


def _quoted(key: str) -> str:
    """As in an address."""
    return "".join(c if c.isalnum() or c in "_.-~" else f"%{ord(c):02X}" for c in key)


@lru_cache(maxsize=16)
def _parts(key: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """Any part of a spelling that tells something, and the spellings."""
    raw = key.encode()
    spellings = [key, key[::-1], raw.hex(), raw.hex().upper(), _quoted(key)]
    for before in range(3):  # where the key begins in what was encoded moves all of its letters
        known = base64.b64encode(b"\0" * before + raw).decode()[(before * 8 + 5) // 6 :].rstrip("=")
        whole = known[: len(known) - (1 if (before + len(raw)) % 3 else 0)]
        spellings += [whole, whole.replace("+", "-").replace("/", "_")]
    told = tuple(dict.fromkeys(one for one in spellings if len(one) >= LEAST))
    parts = dict.fromkeys(one[at : at + LEAST] for one in told for at in range(len(one) - LEAST + 1))
    return re.compile("|".join(map(re.escape, parts))), told
