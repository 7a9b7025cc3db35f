"""What a process that was interrupted becomes: it removes the folders that are its own, says one line, and ends.

It is a program by itself, without a thread of the run: nothing goes on to judge what is half removed, or holds a stream.
What wrote into the folders may live on for a moment, so that they are removed again and again, for `SECONDS` at the most.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from split_ci.errors import WorldError
from split_ci.folders import remove

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 8
STDERR = 2


def leave(folders: Sequence[str], writers: Sequence[int], code: int, said: str) -> NoReturn:
    """Ends the children `writers`, removes the folders, says it, and exits; what stays, the next run removes."""
    signal.signal(signal.SIGALRM, lambda _number, _frame: os._exit(code))
    signal.alarm(SECONDS)
    for process in writers:
        with suppress(ChildProcessError):  # it has ended, and its number may be another's
            if os.waitpid(process, os.WNOHANG) == (0, 0):
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
    for folder in folders:
        while os.path.lexists(folder):
            with suppress(WorldError):
                remove(folder)
            if os.path.lexists(folder):
                time.sleep(0.02)
    with suppress(OSError):  # the terminal may be gone
        if select.select([], [STDERR], [], 1)[1]:  # else nobody reads it, or it was told to stop
            os.write(STDERR, said.encode(errors="backslashreplace"))
    os._exit(code)
