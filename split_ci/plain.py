"""Foreign text made harmless where people read it."""

from __future__ import annotations

import re

_ACTIVE = re.compile(
    r"\b[a-z][a-z0-9+.-]*://[^\s`]*|\b(?:javascript|data|vbscript):[^\s`]*|\bwww\.[^\s`]*|[@#][\w/-]+", re.IGNORECASE
)

_FENCE = re.compile(r"`{2,}|~{3,}")


def visible(text: str) -> str:
    """Control and invisible characters as escapes; line ends and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    from split_ci.invisible import invisibles  # noqa: PLC0415

    hidden = {c for _, c in invisibles(text)}
    return "".join(_escape(c) if c in hidden or not (c.isprintable() or c in "\n\t") else c for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{{{code:x}}}"


def markdown(text: str) -> str:
    """Foreign text for a comment: no HTML, image, link, mention or suggestion; what looked like one is shown as code."""
    text = _FENCE.sub("'", visible(text).replace("\t", "    "))
    parts = text.split("`")
    for at in range(0, len(parts), 2):
        plain = (
            parts[at]
            .replace("&", "&amp;")
            .replace("<", "&lt;")
            .replace("![", "!\\[")
            .replace("](", "]\\(")
            .replace("][", "]\\[")
        )
        parts[at] = _ACTIVE.sub(lambda found: f"`{found[0]}`", plain)
    return "`".join(parts) if len(parts) % 2 else "`".join(parts[:-1]) + "'" + parts[-1]
