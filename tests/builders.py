"""The builders that every test uses: real repositories, small and quick."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from split_ci.git import clean_env

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PERSON = {
    "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip


def git(repo: Path, *args: str, input: bytes = b"", env: Mapping[str, str] | None = None) -> str:  # noqa: A002
    """Real git as a person runs it, in a clean environment."""
    done = subprocess.run(
        ["git", *args], cwd=repo, input=input, env=clean_env({**PERSON, **(env or {})}), capture_output=True, check=False
    )
    assert done.returncode == 0, f"git {' '.join(args)}: {done.stderr.decode(errors='replace')}"
    return done.stdout.decode(errors="surrogateescape").strip()


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)


def make_repo(root: Path, files: Mapping[str, str | bytes] | None = None, *, message: str = "first") -> Path:
    """A repository with one commit of the files (none: an unborn branch `main`)."""
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.name", "Ada")
    git(root, "config", "user.email", "ada@example.org")
    if files is not None:
        commit(root, files, message=message)
    return root


def commit(root: Path, files: Mapping[str, str | bytes | None], *, message: str = "next") -> str:
    """Writes (None: deletes) the files, commits everything, returns the commit id."""
    write(root, {p: t for p, t in files.items() if t is not None})
    for path, text in files.items():
        if text is None:
            (root / path).unlink()
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", message)
    return git(root, "rev-parse", "HEAD")


def split_ci(
    cwd: Path, *args: str, env: Mapping[str, str] | None = None, code: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """The command line, as its own process. `code` None takes any exit code."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "split_ci", *args],
        cwd=cwd, env=clean_env({**PERSON, "GITHUB_REPOSITORY": "", "NO_COLOR": "1", "PYTHONPATH": SOURCE, **(env or {})}),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if code is not None:
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

SPEC = """\
---
title: {title}
status: ready
{extra}accept:
{accept}
---

## Why
Because.

## Changes

{changes}
"""


def spec(changes: str, *, title: str = "A change", accept: str = "  - missing: nothing.txt", extra: str = "") -> str:
    """The text of a spec around its `## Changes` section; `extra` is whole front matter lines."""
    return SPEC.format(title=title, accept=accept, changes=changes, extra=extra)
