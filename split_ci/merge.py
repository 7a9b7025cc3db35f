"""Merges without a checkout: in a quarantine, so that no merge driver, hook or setting of anyone's takes part."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from split_ci.errors import WorldError
from split_ci.git import GitError, run_git
from split_ci.store import ALONE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.store import Quarantine


class Merged(NamedTuple):
    """A merge of two commits: its tree where it is clean, else the paths in conflict."""

    tree: str | None
    conflicts: tuple[str, ...] = ()


def merge_trees(quarantine: Quarantine, ours: str, theirs: str) -> Merged:
    """Merges two commits by git's own strategy with its defaults. Raises WorldError where they have nothing in common."""
    args = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs]
    done = run_git(args, cwd=quarantine.git_dir, git_dir=quarantine.git_dir, env=ALONE, check=False)
    if done.returncode > 1:
        said = done.stderr.decode(errors="replace")
        if "unrelated histories" in said:
            raise WorldError(f"{ours[:12]} and {theirs[:12]} have no commit in common", hint="git fetch --unshallow")
        raise GitError(args, done.returncode, said)
    tree, *paths = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    if done.returncode:
        return Merged(None, tuple(path for path in dict.fromkeys(paths) if path))
    return Merged(tree)


def without(quarantine: Quarantine, tree: str, path: str) -> str:
    """The tree without one file."""
    index = {"GIT_INDEX_FILE": os.path.join(quarantine.git_dir, "index")}

    def git(*args: str, said: bytes = b"") -> bytes:
        return run_git(args, cwd=quarantine.git_dir, git_dir=quarantine.git_dir, env={**ALONE, **index}, input=said).stdout

    git("read-tree", tree)
    git("update-index", "-z", "--index-info", said=f"0 {'0' * len(tree)}\t{path}\0".encode("utf-8", "surrogateescape"))
    return git("write-tree").decode().strip()


def commit_tree(quarantine: Quarantine, tree: str, parents: Sequence[str], message: str, people: Mapping[str, str]) -> str:
    """A commit in the quarantine. `people` are git's variables for author and committer, dates included."""
    args = ["commit-tree", tree, *(arg for parent in parents for arg in ("-p", parent))]
    done = run_git(args, cwd=quarantine.git_dir, git_dir=quarantine.git_dir, env={**ALONE, **people}, input=message.encode())
    return done.stdout.decode().strip()
