"""Judge a changeset from scratch: nothing in it is believed, and nothing becomes visible.

The exact part is derived again from the spec and the base, and must be equal. The spec is the one that the base holds
(or the file named with --spec); what a model wrote must lie where that spec lets it.

examples:
  split-ci gate changeset.json
  split-ci gate changeset.json --base origin/main --format json
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from split_ci.store import Gated

SUMMARY = "judge a changeset from scratch, as publish will"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("changeset", metavar="CHANGESET", help="the file that `split-ci implement` wrote")
    parser.add_argument("--base", metavar="REV", help="the commit that the changeset must be made for")
    parser.add_argument("--spec", metavar="FILE", help="the spec, where the base doesn't hold it")


def run(args: Namespace) -> int:
    from split_ci.config import find_config
    from split_ci.git import Repo
    from split_ci.handoff import given_specs, read_changeset, same_base
    from split_ci.steps.gate import gate
    from split_ci.store import Quarantine

    repo = Repo.find()
    config = find_config(repo)
    changeset = read_changeset(args.changeset)
    same_base(repo, changeset, args.base)
    with Quarantine(repo) as quarantine:
        (gated,) = gate(repo, quarantine, [changeset], given_specs(config, args.spec), config)
    return _tell(args.format, gated)


def _tell(form: str, gated: Gated) -> int:
    from split_ci.plain import visible
    from split_ci.report.terminal import say, say_json

    changeset, built, refusal, _ = gated
    if form == "json":
        say_json({
            "id": changeset.id, "ok": refusal is None, "outcome": refusal.name if refusal else "done",
            "reason": refusal.reason if refusal else "", "base": changeset.base,
            "commit": built.commit if built else None, "tree": built.tree if built else None,
            "paths": [c.path for c in changeset.changes],
        })  # fmt: skip
    elif refusal is None:
        say(f"{changeset.id}: {len(changeset.changes)} paths on {changeset.base[:12]} are as the spec lets them be")
    else:
        say(visible(f"{changeset.id}: {refusal.name}: {refusal.reason}"))
    return 0 if refusal is None else 1
