"""The hand-off between jobs: whole file contents by path, as JSON. Whoever receives one validates all of it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from split_ci.ports import Outcome, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.ports import File

By = Literal["exact", "adapted", "model"]


class Changed(NamedTuple):
    """One path's end state. `file` None: deleted. `was`: the blob id at the base, None where the path is new."""

    path: str
    file: File | None
    was: str | None
    by: By = "exact"


class Changeset(NamedTuple):
    """One attempt's result, pinned to (spec digest, base)."""

    id: str
    digest: str  # of the spec
    base: str  # commit id
    attempt: str  # this attempt's own id
    implementer: str  # `exact`, or the name of the rung that wrote the last change
    changes: tuple[Changed, ...]
    spec: bytes  # the spec file, moved to (or added in) specs/landed/ by the commit
    spec_path: str
    edits: Mapping[str, int]  # exact, adapted, model
    usage: Usage = Usage()
    outcome: Outcome = Outcome("done")
    lessons: tuple[str, ...] = ()  # ids carried by the brief
    lessons_at: str | None = None  # the trusted commit that they were read from
    parent: str | None = None  # the branch's head, for a new round; the base else
    round: int = 1


def dump(changeset: Changeset) -> str:
    """Canonical JSON: sorted keys, UTF-8 text where it is text, base64 where not."""
    raise NotImplementedError


def load(text: str) -> Changeset:
    """Reads what `dump` wrote. Raises errors.Refused for anything else: unknown keys, wrong types, a size over the caps."""
    raise NotImplementedError
