"""Where words go: colours on a terminal, plain lines elsewhere, one JSON document when it was asked for."""

from __future__ import annotations

import os
import sys
from typing import IO

RUNNER = "GITHUB_ACTIONS"  # set where a runner reads what is printed
COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "dim": "2", "bold": "1"}


def coloured(stream: IO[str]) -> bool:
    """Whether a stream shows colours: a terminal, or `FORCE_COLOR`; `NO_COLOR` and `TERM=dumb` forbid it."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: IO[str] | None = None) -> str:
    """The text in a colour of `COLOURS`, where the stream (standard output) shows colours."""
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if coloured(stream or sys.stdout) else text


def say(text: str = "") -> None:
    """A line for the reader, on standard output."""
    sys.stdout.write(_shown(text))


def warn(text: str) -> None:
    """A line beside the answer, on standard error."""
    sys.stderr.write(_shown(text))


def command(text: str) -> None:
    """A line for the runner of GitHub Actions, which obeys it."""
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")


def _shown(text: str) -> str:
    line = text.encode("utf-8", "backslashreplace").decode() + "\n"
    if not os.environ.get(RUNNER):
        return line
    from split_ci.plain import inert  # noqa: PLC0415

    return inert(line)


def say_json(value: object) -> None:
    """The whole answer as one JSON document."""
    import json  # noqa: PLC0415

    text = json.dumps(value, indent=2, ensure_ascii=True)
    sys.stdout.write(text.replace("##[", "\\u0023#[") + "\n")  # a runner of GitHub Actions obeys `##[x]` anywhere
