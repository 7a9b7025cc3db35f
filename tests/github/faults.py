"""What can go wrong between the client and GitHub: a row says which requests, and what becomes of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Answer(NamedTuple):
    """An answer as it goes over the wire. `short`: the connection ends before the length that was announced; `drips`: it
    goes on for ever, a byte at a time.
    """

    status: int = 200
    body: object = None  # bytes are sent as they are; all else as JSON; None is an empty body
    headers: Mapping[str, str] = {}
    short: bool = False
    drips: bool = False


class Fault:
    """`method` and `path` (a regular expression, anywhere in the path) pick requests; `skip` of them pass first.

    `times` 0 is all that follow. `done`: what was asked is done all the same. `answer` None ends the connection; with
    `passes` what was done is answered as ever. `call` is run at that moment.
    """

    def __init__(
        self,
        answer: Answer | None = None,
        *,
        method: str = "",
        path: str = "",
        skip: int = 0,
        times: int = 1,
        done: bool = False,
        passes: bool = False,
        call: Callable[[], None] | None = None,
    ) -> None:
        self.answer = answer
        self.done = done or passes
        self.passes = passes
        self.call = call
        self._method, self._path = method, re.compile(path)
        self._skip, self._times = skip, times
        self.hit = 0

    def takes(self, method: str, path: str) -> bool:
        """Whether this request is one of its. Counts."""
        if self._method not in ("", method) or not self._path.search(path):
            return False
        if self._skip:
            self._skip -= 1
            return False
        if self._times and self.hit >= self._times:
            return False
        self.hit += 1
        return True
