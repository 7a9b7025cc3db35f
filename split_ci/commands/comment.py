"""Show a review where its result is shown: once for each head, again changes nothing. No model is asked.

With the forge `local` it is a note on the result's commit: git log --notes='split-ci*' --all
On GitHub it is one review of the pull request, with remarks on the lines that its diff shows, one summary that is kept up
to date, and the status `split-ci/review`. It never approves and never merges. Exit 1 where the pull request has moved on,
was closed, or is somebody else's: then nothing is posted.

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
    from split_ci.forges import build
    from split_ci.git import Repo
    from split_ci.report.comment import show
    from split_ci.steps.comment import comment
    from split_ci.verdict import MAX_BYTES, load

    repo = Repo.find()
    verdicts = [(path, load(read_file(path, MAX_BYTES), path)) for path in args.reviews]
    config = find_config(repo)
    shown = comment(build(repo, config, os.environ), repo, verdicts, config.specs)
    show([(verdict, each) for (_, verdict), each in zip(verdicts, shown, strict=True)], args.format)
    return 0
