"""Show a review where its result is shown: once for each head, again changes nothing. No model is asked.

With the forge `local` it is a note on the result's commit: git log --notes='split-ci*' --all

examples:
  split-ci comment review.json
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


SUMMARY = "post a review on its result"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("reviews", nargs="+", metavar="REVIEW", help="what `split-ci review` wrote")


def run(args: Namespace) -> int:
    import os

    from split_ci.commands.review import read_file
    from split_ci.config import find_config
    from split_ci.errors import Refused
    from split_ci.forges import build
    from split_ci.git import Repo
    from split_ci.report.terminal import say, say_json
    from split_ci.steps.comment import STATUS, comment, unread
    from split_ci.verdict import MAX_BYTES, load

    repo = Repo.find()
    verdicts = [load(read_file(path, MAX_BYTES), path) for path in args.reviews]
    config = find_config(repo)
    for path, verdict in zip(args.reviews, verdicts, strict=True):
        if repo.commit_or_none(verdict.head) is None:
            raise Refused(f"{path}: the result {verdict.head[:12]} is not here", hint="git fetch origin")
        fault = unread(repo, verdict, config.specs)
        if fault:
            raise Refused(f"{path}: {fault}", hint="split-ci review")
    forge = build(repo, config, os.environ)
    for verdict in verdicts:
        comment(forge, verdict)
    if args.format == "json":
        say_json(
            {
                "reviews": [
                    {"id": v.id, "head": v.head, "decision": v.decision, "status": STATUS[v.decision]} for v in verdicts
                ]
            }
        )
    else:
        for verdict in verdicts:
            say(f"{verdict.id}: {verdict.decision} on {verdict.head[:12]}")
    return 0
