"""C escapes, as fences whose info string ends in `escaped` hold them: what editors and hooks would spoil, made visible."""

from __future__ import annotations

import re
from typing import NamedTuple

SIMPLE = {"n": b"\n", "r": b"\r", "t": b"\t", "0": b"\0", "\\": b"\\", '"': b'"', "'": b"'",
          "a": b"\a", "b": b"\b", "f": b"\f", "v": b"\v"}  # fmt: skip
LENGTHS = {"x": 2, "u": 4, "U": 8}
ALLOWED = r"\n \r \t \0 \\ \" \' \a \b \f \v \xHH \uHHHH \UHHHHHHHH"


class EscapeFault(NamedTuple):
    """What is wrong at a line and column of the text, both from 1."""

    message: str
    line: int
    column: int


def decode(text: str) -> bytes | EscapeFault:
    """The bytes that a text with escapes stands for; what is not an escape is UTF-8."""
    if "\\" not in text:
        return text.encode()
    parts: list[bytes] = []
    at = 0
    while (next_ := text.find("\\", at)) >= 0:
        parts.append(text[at:next_].encode())
        found = _escape(text, next_)
        if isinstance(found, str):
            return EscapeFault(found, text.count("\n", 0, next_) + 1, next_ - (text.rfind("\n", 0, next_) + 1) + 1)
        at, value = found
        parts.append(value)
    parts.append(text[at:].encode())
    return b"".join(parts)


def _escape(text: str, at: int) -> tuple[int, bytes] | str:
    """Where the escape that starts at a position ends, and its bytes; or what is wrong with it."""
    kind = text[at + 1 : at + 2]
    if kind == "0" and text[at + 2 : at + 3].isdigit():
        return r"octal escapes are not known: write `\xHH`"
    if kind in SIMPLE:
        return at + 2, SIMPLE[kind]
    if kind in LENGTHS:
        return _number(text, at, kind)
    return f"`\\{kind.strip()}` is not an escape"


def _number(text: str, at: int, kind: str) -> tuple[int, bytes] | str:
    """The same for escapes of hexadecimal digits."""
    end = at + 2 + LENGTHS[kind]
    digits = text[at + 2 : end]
    if not re.fullmatch(r"[0-9a-fA-F]+", digits) or len(digits) < LENGTHS[kind]:
        return f"`\\{kind}` needs {LENGTHS[kind]} hexadecimal digits"
    number = int(digits, 16)
    if kind == "x":
        return end, bytes([number])
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        return f"`\\{kind}{digits}` is not a character"
    return end, chr(number).encode()


def encode(data: str) -> str:
    """The inverse, for text that a plain fence can't hold: carriage returns, control characters, blanks at line ends and
    backslashes become escapes; line ends stay.
    """
    shown = re.sub(r"[\\\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\u2028\u2029]", lambda m: _shown(m[0]), data)
    return re.sub(r"[ \t]+(?=\n|\Z)", lambda m: "".join(r"\x20" if c == " " else r"\t" for c in m[0]), shown)


def _shown(char: str) -> str:
    for name, value in SIMPLE.items():
        if value == char.encode() and name != "0":
            return "\\" + name
    return f"\\x{ord(char):02x}" if ord(char) < 0x80 else f"\\u{ord(char):04x}"
