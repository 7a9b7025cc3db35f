"""Partial clones: git fetches there what it lacks when it needs it, but not for checkouts apart, which ask no remote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.errors import WorldError

if TYPE_CHECKING:
    from split_ci.git import Repo

WHOLE = "git fetch --refetch --no-filter"  # `git backfill` would do, where git has it
KEYS = r"^(remote\..*\.promisor|extensions\.partialclone)$"


def ensure_whole(repo: Repo, commit: str) -> None:
    """Raises WorldError where a partial clone lacks objects of a commit. Nothing is fetched."""
    if repo.ask("config", "--get-regexp", KEYS) is None:
        return
    listed = repo.git("rev-list", "--objects", "--no-walk", "--missing=print", commit).decode(errors="replace")
    missing = [line[1:] for line in listed.splitlines() if line.startswith("?")]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        said = f"this is a partial clone: it lacks object {missing[0]}{more} of {commit[:12]}, and a checkout needs them all"
        raise WorldError(said, hint=WHOLE)
