"""Withdraw a result: its branch and the refs of its attempts. What it cost stays in the ledger.

A branch that holds a person's commit is left alone; --force takes it too, and keeps it under refs/split-ci/dropped/.

examples:
  split-ci drop fold-loaders
  split-ci drop fold-loaders --force
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "withdraw a result: its branch and attempts"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the spec whose result to withdraw")
    parser.add_argument("--force", action="store_true", help="also where a person's commit is on the branch; it is kept")


def run(args: Namespace) -> int:
    import os

    from split_ci.config import find_config
    from split_ci.forges import build
    from split_ci.git import Repo
    from split_ci.report.land import tell_dropped
    from split_ci.steps.drop import drop

    repo = Repo.find()
    forge = build(repo, find_config(repo), os.environ)
    id_ = args.id.removeprefix("split-ci/")
    return tell_dropped(args.format, forge.transact(repo, lambda there: drop(there, id_, force=args.force)))
