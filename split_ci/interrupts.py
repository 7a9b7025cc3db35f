"""Work that can be interrupted at any time, and then leaves nothing half done."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, TypeVar

import split_ci
from split_ci import folders, proc

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

CODE = 130
LOOK_SECONDS = 0.2  # a signal that comes to another thread doesn't end this one's waiting
BECOMES = """
import json, sys
sys.path.insert(0, sys.argv[1])
from split_ci.leaving import leave
leave(*json.loads(sys.argv[2]))
"""

T = TypeVar("T")


def interruptible(work: Callable[[ExitStack], T], then: str, *, screen: str = "") -> T:
    """Does the work, and closes what it entered on the stack that it is given.

    An interrupt, a SIGTERM or the end of the terminal comes to this thread alone, which only waits: the work is never torn
    from inside. It stops where it stands: the process becomes the program of `leaving`, which has no other thread, takes
    the folders away, ends with 130 and says `then` (after `screen`, what the terminal needs). Journals are left as they
    are at that moment, for the next run. Once is enough: what comes after the first is passed over.
    """

    def stop(_number: int, _frame: object) -> None:
        deaf()
        _become(f"{screen}split-ci: interrupted; nothing half done is left: {then}\n")

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
        for each in before:
            signal.signal(each, stop)
        future = threads.submit(work, stack)
        while not wait([future], LOOK_SECONDS).done:
            pass
        return future.result()
    finally:
        deaf()
        try:
            stack.close()
            threads.shutdown()
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def _become(said: str) -> NoReturn:
    """The program that removes the folders, in this process's place: the threads, and the commands that live by it, end."""
    plan = [*folders.own(), CODE, said]
    package = os.path.dirname(os.path.dirname(os.path.abspath(split_ci.__file__)))
    argv = [proc.python(), "-I", "-S", "-c", BECOMES, package, json.dumps(plan)]
    with suppress(OSError):
        os.execv(argv[0], argv)  # noqa: S606 - no shell is wanted
    os._exit(CODE)  # the interpreter is gone, say: the next run removes them
