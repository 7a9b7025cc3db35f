"""What running the criteria said, on the base and on the result; bound to one changeset by its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Ran(NamedTuple):
    """One command, once. `exit` is None where no process ended by itself; `broken` says why it proves nothing (a cap by name,
    a signal, a tool that is missing); `output` is the escaped tail, at most 4 KiB."""

    exit: int | None
    seconds: float
    output: str = ""
    broken: str = ""


class CriterionResult(NamedTuple):
    """`red`/`green` are true where the criterion was as required, null where the question doesn't apply (a guard is never red)."""

    id: str
    run: str  # the criterion as people say it
    red: bool | None
    green: bool | None
    seconds: float
    reason: str = ""  # why it is not as required, one line
    base: Ran | None = None
    result: Ran | None = None


class Results(NamedTuple):
    id: str
    digest: str  # of the spec
    base: str
    tree: str  # the tree that was judged
    changeset: str  # sha256 of the changeset's canonical JSON
    criteria: tuple[CriterionResult, ...]
    sandbox: Mapping[str, Any]  # what the probe found

    @property
    def ok(self) -> bool:
        return bool(self.criteria) and all(c.red is not False and c.green is True for c in self.criteria)


def dump(results: Results) -> str:
    raise NotImplementedError


def load(text: str) -> Results:
    raise NotImplementedError
