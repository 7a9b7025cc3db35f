"""Refs change in one transaction of compare-and-swap: all of it, or nothing and the names of those that lost the race."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple

from split_ci.errors import WorldError
from split_ci.git import GitError, run_git

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.git import Repo

RETRY_SECONDS = (0.1, 0.3, 0.6, 1.0)
BOT_ENV = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "split-ci[bot]"), ("EMAIL", "split-ci[bot]@users.noreply.github.com"))
}
_LOCK = re.compile(r"Unable to create '([^\n]*\.lock)'")
_REF = re.compile(r"(?:cannot lock ref|cannot update ref|cannot delete ref) '([^'\n]*)'")


class RefUpdate(NamedTuple):
    """One line of the transaction: `expected` None means that the ref must not exist; `new` None deletes it."""

    ref: str
    new: str | None
    expected: str | None


def swap(repo: Repo, updates: Sequence[RefUpdate], *, why: str = "split-ci") -> list[RefUpdate]:
    """Makes all of the updates, or none: then it returns those that lost. Raises WorldError where a lock stays."""
    if not updates:
        return []
    for seconds in (*RETRY_SECONDS, None):
        said = _transaction(repo, updates, why)
        if said is None:
            return []
        lost = _losers(repo, updates, said)
        if lost:
            return lost
        if seconds is None or not _LOCK.search(said):
            break
        time.sleep(seconds)
    raise _failure(said or "")


def _transaction(repo: Repo, updates: Sequence[RefUpdate], why: str) -> str | None:
    """What git said where it refused; None where everything was done. A ref is written itself, never what it points to."""
    lines = "".join(f"option no-deref\n{_line(update, repo.null_oid)}\n" for update in updates)
    done = run_git(
        ["update-ref", "-m", why, "--stdin"], cwd=repo.root, git_dir=repo.git_dir,
        input=f"start\n{lines}prepare\ncommit\n".encode(), env=BOT_ENV, check=False,
    )  # fmt: skip
    return done.stderr.decode(errors="replace") if done.returncode else None


def _line(update: RefUpdate, null_oid: str) -> str:
    if update.new is None:
        return f"delete {update.ref} {update.expected or ''}".rstrip()
    return f"update {update.ref} {update.new} {update.expected or null_oid}"


def _losers(repo: Repo, updates: Sequence[RefUpdate], said: str) -> list[RefUpdate]:
    """The updates whose ref is not as expected, or can't be made because of another ref's name."""
    now = repo.refs()
    lost = [u for u in updates if now.get(u.ref) != u.expected]
    if not lost and not _LOCK.search(said):
        named = set(_REF.findall(said))
        lost = [u for u in updates if u.ref in named]
    return lost


def _failure(said: str) -> WorldError:
    lock = _LOCK.search(said)
    if lock is None:
        return GitError(["update-ref"], 128, said)
    return WorldError(
        f"{lock[1]}: another git process holds this lock, or one that died left it there",
        hint="make sure that no git runs in this repository, remove that file, and start again",
        again=True,
    )
