"""Characters that a reader can't see, or that change the order in which text is shown: category Cf and what it misses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from re import Pattern

CONTROLS = bytes([*range(0x09), 0x0B, *range(0x0E, 0x20), 0x7F])  # but tab, line feed, form feed and carriage return
RANGES = (
    "\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\xad"
    "\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"
    "\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
EMOJI_JOINERS = "\u200d\ufe0e\ufe0f"  # harmless between the parts of one picture, where the picture itself is seen
_pattern: list[Pattern[str]] = []


def hidden(text: str) -> bool:
    """Whether there may be such a character: quick, and right for ASCII; `invisibles` says which."""
    if text.isascii():
        data = text.encode()
        return len(data.translate(None, CONTROLS)) != len(data)
    return _compiled().search(text) is not None


def invisibles(text: str) -> Iterator[tuple[int, str]]:
    """(offset, character) of each. A byte order mark at the very start and the joiners inside of emoji are left out."""
    for found in _compiled().finditer(text):
        at = found.start()
        if (at == 0 and found[0] == "\ufeff") or (found[0] in EMOJI_JOINERS and _in_emoji(text, at)):
            continue
        yield at, found[0]


def name(character: str) -> str:
    """`U+200B ZERO WIDTH SPACE`."""
    import unicodedata  # noqa: PLC0415 - only for a message

    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()


def _in_emoji(text: str, at: int) -> bool:
    if text[at + 1 : at + 2] == "\u20e3":  # a keycap
        return True
    before = text[at - 1 : at]
    if text[at] == "\u200d" and before == "\ufe0f":
        before = text[at - 2 : at - 1]
    return before >= "\u203c" and not before.isalnum() and not _compiled().match(before)


def _compiled() -> Pattern[str]:
    if not _pattern:
        import re  # noqa: PLC0415 - most texts are ASCII and never need it

        _pattern.append(re.compile(f"[{RANGES}]"))
    return _pattern[0]
