"""A sign of life on a terminal, while a command works that has nothing to say yet."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from split_ci.plain import visible
from split_ci.report.terminal import coloured

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def meanwhile(text: str, *, quiet: bool = False) -> Iterator[None]:
    """Shows what is under way until it ends, on standard error where that is a terminal; nothing stays of it."""
    if quiet or not (sys.stderr.isatty() and coloured(sys.stderr)):
        yield
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    with Console(stderr=True).status(Text(visible(text))):
        yield
