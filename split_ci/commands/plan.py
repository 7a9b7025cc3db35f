"""Which ready specs have no result yet, in what order, what overlaps, and what it may cost.

Computed from a commit and the branches alone; nothing is fetched or written.

examples:
  split-ci plan                        at HEAD
  split-ci plan --at origin/main --format json
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "which ready specs have no result yet, in what order, and what it may cost"
FORMATS = ("github",)


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--at", metavar="REV", default="HEAD", help="the commit to plan from (default: HEAD)")


def run(args: Namespace) -> int:
    from split_ci.git import Repo
    from split_ci.report.plan import show
    from split_ci.steps.plan import plan

    show(plan(Repo.find(), args.at), args.format)
    return 0
