"""Answers for tests: a scripted model from plain texts, and edit blocks as models write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from split_ci.models.scripted import Line, Scripted
from split_ci.ports import Reply, Usage

if TYPE_CHECKING:
    from split_ci.ports import Request

COST = Usage(1, 100, 40, 20, 0.001)


def block(path: str, search: str, replace: str) -> str:
    return f"{path}\n<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n"


def line(text: str, *, stop: Literal["end", "length", "refusal"] = "end", fail: str = "", **match: object) -> Line:
    return Line(match, Reply(text, COST, "small-1", stop), fail)


class Heard(Scripted):
    """A scripted model that keeps what it was asked."""

    def __init__(self, *lines: Line | str) -> None:
        turns = [one if isinstance(one, Line) else line(one, turn=n) for n, one in enumerate(lines, 1)]
        super().__init__(turns)
        self.requests: list[Request] = []

    def ask(self, request: Request) -> Reply:
        self.requests.append(request)
        return super().ask(request)
