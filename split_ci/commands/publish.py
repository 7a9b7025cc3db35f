"""Make a result visible: gate again, build the commit, and swap the branch split-ci/<id> to it. No model is asked.

It needs the results of `split-ci accept` for this very changeset. A branch that holds a person's commit is left alone.
With the forge `github` the branch is origin's, and a pull request shows it. Doing it again changes nothing.

examples:
  split-ci publish changeset.json --accept results.json
  split-ci publish changeset.json --accept results.json --base origin/main --format json
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from split_ci.changeset import Changeset
    from split_ci.config import Config
    from split_ci.git import Repo
    from split_ci.ports import Proposal
    from split_ci.results import Results
    from split_ci.spec import Spec
    from split_ci.steps.publish import Published
    from split_ci.store import Quarantine

FORMATS = ("github",)
SUMMARY = "turn a changeset whose criteria are green into a branch"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("changeset", metavar="CHANGESET", help="the file that `split-ci implement` wrote")
    parser.add_argument("--accept", required=True, metavar="RESULTS", help="the file that `split-ci accept` wrote")
    parser.add_argument("--base", metavar="REV", help="the commit that the changeset must be made for")
    parser.add_argument("--anew", action="store_true", help="replace a result of the same text on an older base")
    parser.add_argument("--spec", metavar="FILE", help="the spec, where the base doesn't hold it")


def run(args: Namespace) -> int:
    import os

    from split_ci.branches import branch_ref
    from split_ci.config import find_config
    from split_ci.errors import Refused
    from split_ci.forges import build
    from split_ci.git import Repo
    from split_ci.handoff import given_specs, read_changeset, read_results, same_base
    from split_ci.ports import Outcome
    from split_ci.report.publish import show
    from split_ci.steps.gate import gate
    from split_ci.steps.publish import held_by, publish
    from split_ci.store import Quarantine

    repo = Repo.find()
    config = find_config(repo)
    forge = build(repo, config, os.environ)  # before anything is made: one that isn't there is not taken for `local`
    changeset, results = read_changeset(args.changeset), read_results(args.accept)
    same_base(repo, changeset, args.base)
    specs = given_specs(config, args.spec)
    branch = branch_ref(changeset.id).removeprefix("refs/heads/")
    held = held_by(forge.pull(branch), changeset)

    def work(there: Repo) -> tuple[Published, Proposal | None]:
        with Quarantine(there) as quarantine:
            gated = gate(there, quarantine, [changeset], specs, config)
            (done,) = publish(
                there,
                quarantine,
                gated,
                {changeset.attempt: results},
                held={changeset.id: held} if held else None,
                anew=args.anew,
            )
            return done, _proposal(quarantine, config, gated[0].spec, changeset, results, done)

    published, proposal = forge.transact(repo, work)
    pull = None
    try:
        pull = forge.ensure_pull(proposal) if proposal else None
    except Refused as refusal:
        published = published._replace(outcome=Outcome("blocked", refusal.message))
    return show(args.format, changeset, results, published, pull)


def _proposal(
    quarantine: Quarantine, config: Config, spec: Spec | None, changeset: Changeset, results: Results, published: Published
) -> Proposal | None:
    """The pull request for the branch as it is now; None where there is none."""
    from split_ci.ledger import entry_of_changeset, read_all
    from split_ci.merge import merge_trees
    from split_ci.ports import Proposal
    from split_ci.prices import architect_price
    from split_ci.report.pull import Told, pull_body

    if spec is None or published.branch is None or published.head is None:
        return None
    there = quarantine.repo
    known = {entry.attempt: entry for entry in read_all(there) if (entry.id, entry.digest) == (spec.id, spec.digest)}
    attempt = next((e for e in known.values() if e.commit == published.head and e.role == "implementer"), None)
    if published.commit == published.head:  # else another attempt's result is there, and this one's figures aren't its
        attempt = entry_of_changeset(changeset, published.head, results)
        known.setdefault(changeset.attempt, attempt)
    tip = there.commit_or_none("HEAD")
    joined = tip is not None and there.ask("merge-base", tip, published.head) is not None  # a shallow clone may not tell
    told = Told(
        spec, attempt.base if attempt else changeset.base, published.head, attempt, tuple(known.values()),
        sandbox=str(results.sandbox.get("kind", "")), architect=architect_price(config),
        conflicts=merge_trees(quarantine, tip, published.head).conflicts if tip and joined else (),
    )  # fmt: skip
    return Proposal(published.branch, published.head, spec.title, pull_body(told))
