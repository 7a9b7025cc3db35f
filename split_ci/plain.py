"""Foreign text made harmless where people read it."""

from __future__ import annotations


def visible(text: str) -> str:
    """Control and invisible characters as escapes; line ends and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    from split_ci.invisible import invisibles  # noqa: PLC0415

    hidden = {c for _, c in invisibles(text)}
    return "".join(_escape(c) if c in hidden or not (c.isprintable() or c in "\n\t") else c for c in text)


def inert(text: str) -> str:
    """Text whose lines a runner of GitHub Actions only shows: `::x::` at a line's start and `##[x]` anywhere command it."""
    if "::" not in text and "##[" not in text:
        return text
    import re  # noqa: PLC0415

    return re.sub(r"(\A|[\r\n])([^\S\r\n]*):(?=:)", r"\1\2: ", text).replace("##[", "## [")


def counted(number: int, one: str, many: str = "") -> str:
    """`1 file`, `2 files`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{{{code:x}}}"
