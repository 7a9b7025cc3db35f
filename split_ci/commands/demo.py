"""Replay the evening that split-ci comes from, in a repository of its own: no key, no network.

Ten skills to merge, archive or absorb, three hooks to write, references to sweep, recipes to sync: fourteen specs,
dispatched in parallel by the code that `split-ci run` uses. Where a model is asked, the answers were recorded, and
every place that shows them says so.

examples:
  split-ci demo                    in a new temporary folder, which it leaves for you to look at
  split-ci demo --dir evening      in ./evening
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "replay an evening of fourteen specs, with no key and no network"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--dir", metavar="DIR", help="where the repository is made and left (default: a temporary folder)")
    parser.add_argument("-j", "--jobs", type=int, default=14, metavar="N", help="how many at a time (default: 14)")


def run(args: Namespace) -> int:
    from split_ci.commands.run import dispatch_here
    from split_ci.report.demo import print_farewell, print_welcome
    from split_ci.steps.demo import make_demo

    repo = make_demo(args.dir)
    if args.format == "text":
        print_welcome(repo.root)
    code = dispatch_here(repo, [], jobs=args.jobs, json=args.format == "json", hints=False)
    if args.format == "text":
        print_farewell(repo.root)
    return 0 if code == 1 else code
