"""Refs change in one transaction of compare-and-swap: all of it, or nothing and the names of those that lost the race."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from split_ci.errors import WorldError
from split_ci.git import GitError, run_git
from split_ci.intent import intent, recover

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence

    from split_ci.git import Repo

RETRY_SECONDS = (0.1, 0.3, 0.6, 1.0)
BOT_ENV = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "split-ci[bot]"), ("EMAIL", "split-ci[bot]@users.noreply.github.com"))
}
_LOCK = re.compile(r"Unable to create '([^\n]*\.lock)': File exists")
_IN_THE_WAY = re.compile(
    r"exists; cannot create|blocking reference|but expected|already exists|unable to resolve|nonexistent object"
)
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
    lines = "".join(f"option no-deref\n{_line(update, repo.null_oid)}\n" for update in updates)
    done = run_locking(
        repo, ["update-ref", "-m", why, "--stdin"], _locks(repo, updates), input=f"start\n{lines}prepare\ncommit\n".encode(),
        env=BOT_ENV,
    )  # fmt: skip
    if done.returncode == 0:
        return []
    said = done.stderr.decode(errors="replace")
    lost = _losers(repo, updates, said)
    if lost:
        return lost
    raise lock_fault(said) or GitError(["update-ref"], done.returncode, said)


def contended(repo: Repo, ref: str) -> WorldError:
    """Why a ref could not be written, often as it was tried: others were quicker, or another ref's name is in its way."""
    names = [name for name in repo.refs() if name != ref]
    other = next((name for name in names if ref.startswith(f"{name}/") or name.startswith(f"{ref}/")), None)
    if other is None:
        return WorldError(f"{ref} kept moving while it was written", again=True)
    return WorldError(f"{ref} can't be made: the ref {other} is in its way", hint=f"rename or delete {other}")


def run_locking(
    repo: Repo,
    args: Sequence[str],
    locks: Mapping[str, str | None],
    *,
    input: bytes = b"",  # noqa: A002 - subprocess's own word
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Runs a git command that locks files (path -> content, see `intent`), again where somebody holds one for a moment.

    It has a session of its own: what kills or interrupts this process's group lets it come to its end.
    """
    for seconds in (*RETRY_SECONDS, None):
        with intent(repo, locks) as held:
            done = run_git(args, cwd=repo.root, git_dir=repo.git_dir, input=input, env=env, check=False, apart=held)
        if done.returncode == 0 or seconds is None or not _LOCK.search(done.stderr.decode(errors="replace")):
            break
        if not recover(repo):
            time.sleep(seconds)
    return done


def lock_fault(said: str) -> WorldError | None:
    """The lock that stays, by what git said; None where it is about something else."""
    lock = _LOCK.search(said)
    if lock is None:
        return None
    return WorldError(
        f"{lock[1]}: another git process holds this lock, or one that died left it there",
        hint="make sure that no git runs in this repository, remove that file, and start again",
        again=True,
    )


def _locks(repo: Repo, updates: Sequence[RefUpdate]) -> dict[str, str | None]:
    """Every lock of a transaction. HEAD is locked where it points to one of the refs, for its log."""
    locks: dict[str, str | None] = {os.path.join(repo.git_dir, "HEAD.lock"): ""}
    for update in updates:
        locks[os.path.join(repo.common_dir, f"{update.ref}.lock")] = update.new or ""
        if update.new is None:
            locks[os.path.join(repo.common_dir, "packed-refs.lock")] = ""
            locks[os.path.join(repo.common_dir, "packed-refs.new")] = None
    return locks


def checkout_locks(repo: Repo, ref: str, commit: str) -> dict[str, str | None]:
    """Every lock of a fast-forward in a work tree that has the branch checked out."""
    own = {os.path.join(repo.git_dir, f"{name}.lock"): None for name in ("index", "ORIG_HEAD")}
    return {**_locks(repo, [RefUpdate(ref, commit, None)]), **own}


def _line(update: RefUpdate, null_oid: str) -> str:
    if update.new is None:
        return f"delete {update.ref} {update.expected or ''}".rstrip()
    return f"update {update.ref} {update.new} {update.expected or null_oid}"


def _losers(repo: Repo, updates: Sequence[RefUpdate], said: str) -> list[RefUpdate]:
    """The updates whose ref is not as expected, or can't be made because of another ref's name."""
    now = repo.refs()
    lost = [u for u in updates if now.get(u.ref) != u.expected]
    if not lost and _IN_THE_WAY.search(said):
        named = set(_REF.findall(said))
        lost = [u for u in updates if u.ref in named]
    return lost
