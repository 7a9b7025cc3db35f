"""Withdraw a result: its branch and the refs of its attempts. What it cost stays in the ledger.

A branch that holds a person's commit is left alone; --force takes it too, and keeps it under refs/split-ci/dropped/.
With the forge `github` what origin has goes as well, and the pull request is closed with a word that says so.

examples:
  split-ci drop fold-loaders
  split-ci drop fold-loaders --force
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from split_ci.git import Repo
    from split_ci.ports import Forge
    from split_ci.steps.drop import Dropped

SUMMARY = "withdraw a result: its branch and attempts"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the spec whose result to withdraw")
    parser.add_argument("--force", action="store_true", help="also where a person's commit is on the branch; it is kept")


def run(args: Namespace) -> int:
    import os

    from split_ci.config import find_config
    from split_ci.errors import UsageError
    from split_ci.forges import build
    from split_ci.git import Repo
    from split_ci.report.land import tell_dropped
    from split_ci.report.terminal import warn
    from split_ci.steps.drop import drop_or_none

    repo, id_ = Repo.find(), args.id.removeprefix("split-ci/")
    config = find_config(repo)
    here = drop_or_none(repo, id_, force=args.force)
    if here is not None and here.outcome.name != "done":
        return tell_dropped(args.format, here)
    try:
        there = (
            _drop_there(build(repo, config, os.environ), repo, id_, force=args.force) if config.forge != "local" else None
        )
    except UsageError as error:
        if here is None:
            raise
        warn(f"split-ci: warning: only what is here was dropped: {error.message}")
        there = None
    dropped = there or here
    if dropped is None:
        raise UsageError(f"there is no result of {id_!r}", hint="split-ci status")
    return tell_dropped(args.format, dropped)


def _drop_there(forge: Forge, repo: Repo, id_: str, *, force: bool) -> Dropped | None:
    """What the forge has of a result; None where it has nothing. The pull request last: if cut off, it is found again."""
    from split_ci.ports import Outcome
    from split_ci.steps.drop import WORD, Dropped, drop_or_none

    dropped = forge.transact(repo, lambda there: drop_or_none(there, id_, force=force))
    pull = None
    if dropped is None or dropped.outcome.name == "done":
        pull = forge.close_pull(f"split-ci/{id_}", WORD)
    if dropped is None and pull is not None and pull.withdrawn:
        return Dropped(id_, Outcome("done"), pull=pull.number)
    return dropped._replace(pull=pull.number) if dropped and pull else dropped
