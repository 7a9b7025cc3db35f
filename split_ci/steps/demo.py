"""The demo's repository: the evening that split-ci comes from, as files of the package."""

from __future__ import annotations

import os
import tempfile
from importlib.resources import files
from typing import TYPE_CHECKING

from split_ci.errors import UsageError
from split_ci.git import Repo, run_git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

WHO = ("-c", "user.name=split-ci demo", "-c", "user.email=demo@example.org")
WHEN = {"GIT_AUTHOR_DATE": "2026-01-05T18:00:00Z", "GIT_COMMITTER_DATE": "2026-01-05T18:00:00Z"}


def make_demo(folder: str | None) -> Repo:
    """A new repository with the base committed on `main`, and then the fourteen specs.

    `folder` must be empty or not there; None makes a temporary one. Raises UsageError.
    """
    where = os.path.abspath(folder) if folder else tempfile.mkdtemp(prefix="split-ci-demo-")
    if os.path.isdir(where) and os.listdir(where):
        raise UsageError(f"{where} is not empty", hint="split-ci demo --dir with a new folder")
    os.makedirs(where, exist_ok=True)
    source = files("split_ci") / "demo"
    run_git(["init", "--quiet", "--initial-branch=main", "."], cwd=where)
    for key, value in (("user.name", "split-ci demo"), ("user.email", "demo@example.org")):
        run_git(["config", key, value], cwd=where)
    _copy(source / "recorded", os.path.join(where, ".recorded"))
    with open(os.path.join(where, ".git", "info", "exclude"), "a", encoding="utf-8") as exclude:
        exclude.write("/.recorded/\n")
    _commit(where, source / "base", "", "gather the workshop's skills, recipes and tools")
    _commit(where, source / "specs", "specs", "specify the evening: fourteen specs")
    return Repo.find(where)


def _commit(where: str, source: Traversable, below: str, message: str) -> None:
    _copy(source, os.path.join(where, below))
    run_git(["add", "--all", "."], cwd=where)
    run_git([*WHO, "commit", "--quiet", "--message", message], cwd=where, env=WHEN)


def _copy(source: Traversable, where: str) -> None:
    for path, file in _walk(source):
        target = os.path.join(where, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "xb") as out:
            out.write(file.read_bytes())


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for item in sorted(folder.iterdir(), key=lambda found: found.name):
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        else:
            yield prefix + item.name, item
