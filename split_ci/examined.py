"""What `doctor` finds: one line each, and the way to mend it."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """One line. `fail`: something that is configured can't work; `warn`: it works, and less well than it could."""

    name: str
    state: State
    message: str
    mend: str = ""
