"""Link reference definitions of CommonMark: what at the start of a paragraph is no text."""

from __future__ import annotations

import re

LABEL = re.compile(r"\[(?=[^\]]*[^\s\]])(?:[^\[\]\\]|\\.|\\\n){1,999}\]:[ \t]*\n?[ \t]*")
TITLE = re.compile(
    r"(?:[ \t]+\n?[ \t]*|\n[ \t]*)"
    r"""(?:"(?:[^"\\]|\\.|\\\n)*"|'(?:[^'\\]|\\.|\\\n)*'|\((?:[^()\\]|\\.|\\\n)*\))[ \t]*(?:\n|$)"""
)
BARE = re.compile(r"[ \t]*(?:\n|\Z)")  # of a definition without a title: nothing may follow
POINTED = re.compile(r"<(?:[^<>\\\n]|\\.)*>")


def end_of_definitions(text: str) -> int:
    """Where the text of a paragraph begins, after the definitions at its start."""
    at = 0
    while (end := _definition(text, at)) is not None:
        at = end
    return at


def _definition(text: str, at: int) -> int | None:
    """Where the link reference definition at a position ends, after its line end; None where there is none."""
    label = LABEL.match(text, at)
    if not label:
        return None
    end = _destination(text, label.end())
    if end is None:
        return None
    title = TITLE.match(text, end)
    if title:
        return title.end()
    bare = BARE.match(text, end)
    return bare.end() if bare else None


def _destination(text: str, at: int) -> int | None:
    if text.startswith("<", at):
        found = POINTED.match(text, at)
        return found.end() if found else None
    start, depth = at, 0
    while at < len(text) and text[at] > " " and text[at] != "\x7f":
        if text[at] == "\\" and at + 1 < len(text) and text[at + 1] > " ":
            at += 1
        elif text[at] == "(":
            depth += 1
        elif text[at] == ")":
            depth -= 1
            if depth < 0:
                return None
        at += 1
    return at if at > start and not depth else None
