"""Put what was paid for into the ledger, and keep what it made under refs/split-ci/attempts/: whatever else failed.

Takes changesets, results and reviews in any order, each told by what is in it. Again changes nothing. It also takes in
what a run that was killed had written down of its calls.

examples:
  split-ci record changeset.json results.json review.json
  git log --notes=split-ci --all          the ledger, a line for each attempt
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "append usage and outcomes to the ledger, keep the attempts"
MAX_BYTES = 512 * 1024 * 1024


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="changesets, results, reviews")


def run(args: Namespace) -> int:
    from split_ci import changeset, journal, results, verdict
    from split_ci.git import Repo
    from split_ci.report.terminal import say, say_json
    from split_ci.steps.record import record

    repo = Repo.find()
    changesets, accepted, verdicts = [], [], []
    for path in args.files:
        kind, text = _read(path)
        if kind == "changeset":
            changesets.append(changeset.load(text))
        elif kind == "results":
            accepted.append(results.load(text))
        else:
            verdicts.append(verdict.load(text, path))
    done = record(repo, changesets, accepted, verdicts)
    journal.forget(repo, done.entries)
    recovered = journal.recover(repo)
    if args.format == "json":
        say_json({
            "changed": done.changed, "attempts": [e.attempt for e in done.entries], "refs": list(done.refs),
            "recovered": [e.attempt for e in recovered],
        })  # fmt: skip
    else:
        say(f"{len(done.entries)} in the ledger{'' if done.changed else ', as before'}")
        for ref in done.refs:
            say(f"  {ref}")
        for entry in recovered:
            say(f"  recovered {entry.attempt} of {entry.id}: {entry.reason}")
    return 0


def _read(path: str) -> tuple[str, str]:
    """A file's kind, by its own fields, and its text. Raises Refused."""
    from split_ci.commands.review import read_file
    from split_ci.errors import Refused
    from split_ci.fields import read_object

    text = read_file(path, MAX_BYTES)
    fields = read_object(text, path, MAX_BYTES)
    kinds = {"changes": "changeset", "sandbox": "results", "receipts": "review"}
    kind = next((kind for key, kind in kinds.items() if key in fields), None)
    if kind is None:
        raise Refused(f"{path}: neither a changeset nor results nor a review", hint="split-ci record changeset.json")
    return kind, text
