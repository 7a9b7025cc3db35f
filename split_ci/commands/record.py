"""Put what was paid for into the ledger, and keep what it made under refs/split-ci/attempts/: whatever else failed.

Takes changesets, results and reviews in any order, each told by what is in it. Again changes nothing. It also takes in
what a run that was killed had written down of its calls. With the forge `github` the ledger is origin's; `--recover` then
looks for runs of the last days that were cut off before they could record what they had paid for, and reads their artifacts.

examples:
  split-ci record changeset.json results.json review.json
  split-ci record --from implement handed/implement --from verify handed/verify
  split-ci record --recover
  git log --notes=split-ci --all          the ledger, a line for each attempt
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from split_ci.git import Repo
    from split_ci.ports import Forge
    from split_ci.recording import Left, Recovered
    from split_ci.settings import Config
    from split_ci.steps.record import Recorded

SUMMARY = "append usage and outcomes to the ledger, keep the attempts"
FORMATS = ("github",)


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", metavar="FILE", help="changesets, results, reviews")
    parser.add_argument(
        "--from", nargs=2, action="append", default=[], dest="handed", metavar=("JOB", "FOLDER"),
        help="what a job of the workflow left, if it did: implement, verify or review. None may leave what another makes",
    )  # fmt: skip
    parser.add_argument("--recover", action="store_true", help="also what runs on the forge left that were cut off")


def run(args: Namespace) -> int:
    from split_ci import journal, salvage
    from split_ci.commands.review import read_file
    from split_ci.config import find_config
    from split_ci.errors import UsageError
    from split_ci.forges import build
    from split_ci.git import Repo
    from split_ci.recording import MAX_BYTES, MAY_LEAVE, read_left
    from split_ci.report.record import show

    if not args.files and not args.recover and not args.handed:
        raise UsageError("name the files, or --recover", hint="split-ci record changeset.json results.json")
    unknown = next((job for job, *_ in args.handed if job not in MAY_LEAVE), None)
    if unknown is not None:
        raise UsageError(f"--from {unknown}: the jobs are {', '.join(MAY_LEAVE)}", hint="split-ci record --help")
    repo = Repo.find()
    config = find_config(repo)
    left = read_left({path: read_file(path, MAX_BYTES) for path in args.files})
    left, refused = _handed(left, args.handed)
    forge = build(repo, config, os.environ)
    recovered = _recover(repo, config, forge) if args.recover else []
    done = _record(repo, config, forge, left) if args.files or any(left) else None
    if done:
        journal.forget(repo, done.entries)
    show(done, salvage.recover(repo, config), recovered, args.format, refused)
    return 1 if refused else 0


def _handed(left: Left, handed: Sequence[tuple[str, str]]) -> tuple[Left, list[str]]:
    """What jobs left, with what is there already, and why some of it is not taken: one bad file keeps no other back."""
    from split_ci.commands.review import read_file
    from split_ci.errors import Refused
    from split_ci.recording import MAX_BYTES, added, read_left

    refused = []
    for job, folder in handed:
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            path = os.path.join(folder, name)
            if os.path.islink(path) or not os.path.isfile(path):
                refused.append(f"{path}: rule hand-off: not a plain file")
                continue
            try:
                left = added(left, read_left({path: read_file(path, MAX_BYTES)}, job))
            except Refused as error:
                refused.append(error.message)
    return left, refused


def _record(repo: Repo, config: Config, forge: Forge, left: Left) -> Recorded:
    from split_ci.recording import record_left

    return forge.transact(repo, lambda there: record_left(there, config, left))


def _recover(repo: Repo, config: Config, forge: Forge) -> list[Recovered]:
    """Each run by itself: what of one can't be recorded keeps none of the others."""
    from split_ci.forges import workflows
    from split_ci.recording import Recovered, recover

    found = []
    for run_, left, refused in recover(repo, workflows(repo, config, os.environ)):
        done = _record(repo, config, forge, left) if any(left) else None
        found.append(Recovered(run_, done, refused))
    return found
