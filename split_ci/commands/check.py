"""Prove pending specs: their structure, their paths, every `before` against the tree, and one against the other.

By hand, specs are read from their files and the tree from the index. It writes nothing. Exit 0: every spec may be
dispatched; 1: one may not, and each problem says how to mend it.

examples:
  split-ci check                         every pending spec
  split-ci check specs/fold-loaders.md   one of them (also a folder)
  split-ci check --staged                specs and tree from the index: what the pre-commit hook runs
  split-ci check --at origin/main        specs and tree from a commit: what CI runs
  split-ci check --prove                 run the criteria too: red on the base, as they must be
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping, Sequence

    from split_ci.git import Repo
    from split_ci.proof import Checked
    from split_ci.results import CriterionResult

SUMMARY = "prove pending specs against the index or a commit"
FORMATS = ("github",)


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="spec files or folders (default: every pending spec)")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--staged", action="store_true", help="specs and tree from the index, as a hook sees them")
    source.add_argument("--at", metavar="REV", help="specs and tree from this commit")
    parser.add_argument("--prove", action="store_true", help="run the criteria on the base as well: red first")


def quick(argv: Sequence[str]) -> SimpleNamespace | None:
    """What hooks and most people type, read without argparse, which would take a tenth of the whole time."""
    if any(arg.startswith("-") and arg != "--staged" for arg in argv):
        return None
    paths = [arg for arg in argv if arg != "--staged"]
    return SimpleNamespace(paths=paths, staged="--staged" in argv, at=None, prove=False, format="text", verbose=False)


def run(args: Namespace | SimpleNamespace) -> int:
    from split_ci.git import Repo
    from split_ci.report.problems import show
    from split_ci.steps.check import check

    repo = Repo.find()
    checked = check(repo, args.paths, staged=args.staged, at=args.at)
    proved: Mapping[str, Sequence[CriterionResult]] = {}
    if args.prove:
        proved = _on_base(repo, checked, staged=args.staged, at=args.at)
        checked = _proved(checked, proved)
    show(checked, args.format, proved=proved)
    return 0 if all(one.ok for one in checked) else 1


def _on_base(
    repo: Repo, checked: Sequence[Checked], *, staged: bool, at: str | None
) -> Mapping[str, Sequence[CriterionResult]]:
    """What the criteria say on the base, for the specs that have no error."""
    from split_ci.plain import counted
    from split_ci.proof import source_of
    from split_ci.report.meanwhile import meanwhile
    from split_ci.steps.accept import judge_base

    sound = [one.spec for one in checked if one.spec and one.ok]
    base = repo.commit(at or "HEAD")
    if not sound:
        return {}
    config = source_of(repo, staged=staged, at=at).config
    first = " (after `prepare`, where it is new)" if config.prepare else ""
    with meanwhile(f"criteria of {counted(len(sound), 'spec')} on {base[:12]}{first}"):
        return judge_base(repo, sound, base, config)


def _proved(checked: Sequence[Checked], results: Mapping[str, Sequence[CriterionResult]]) -> list[Checked]:
    """With what the criteria showed to be wrong."""
    from split_ci.rules import proof_problems

    return [
        one._replace(problems=(*one.problems, *proof_problems(one.spec, results[one.id])))
        if one.spec and one.ok and one.id in results
        else one
        for one in checked
    ]
