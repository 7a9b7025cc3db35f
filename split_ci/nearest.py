"""Where a text that is not in a file nearly is: what the author, or the model, has to look at. Only failures ask for it."""

from __future__ import annotations

import re
from collections import Counter

MAX_LINES = 20_000
MAX_WIDTH = 400
SHOWN = 80


def nearest(text: str, before: str) -> str:
    """One clause about a file's text and the text that was looked for: the nearest lines, and how they differ."""
    if not text:
        return "the file is empty"
    lines = [line[:MAX_WIDTH] for line in text.split("\n")[:MAX_LINES]]
    wanted = [line[:MAX_WIDTH] for line in before.removesuffix("\n").split("\n")[:MAX_LINES]]
    return _variant(lines, wanted) or _inside(text, before) or _by_votes(lines, wanted) or _by_words(lines, wanted)


def _ending(line: str) -> str:
    return line.rstrip()


def _blanks(line: str) -> str:
    return " ".join(line.split())


def _case(line: str) -> str:
    return " ".join(line.casefold().split())


def _variant(lines: list[str], wanted: list[str]) -> str:
    """The place where the text stands but for line ends, blanks or case."""
    returns = [line.removesuffix("\r") for line in wanted]
    line = _find([line.removesuffix("\r") for line in lines], returns)
    if line:
        return f"line {line} differs only in its line ends (carriage returns are written `\\r`, in an `escaped` fence)"
    for said, normal in (("blanks at line ends", _ending), ("blanks", _blanks), ("upper and lower case", _case)):
        line = _find([normal(line) for line in lines], [normal(line) for line in wanted])
        if line:
            return f"line {line} differs only in {said}"
    return ""


def _find(lines: list[str], wanted: list[str]) -> int:
    """The number of the line where lines stand; 0 where they don't, or are all empty."""
    text, key = "\n" + "\n".join(lines) + "\n", "\n" + "\n".join(wanted) + "\n"
    at = text.find(key) if key.strip() else -1
    return text.count("\n", 0, at) + 1 if at >= 0 else 0


def _inside(text: str, before: str) -> str:
    at = text.find(before.strip("\n")) if before.strip() else -1
    return f"it is only a part of line {text.count(chr(10), 0, at) + 1}; whole lines are compared" if at >= 0 else ""


def _by_votes(lines: list[str], wanted: list[str]) -> str:
    """The place where most of the lines stand in their order."""
    places: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        if line.strip():
            places.setdefault(line, []).append(number)
    votes = Counter[int]()
    for offset, line in enumerate(wanted):
        votes.update(number - offset for number in places.get(line, ())[:50])
    if not votes:
        return ""
    most = max(votes.values())
    return _difference(lines, wanted, min(place for place, count in votes.items() if count == most))


def _difference(lines: list[str], wanted: list[str], start: int) -> str:
    """The first line that differs, with the text laid on the file's lines from an index on."""
    for number, line in enumerate(wanted, start):
        found = lines[number] if 0 <= number < len(lines) else None
        if found != line:
            has = f"line {number + 1} is {_shown(found)}" if found is not None else "the file has no such line"
            return f"nearest at line {max(start, 0) + 1}, where {_shown(line)} is asked for and {has}"
    return f"nearest at line {start + 1}"


def _by_words(lines: list[str], wanted: list[str]) -> str:
    """The line that shares most words with the first line that has some."""
    words = next((found for line in wanted if (found := set(re.findall(r"\w+", line)))), set[str]())
    best, score = 0, 0.0
    for number, line in enumerate(lines, 1):
        here = set(re.findall(r"\w+", line))
        shared = len(words & here) / len(words | here) if words and here else 0.0
        if shared > score:
            best, score = number, shared
    return f"nearest is line {best}: {_shown(lines[best - 1])}" if score >= 0.4 else "no line of it is like this"


def _shown(line: str) -> str:
    line = line.strip()
    if not line:
        return "an empty line"
    return f"`{line}`" if len(line) <= SHOWN else f"`{line[: SHOWN - 1]}…`"
