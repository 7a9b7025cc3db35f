"""Work that can be interrupted at any time, and then leaves nothing half done."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, TypeVar

from split_ci import folders

if TYPE_CHECKING:
    from collections.abc import Callable

CLEANING = 10  # seconds
CODE = 130

T = TypeVar("T")


def interruptible(work: Callable[[ExitStack], T], then: str) -> T:
    """Does the work, and closes what it entered on the stack that it is given.

    An interrupt, a SIGTERM or the end of the terminal comes to this thread alone, which only waits: the work is never torn
    from inside. Then its folders are taken away, whatever its threads wait for, and the process ends with 130, having said
    `then`: its journals are left as they are at that moment, for the next run. Once is enough: what comes while it cleans
    up is passed over, and it does that for `CLEANING` seconds at the most.
    """

    def stop(_number: int, _frame: object) -> None:
        deaf()
        signal.signal(signal.SIGALRM, lambda _number, _frame: os._exit(CODE))
        signal.alarm(CLEANING)
        raise KeyboardInterrupt

    def deaf() -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)

    before = {
        each: signal.getsignal(each)
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(each) != signal.SIG_IGN  # nohup, or a shell's background
    }
    stack = ExitStack()
    threads = ThreadPoolExecutor(1, "work")
    try:
        try:
            for each in before:
                signal.signal(each, stop)
            return threads.submit(work, stack).result()
        finally:
            deaf()
            stack.close()
            threads.shutdown(wait=False)
    except KeyboardInterrupt:
        folders.drop_all()
        with suppress(OSError):  # the terminal may be gone
            sys.stderr.write(f"split-ci: interrupted; nothing half done is left: {then}\n")
            sys.stderr.flush()
        os._exit(CODE)  # threads may wait for a model for minutes; commands in sandboxes end with this process
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
