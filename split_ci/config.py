"""`.split-ci.yaml`, read into values. Unknown keys are errors; a model's key is named by its variable, never written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from split_ci.errors import UsageError
from split_ci.settings import FILE, Coaching, Config, Limits, ModelConfig, Price
from split_ci.tree import UNMERGED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.git import Repo
    from split_ci.ports import Tree

__all__ = ["FILE", "Coaching", "Config", "Limits", "ModelConfig", "Price", "find_config", "parse_config", "read_config"]
MOST_BYTES = 65_536
SYMLINK = "120000"


def parse_config(data: bytes | None, env: Mapping[str, str]) -> Config:
    """The configuration in a file's bytes (None: no file). `env` tells the forge where the file doesn't.

    Raises UsageError naming the file, the line and the key.
    """
    default = Config(forge="github" if env.get("GITHUB_REPOSITORY") else "local")
    if data is None:
        return default
    if len(data) > MOST_BYTES:
        raise UsageError(f"{FILE}:1: the file has {len(data):,} bytes: at most {MOST_BYTES:,}")
    from split_ci.config_keys import fill  # noqa: PLC0415 - YAML is loaded only where there is a file

    return fill(default, data)


def read_config(tree: Tree, env: Mapping[str, str] | None = None) -> Config:
    """The configuration in a snapshot: the index for the hook, a commit of the default branch in CI."""
    file = tree.read(FILE)
    entry = tree.entry(FILE)
    if entry is not None and entry.mode == UNMERGED:
        raise UsageError(
            f"{FILE}: it is in conflict", hint=f"resolve it, then git add {FILE}; git status shows all conflicts"
        )
    if file is None and entry is not None:
        raise UsageError(f"{FILE}: not a file: make it one")
    if file is not None and file.mode == SYMLINK:
        raise UsageError(f"{FILE}: a symlink is not followed: put a plain file there")
    return parse_config(file.data if file else None, os.environ if env is None else env)


def find_config(repo: Repo, env: Mapping[str, str] | None = None) -> Config:
    """The configuration as it lies in the work tree (a bare repository's: in HEAD); the default where there is none."""
    env = os.environ if env is None else env
    if repo.bare:
        return read_config(repo.tree("HEAD"), env) if repo.commit_or_none("HEAD") else parse_config(None, env)
    return parse_config(_work_tree_file(os.path.join(repo.root, FILE)), env)


def config_of(repo: Repo, base: str, env: Mapping[str, str] | None = None) -> Config:
    """The configuration for a dispatch from a commit: on GitHub that commit's, by hand the work tree's."""
    env = os.environ if env is None else env
    return read_config(repo.tree(base), env) if env.get("GITHUB_ACTIONS") == "true" else find_config(repo, env)


def _work_tree_file(path: str) -> bytes | None:
    if not os.path.lexists(path):
        return None
    if os.path.islink(path):
        raise UsageError(f"{FILE}: a symlink is not followed: put a plain file there")
    if not os.path.isfile(path):
        raise UsageError(f"{FILE}: not a file: make it one")
    with open(path, "rb") as file:
        return file.read(MOST_BYTES + 1)
