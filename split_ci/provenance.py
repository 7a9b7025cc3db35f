"""Where a workflow takes split-ci from: the commit that this installation was made of, or this very repository."""

from __future__ import annotations

import json
import os
import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from split_ci.errors import UsageError
from split_ci.git import Repo

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "split-ci"
SAME = "."  # this repository is split-ci's own
PINNED = re.compile(r"(?:split-ci\s*@\s*)?(git\+https://[A-Za-z0-9.-]+(?::\d+)?/[A-Za-z0-9._~/-]+)@([0-9a-f]{40})\Z")
BY_SSH = re.compile(r"(?:ssh://)?git@([A-Za-z0-9.-]+)[:/]([A-Za-z0-9._/-]+)\Z")


def given(text: str) -> str:
    """A line for `source.txt` from what a person gave. Raises UsageError for what pins no commit."""
    if text == SAME:
        return SAME
    found = PINNED.match(text)
    if found is None:
        raise UsageError(
            f"--source: {text!r} pins no commit of a repository: git+https://HOST/OWNER/REPOSITORY@ and 40 hex digits",
            hint="split-ci init --source git+https://HOST/OWNER/REPOSITORY@COMMIT",
        )
    return f"{NAME} @ {found[1]}@{found[2]}"


def find_or_none(root: str) -> str | None:
    """The line for `source.txt` in the repository at `root`; None where nothing tells it."""
    if _is_ours(root):
        return SAME
    url, commit = _installed()
    line = f"git+{url}@{commit}"
    return f"{NAME} @ {line}" if PINNED.match(line) else None


def _is_ours(root: str) -> bool:
    try:
        with open(os.path.join(root, "pyproject.toml"), "rb") as file:
            found: Mapping[str, Any] = tomllib.load(file)
    except (OSError, ValueError):
        return False
    project = found.get("project")
    return isinstance(project, dict) and project.get("name") == NAME


def _installed() -> tuple[str, str]:
    """The address and the commit of this installation, as pip wrote them down; empty where it didn't."""
    try:
        text = distribution(NAME).read_text("direct_url.json")
    except PackageNotFoundError:
        return "", ""
    try:
        found = json.loads(text or "{}")
        url, commit = str(found["url"]), str(found.get("vcs_info", {}).get("commit_id", ""))
    except (ValueError, KeyError, AttributeError, TypeError):
        return "", ""
    return (url, commit) if not url.startswith("file://") else _clone(unquote(urlsplit(url).path))


def _clone(folder: str) -> tuple[str, str]:
    """What a clone that split-ci was installed from says, where its commit is the remote's too."""
    try:
        repo = Repo.find(folder)
    except UsageError:
        return "", ""
    url, commit = repo.ask("remote", "get-url", "origin") or "", repo.commit_or_none("HEAD") or ""
    if not commit or not repo.ask("for-each-ref", "--count=1", "--contains", commit, "refs/remotes/origin"):
        return "", ""
    ssh = BY_SSH.match(url)
    return f"https://{ssh[1]}/{ssh[2]}" if ssh else url, commit
