"""Drop: a result is withdrawn. Its branch and its attempts' refs go in one transaction; what it cost stays on record."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci import branches
from split_ci.branches import ATTEMPTS, COACHED, DROPPED
from split_ci.errors import WorldError
from split_ci.ports import Outcome
from split_ci.refs import RefUpdate, swap

if TYPE_CHECKING:
    from split_ci.branches import Branch
    from split_ci.git import Repo


WORD = "Withdrawn with `split-ci drop`. The spec can be dispatched again; what this cost stays in the ledger."


class Dropped(NamedTuple):
    """What was done: the branch that went, how many attempt refs went with it, and the ref that keeps a person's commits."""

    id: str
    outcome: Outcome
    branch: str | None = None
    head: str | None = None
    attempts: int = 0
    kept: str | None = None
    pull: int | None = None  # the pull request that was closed with it


def drop_or_none(repo: Repo, id_: str, *, force: bool = False) -> Dropped | None:
    """Withdraws the result of one spec. `force` also takes a branch with a person's commits, and keeps them under a ref.

    None where there is nothing of that name. Raises WorldError where another process was quicker.
    """
    with repo.objects() as objects:
        standing = branches.read(repo, objects, {id_})
    branch, attempts = standing.by_id.get(id_), standing.attempts.get(id_, {})
    if branch is None and not attempts:
        return None
    updates = [RefUpdate(f"{ATTEMPTS}{id_}/{number}", None, commit) for number, commit in attempts.items() if commit]
    coached = repo.commit_or_none(f"{COACHED}{id_}")
    if coached:
        updates.append(RefUpdate(f"{COACHED}{id_}", None, coached))
    kept = None
    if branch is not None:
        fault = _fault(branch, standing.checked_out.get(branches.branch_ref(id_)), force=force)
        if fault:
            return Dropped(id_, Outcome("blocked", fault), branch.name, branch.head)
        updates.append(RefUpdate(branches.branch_ref(id_), None, branch.head))
        if branch.foreign:
            kept = f"{DROPPED}{id_}/{branch.head[:12]}"
            if kept not in repo.refs(kept):
                updates.append(RefUpdate(kept, branch.head, None))
    lost = swap(repo, updates, why="split-ci: drop")
    if lost:
        raise WorldError(f"{lost[0].ref} moved while it was dropped: nothing was done", again=True)
    gone = branch.name if branch else None
    return Dropped(id_, Outcome("done"), gone, branch.head if branch else None, len(attempts), kept)


def _fault(branch: Branch, folder: str | None, *, force: bool) -> str | None:
    if folder:
        return f"{branch.name} is checked out in {folder}"
    if branch.foreign and not force:
        return f"{branch.name} holds {branch.foreign[0][:12]}, which is not the bot's: --force keeps it under {DROPPED}"
    return None
