"""A work tree is moved forward by `git merge --ff-only`, which never overwrites a local change; or it stays as it was."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from split_ci.git import GitError, differences
from split_ci.refs import checkout_locks, lock_fault, run_locking

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from subprocess import CompletedProcess

    from split_ci.git import Difference, Repo

IN_THE_WAY = "local changes are in the way"
MOVED_ON = "the branch moved on meanwhile: split-ci land goes on from there"
RECORD = "split-ci-moving"  # in the work tree's git folder, while files are written: from which commit to which


def move_forward(repo: Repo, commit: str, env: Mapping[str, str]) -> str | None:
    """Moves HEAD's branch, index and files to a commit ahead. Why it can't be, in one line; None where it is done."""
    with _alone(repo):
        return _moved(repo, commit, env)


def _moved(repo: Repo, commit: str, env: Mapping[str, str]) -> str | None:
    head = repo.commit("HEAD")
    done = _merge(repo, head, commit, env)
    if done.returncode and _in_the_way(done) and _settle(repo, head, env):
        done = _merge(repo, head, commit, env)
    if done.returncode == 0:
        with suppress(FileNotFoundError):
            os.unlink(_record(repo))  # of a move that was killed, and is made now
        return None
    text = done.stderr.decode(errors="replace")
    fault = lock_fault(text)
    if fault:
        return f"{fault.message}: {fault.hint}"
    files = _in_the_way(done)
    if files:
        return f"{IN_THE_WAY}, and stay: {', '.join(files)}"
    if "Not possible to fast-forward" in text:
        return MOVED_ON
    if repo.commit_or_none("HEAD") == head:
        _put_back(repo, head, commit, env)
    return next((line for line in text.splitlines() if line.startswith(("error:", "fatal:"))), "git merge --ff-only said no")


def _merge(repo: Repo, head: str, commit: str, env: Mapping[str, str]) -> CompletedProcess[bytes]:
    locks = checkout_locks(repo, repo.ask("symbolic-ref", "--quiet", "HEAD") or "HEAD", commit)
    args = ["merge", "--ff-only", "--no-autostash", "--no-verify-signatures", "--no-stat", "--quiet", commit]
    with _recorded(repo, head, commit):
        return run_locking(repo, args, locks, env=env)


def _in_the_way(done: CompletedProcess[bytes]) -> list[str]:
    """The files with local changes that git names."""
    return [line.strip() for line in done.stderr.decode(errors="replace").splitlines() if line.startswith("\t")]


# --- what a kill leaves half-way


def _record(repo: Repo) -> str:
    return os.path.join(repo.git_dir, RECORD)


@contextmanager
def _alone(repo: Repo) -> Iterator[None]:
    """One process of ours at a time moves a work tree: what another one has half-written is not a dead one's."""
    held = os.open(repo.git_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


@contextmanager
def _recorded(repo: Repo, head: str, commit: str) -> Iterator[None]:
    """Says what is under way, as long as it is. What a killed run had said stays until its move is made or undone."""
    path = _record(repo)
    ours = not os.path.exists(path)
    if ours:
        with open(f"{path}.new", "w", encoding="ascii") as file:
            json.dump({"from": head, "to": commit}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.new", path)
    try:
        yield
    finally:
        if ours:
            os.unlink(path)


def forget(repo: Repo) -> None:
    """Removes what a killed run had said of a move that was made all the same: HEAD is elsewhere by now."""
    said = suppress(OSError, ValueError, KeyError, TypeError)
    with _alone(repo), said, open(_record(repo), encoding="ascii") as file:
        if json.load(file)["from"] != repo.commit_or_none("HEAD"):
            os.unlink(file.name)


def _settle(repo: Repo, head: str, env: Mapping[str, str]) -> bool:
    """Undoes what a git that was killed had written of a move from this commit. True where there was one.

    Only files that are as that move writes them, whole or up to where it was killed, are put back: any other is the user's.
    """
    try:
        with open(_record(repo), encoding="ascii") as file:
            said = json.load(file)
    except (OSError, ValueError):
        return False
    target = repo.commit_or_none(str(said.get("to"))) if isinstance(said, dict) and said.get("from") == head else None
    if target:
        _put_back(repo, head, target, env)
    os.unlink(_record(repo))
    return target is not None


def _put_back(repo: Repo, head: str, commit: str, env: Mapping[str, str]) -> None:
    """Undoes what git had written when it ended half-way (a full disk, a folder that can't be written, a kill).

    Only files that are as that move writes them, whole or up to where it ended, are put back: any other is the user's.
    """
    (changed,) = differences(repo, [(head, commit)])
    written = _written(repo, changed)
    known = [path for path in written if changed[path].was is not None]
    lines = "".join(f"{path}\0" for path in known).encode("utf-8", "surrogateescape")
    with suppress(GitError):
        repo.git("checkout-index", "--force", "--quiet", "-z", "--stdin", input=lines, env=env)
    for path in written:
        if changed[path].was is None:
            _remove(repo.root, path)


def _written(repo: Repo, changed: Mapping[str, Difference]) -> list[str]:
    """The paths at which nothing is, or a file as the move makes it, or the beginning of that."""
    full = {path: os.path.join(repo.root, path) for path in changed}
    there = [path for path in changed if os.path.isfile(full[path]) and not os.path.islink(full[path])]
    hashed = repo.git(
        "hash-object", "--stdin-paths", input="".join(f"{path}\n" for path in there).encode("utf-8", "surrogateescape")
    )
    now = dict(zip(there, hashed.decode().split(), strict=True))
    found = []
    with repo.objects() as objects:
        for path, one in changed.items():
            if not os.path.lexists(full[path]) or (
                path in now and one.oid is not None and (now[path] == one.oid or _begins(full[path], objects.blob(one.oid)))
            ):
                found.append(path)
    return found


def _begins(path: str, data: bytes) -> bool:
    with open(path, "rb") as file:
        return data.startswith(file.read(len(data) + 1))


def _remove(root: str, path: str) -> None:
    with suppress(OSError):
        os.unlink(os.path.join(root, path))
        while "/" in path:
            path = path.rpartition("/")[0]
            os.rmdir(os.path.join(root, path))
