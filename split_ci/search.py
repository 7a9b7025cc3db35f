"""Looks for regular expressions that nobody vouches for: in a process of its own, with a deadline."""

from __future__ import annotations

import struct
import subprocess
import threading
from typing import TYPE_CHECKING

from split_ci.criteria import search_here
from split_ci.errors import Refused
from split_ci.proc import python

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

SECONDS = 10.0
PROGRAM = """
import re, struct, sys
stdin = sys.stdin.buffer
def frame():
    size = stdin.read(8)
    return stdin.read(struct.unpack("=q", size)[0]) if len(size) == 8 else sys.exit()
while True:
    pattern = re.compile(frame().decode(), re.MULTILINE)
    found = False
    for _ in range(int(frame())):
        data = frame()
        found = found or pattern.search(data.decode("utf-8", "surrogateescape")) is not None
    sys.stdout.write("y" if found else "n")
    sys.stdout.flush()
"""


class TooSlow(Refused):
    """A pattern that does not end in time on the files it is meant for."""


class Searcher:
    """One process for as many searches as needed; started at the first that needs it."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def search(self, pattern: str, contents: Iterable[bytes]) -> bool:
        """Whether a pattern is found in any of the contents. Raises TooSlow."""
        if not any(c in pattern for c in "*+{(?"):  # what may be read in one way only
            return search_here(pattern, contents)
        found = list(contents)
        if not found:
            return False
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(self._seconds, process.kill)
        timer.start()
        try:
            for frame in (pattern.encode(), str(len(found)).encode(), *found):
                process.stdin.write(struct.pack("=q", len(frame)) + frame)
            process.stdin.flush()
            answer = process.stdout.read(1)
        except BrokenPipeError:
            answer = b""
        finally:
            timer.cancel()
        if not answer:
            self.close()
            raise TooSlow(
                f"the pattern {pattern[:80]!r} takes more than {self._seconds:g} s: write it without nested repeats"
            )
        return answer == b"y"

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [python(), "-I", "-S", "-c", PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
            )
        return self._process
