"""A task for an implementer, around a tree in memory: for tests of words, where no repository is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.caps import Account, Caps, Silent
from split_ci.ports import Asker, Task
from split_ci.spec import parse_spec
from tests.builders import spec
from tests.trees import MemoryTree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.ports import File

CAPS = Caps(rounds=3, minutes=5.0, tokens=100_000, usd=1.0)
PROSE = "### Instruct `docs/app.md`\nSay that it is new.\n"


def task(files: Mapping[str, str | bytes | File], *, changes: str = PROSE, extra: str = "", **fields: object) -> Task:
    """A task on these files; by default a model may write `docs/**` and `src/**`, and everything is shown."""
    parsed = parse_spec(spec(changes, extra=extra).encode(), "specs/a.md").spec
    assert parsed
    made = Task(
        spec=parsed, base="b" * 40, tree=MemoryTree(files), left=("Say that it is new.",), lessons=(), writable=("docs/**", "src/**"),
        frozen=(), account=Account(CAPS, Asker("implementer", "a"), Silent()), files=tuple(files),
    )  # fmt: skip
    return made._replace(**fields)  # type: ignore[arg-type]
