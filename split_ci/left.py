"""What exact sections leave to a model, as text for its brief and as paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci import brief, failure
from split_ci.spec import Edit, Instruct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.edit import Applied
    from split_ci.ports import Tree
    from split_ci.spec import Change, Spec

NO_RUNG = "needs a model rung: add one to `implementers`"
DRIFT = ("SP301", "SP302", "SP303", "SP304", "SP306")  # the tree moved on: stale, or ported by a model; never refused


class Drift(NamedTuple):
    """An exact section that no longer fits, and why in one line. `path`: the file that a model may port it to, or None."""

    change: Change
    path: str | None
    reason: str


def instructs(spec: Spec) -> list[Instruct]:
    return [change for change in spec.changes if isinstance(change, Instruct)]


def drifts(applied: Applied, tree: Tree) -> list[Drift]:
    """The exact sections that left no trace. Only an edit of a file that is still there can be ported."""
    found = []
    for change, problems in zip(applied.left, applied.reasons, strict=True):
        path = change.path if isinstance(change, Edit) and tree.read(change.path) is not None else None
        found.append(Drift(change, path, problems[0].message if problems else "it no longer fits"))
    return found


def drift_text(drift: Drift, tree: Tree) -> str:
    """An edit to port: what it was to do, why it does not fit, and the lines that are nearest to its text."""
    change = drift.change
    assert isinstance(change, Edit)
    name = brief.quoted(change.path)
    shown = brief.shown(tree.read(change.path)).text
    parts = [
        f"This edit of {name} was written for an earlier state of the file and no longer fits: {drift.reason}.",
        "Make the same change to the file as it is now. Leave out what is there already.",
    ]
    for pair in change.pairs:
        near = failure.nearest(pair.before, shown) if not failure.places(pair.before, shown) else None
        parts.append(f"Before:\n{pair.before}After:\n{pair.after}")
        parts.append(f"Nearest now, from line {near.line}:\n{near.text}" if near else "")
    return "\n".join(p for p in parts if p)


def read_paths(spec: Spec, tree: Tree) -> Sequence[str]:
    """The files that `read:` names, globs resolved."""
    from split_ci.paths import is_glob, select  # noqa: PLC0415

    plain = [path for path in spec.read if not is_glob(path)]
    globs = [path for path in spec.read if is_glob(path)]
    return [*plain, *(select(globs, sorted(tree.paths())) if globs else ())]
