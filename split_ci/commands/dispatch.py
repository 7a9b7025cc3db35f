"""Start one run of the workflow split-ci-spec.yml for each spec that is due, and say why not for the others.

What is due is computed each time from the default branch, the results' branches, the ledger, the runs and the open pull
requests: pending specs, results that a lost run left half-way, reviews that ask for changes, ticked boxes. No more is
started than limits.parallel, limits.pulls and limits.usd_per_day allow. A generation that is queued or running is left
alone; what failed by the world's fault is tried again after 1, 2, 4 … 24 hours, what was answered by no is not.
SPLIT_CI_PAUSED in the environment stops it.

examples:
  split-ci dispatch --dry-run
  split-ci dispatch --format github
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from split_ci.git import Repo
    from split_ci.ports import Forge, Workflows
    from split_ci.settings import Config
    from split_ci.steps.due import Due, Start

SUMMARY = "start a run of the workflow for each spec that is due"
FORMATS = ("github",)
UNPAUSED = ("", "0", "false", "no")


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be started; start nothing")
    parser.add_argument(
        "--max-in-flight", type=int, metavar="N", help="how many runs may be in flight (default: limits.parallel)"
    )


def run(args: Namespace) -> int:
    from split_ci.config import find_config
    from split_ci.errors import UsageError
    from split_ci.forges import build, workflows
    from split_ci.git import Repo
    from split_ci.report.dispatch import show

    if args.max_in_flight is not None and args.max_in_flight < 1:
        raise UsageError(f"--max-in-flight {args.max_in_flight}: at least 1")
    repo = Repo.find()
    config = find_config(repo)
    engine, forge = workflows(repo, config, os.environ), build(repo, config, os.environ)
    paused = os.environ.get("SPLIT_CI_PAUSED", "").strip().lower() not in UNPAUSED
    found = look(repo, config, forge, engine, args.max_in_flight or config.limits.parallel)
    started = [] if args.dry_run or paused else start_all(engine, found.starts)
    show(found, started, args.format, paused=paused, dry_run=args.dry_run)
    return 0


def look(repo: Repo, config: Config, forge: Forge, engine: Workflows, most: int) -> Due:
    from split_ci.ledger import now
    from split_ci.steps.due import Seen, due

    seen = Seen(engine.runs(), forge.pulls(), engine.shown, forge.pull, now(), most)
    return forge.transact(repo, lambda there: due(there, config, seen))


def start_all(engine: Workflows, starts: tuple[Start, ...]) -> list[str]:
    """Starts them one after the other; their ids."""
    for one in starts:
        inputs = {"spec": one.id, "base": one.base, "digest": one.digest}
        if one.pull is not None:
            inputs |= {"pull": str(one.pull), "anew": "true" if one.anew else "false"}
        engine.start(one.id, one.digest, inputs)
    return [one.id for one in starts]
