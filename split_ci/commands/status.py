"""Say where every spec stands: from the commits, branches and notes of this repository and its remote, nothing else.

It fetches what the remote knows of reviews, costs and attempts first, and with the forge `github` asks for the pull
requests; `--offline` does neither.

examples:
  split-ci status
  split-ci status --offline --format json
  split-ci status --fetch        only bring here what the remote knows: a workflow's jobs start from a new clone
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "every spec: state, branch, criteria, cost, what it waits for"


def arguments(parser: ArgumentParser) -> None:
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--offline", action="store_true", help="only what is here: fetch nothing")
    how.add_argument("--fetch", action="store_true", help="only fetch, and say nothing of specs")
    parser.add_argument("--at", metavar="REV", help="the commit whose specs are meant (default: HEAD)")


def run(args: Namespace) -> int:
    import os

    from split_ci.config import find_config
    from split_ci.errors import UsageError
    from split_ci.forges import build, git_environment
    from split_ci.git import Repo
    from split_ci.mirror import fetch
    from split_ci.report.status import fetched, show
    from split_ci.report.terminal import warn
    from split_ci.steps.status import default_rev, status, with_pulls

    repo = Repo.find()
    config = find_config(repo)
    if not args.offline:
        there = fetch(repo, env=git_environment(repo, config, os.environ))
        if args.fetch:
            fetched(there=there, as_json=args.format == "json")
            return 0
    rev = repo.commit(args.at) if args.at else default_rev(repo)
    found = status(repo, config, rev)
    if config.forge != "local" and not args.offline:
        try:
            found = with_pulls(found, build(repo, config, os.environ))
        except UsageError as error:
            warn(f"split-ci: warning: pull requests aren't shown: {error.message}")
    show(found, args.format)
    return 0
