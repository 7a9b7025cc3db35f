"""Report: how often a first attempt passed, what each role cost, what each lesson changed, and all of it over time.

It reads the ledger and the reviews from git's notes, and calls nobody. What the same tokens would have cost without the
split is an estimate, and says so; a price that isn't known is named, never counted as nothing.

examples:
  split-ci report                      plain lines
  split-ci report --html report.html   one file with charts, which loads nothing from anywhere
  split-ci report --format json        for programs
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "first-pass rate, the bill by role, what lessons changed, over time"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--html", metavar="FILE", help="write a page with charts as well (a file that is there is replaced)")


def run(args: Namespace) -> int:
    from split_ci.config import find_config
    from split_ci.git import Repo
    from split_ci.report.history import show
    from split_ci.steps.lessons import listed, measure
    from split_ci.steps.report import report

    repo = Repo.find()
    config = find_config(repo)
    found = report(repo, config)
    known, _ = listed(repo, config)
    measured = measure(repo, config)
    if args.html:
        import os

        from split_ci.commands.implement import write_whole
        from split_ci.report.html import page

        write_whole(args.html, page(found, measured, known, os.path.basename(repo.root)))
    show(found, measured, known, args.format, args.html)
    return 0
