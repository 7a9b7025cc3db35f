"""A work tree is moved forward by `git merge --ff-only`, which never overwrites a local change; or it stays as it was."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from split_ci.git import GitError, differences
from split_ci.refs import checkout_locks, lock_fault, run_locking

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.git import Repo


def move_forward(repo: Repo, commit: str, env: Mapping[str, str]) -> str | None:
    """Moves HEAD's branch, index and files to a commit ahead. Why it can't be, in one line; None where it is done."""
    head = repo.commit("HEAD")
    locks = checkout_locks(repo, repo.ask("symbolic-ref", "--quiet", "HEAD") or "HEAD", commit)
    args = ["merge", "--ff-only", "--no-autostash", "--no-verify-signatures", "--no-stat", "--quiet", commit]
    done = run_locking(repo, args, locks, env=env)
    if done.returncode == 0:
        return None
    text = done.stderr.decode(errors="replace")
    fault = lock_fault(text)
    if fault:
        return f"{fault.message}: {fault.hint}"
    said = text.splitlines()
    files = [line.strip() for line in said if line.startswith("\t")]
    if files:
        return f"local changes are in the way, and stay: {', '.join(files)}"
    if "Not possible to fast-forward" in text:
        return "the branch moved on meanwhile: split-ci land goes on from there"
    if repo.commit_or_none("HEAD") == head:
        _put_back(repo, head, commit, env)
    return next((line for line in said if line.startswith(("error:", "fatal:"))), "git merge --ff-only said no")


def _put_back(repo: Repo, head: str, commit: str, env: Mapping[str, str]) -> None:
    """Undoes what git had written when it failed half-way (a full disk, a folder that can't be written).

    Before it wrote at all it had seen that none of these paths held anything of the user's.
    """
    (changed,) = differences(repo, [(head, commit)])
    known = [path for path, one in changed.items() if one.was is not None]
    lines = "".join(f"{path}\0" for path in known).encode("utf-8", "surrogateescape")
    with suppress(GitError):
        repo.git("checkout-index", "--force", "--quiet", "-z", "--stdin", input=lines, env=env)
    for path in changed.keys() - set(known):
        if repo.ask("hash-object", f"--path={path}", "--", path) == changed[path].oid:
            _remove(repo.root, path)


def _remove(root: str, path: str) -> None:
    with suppress(OSError):
        os.unlink(os.path.join(root, path))
        while "/" in path:
            path = path.rpartition("/")[0]
            os.rmdir(os.path.join(root, path))
