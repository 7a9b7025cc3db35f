"""One commit of lessons on their branch, built without a checkout; a branch that is checked out takes its files along."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci.coaching import checked_out_at
from split_ci.forward import move_forward
from split_ci.git import Repo, run_git
from split_ci.refs import BOT_ENV, RefUpdate
from split_ci.store import Quarantine
from split_ci.stream import commit_date, header, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

BUILDING = "refs/split-ci/quarantine/coaching"


class InTheWay(Exception):
    """The branch is checked out, and something of the user's is in the way of the lesson's file."""


class Onto(NamedTuple):
    """A branch, the commit to build upon, and what the branch is expected to be (None: not there)."""

    ref: str
    parent: str
    expected: str | None


def commit_files(repo: Repo, onto: Onto, files: Mapping[str, bytes | None], message: bytes) -> str | None:
    """One commit by the bot that writes (None: deletes) files; None where the branch moved meanwhile.

    A branch that is checked out somewhere is moved as a fast-forward there, so that index and files come along; where
    something of the user's is in the way, nothing is done and `InTheWay` is raised.
    """
    ref, parent, expected = onto
    place = checked_out_at(repo, ref)
    with Quarantine(repo) as quarantine:
        found = quarantine.objects().read(parent)
        date = commit_date(found[2]) if found else "0 +0000"
        stream = [header(BUILDING, 1, date, message), f"from {parent}\n".encode()]
        for path, data in sorted(files.items()):
            if data is None:
                stream.append(b"D " + quoted(path) + b"\n")
            else:
                stream.append(b"M 100644 inline " + quoted(path) + b"\ndata %d\n" % len(data) + data + b"\n")
        quarantine.git("fast-import", "--quiet", "--date-format=raw", input=b"".join(stream))
        commit = quarantine.git("rev-parse", BUILDING).decode().strip()
        if place is None:
            lost = quarantine.admit([RefUpdate(ref, commit, expected)], why="split-ci coach")
            return None if lost else commit
        quarantine.admit([])
    return _fast_forward(repo, place, ref, commit, expected)


def _fast_forward(repo: Repo, place: str, ref: str, commit: str, expected: str | None) -> str | None:
    own = run_git(["rev-parse", "--absolute-git-dir"], cwd=place).stdout.decode("utf-8", "surrogateescape").rstrip("\n")
    there = Repo(place, own, repo.common_dir, bare=False, object_format=repo.object_format)
    if move_forward(there, commit, BOT_ENV) is None:
        return commit
    if repo.commit_or_none(ref) != expected:
        return None
    raise InTheWay
