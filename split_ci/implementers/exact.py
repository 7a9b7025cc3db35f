"""The implementer that is code: what a spec writes out exactly, applied to a tree. It costs nothing and needs no key."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from split_ci.changeset import Changed
from split_ci.edit import apply_exact
from split_ci.git import FOLDER
from split_ci.ports import Attempt, Outcome, Usage
from split_ci.spec import Instruct

if TYPE_CHECKING:
    from split_ci.edit import Applied
    from split_ci.ports import Task, Tree
    from split_ci.spec import Spec

NAME = "exact"


def attempt_id(digest: str, base: str, round_: int = 1) -> str:
    """The id of an exact attempt: the same work, done again, is the same attempt."""
    return hashlib.sha256(f"{digest} {base} {NAME} {round_}".encode()).hexdigest()[:16]


def derive(spec: Spec, tree: Tree) -> tuple[tuple[Changed, ...], Applied]:
    """What the exact sections make of a tree: its changed paths, sorted, and the whole of what the engine said."""
    applied = apply_exact(spec.changes, tree, spec.path)
    changes = tuple(Changed(path, applied.files[path], blob_at(tree, path)) for path in sorted(applied.files))
    return changes, applied


def blob_at(tree: Tree, path: str) -> str | None:
    """The blob id of a file; None where there is none, or a folder."""
    entry = tree.entry(path)
    return None if entry is None or entry.mode == FOLDER else entry.oid


def outcome_of(applied: Applied, spec: Spec | None = None) -> Outcome:
    """Done where every section took; else stale with the first reason, or failed where prose waits for a model."""
    if applied.problems:
        first = applied.problems[0]
        return Outcome("stale", f"{first.path}:{first.line}: {first.code}: {first.message}")
    changes = spec.changes if spec else applied.left
    prose = next((change for change in changes if isinstance(change, Instruct)), None)
    if prose is not None:
        return Outcome("failed", f"`Instruct` of {', '.join(prose.paths)} needs a model, and none is configured")
    return Outcome("done")


class Exact:
    """A `ports.Implementer`: applies the exact sections to the task's tree."""

    name = NAME

    def implement(self, task: Task) -> Attempt:
        """The files of the exact sections; `stale` where one of them no longer fits, `failed` where prose is left."""
        _, applied = derive(task.spec, task.tree)
        return Attempt(applied.files, Usage(), outcome_of(applied, task.spec))
