"""Make a result visible: gate again, build the commit, and swap the branch split-ci/<id> to it. No model is asked.

It needs the results of `split-ci accept` for this very changeset. A branch that holds a person's commit is left alone.
Doing it again changes nothing.

examples:
  split-ci publish changeset.json --accept results.json
  split-ci publish changeset.json --accept results.json --base origin/main --format json
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from split_ci.changeset import Changeset
    from split_ci.steps.publish import Published

SUMMARY = "turn a changeset whose criteria are green into a branch"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("changeset", metavar="CHANGESET", help="the file that `split-ci implement` wrote")
    parser.add_argument("--accept", required=True, metavar="RESULTS", help="the file that `split-ci accept` wrote")
    parser.add_argument("--base", metavar="REV", help="the commit that the changeset must be made for")
    parser.add_argument("--spec", metavar="FILE", help="the spec, where the base doesn't hold it")


def run(args: Namespace) -> int:
    import os

    from split_ci.config import find_config
    from split_ci.forges import build
    from split_ci.git import Repo
    from split_ci.handoff import given_specs, read_changeset, read_results, same_base
    from split_ci.steps.gate import gate
    from split_ci.steps.publish import publish
    from split_ci.store import Quarantine

    repo = Repo.find()
    config = find_config(repo)
    forge = build(repo, config, os.environ)  # before anything is made: one that isn't there is not taken for `local`
    changeset, results = read_changeset(args.changeset), read_results(args.accept)
    same_base(repo, changeset, args.base)
    specs = given_specs(config, args.spec)

    def work(there: Repo) -> Published:
        with Quarantine(there) as quarantine:
            gated = gate(there, quarantine, [changeset], specs, config)
            return publish(there, quarantine, gated, {changeset.attempt: results})[0]

    published = forge.transact(repo, work)
    return _tell(args.format, changeset, published)


def _tell(form: str, changeset: Changeset, published: Published) -> int:
    from split_ci.report.terminal import say, say_json, visible

    outcome = published.outcome
    if form == "json":
        say_json({
            "id": published.id, "outcome": outcome.name, "reason": outcome.reason, "branch": published.branch,
            "base": changeset.base, "head": published.head, "attempt": published.attempt,
        })  # fmt: skip
    else:
        reason = f": {outcome.reason}" if outcome.reason else ""
        head = f" {published.head[:12]} on {published.branch}" if published.head else ""
        say(visible(f"{published.id}: {outcome.name}{head}{reason}"))
    return 0 if outcome.name in ("done", "unchanged") else 1
