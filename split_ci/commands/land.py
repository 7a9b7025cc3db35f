"""Merge approved results into the branch that is checked out, in the order of their needs.

Local changes are never overwritten. It stops at the first conflict; what was merged before stays merged. Without an ID
every approved result is merged.

examples:
  split-ci land
  split-ci land fold-loaders rename-hooks
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "merge approved results, in the order of their needs"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", metavar="ID", help="the specs whose results to merge (default: all approved)")


def run(args: Namespace) -> int:
    from split_ci.config import find_config
    from split_ci.git import Repo
    from split_ci.notes import review_of
    from split_ci.report.land import tell
    from split_ci.steps.land import land

    repo = Repo.find()
    ids = [name.removeprefix("split-ci/") for name in args.ids]
    landed = land(repo, ids, specs=find_config(repo).specs, review_of=review_of)
    return tell(args.format, landed, named=bool(ids))
