"""Say whether a run on the forge may begin, and from where: the first job of a run. It changes nothing.

A spec by its id, or a pull request of split-ci's by its number: then another round is made on it, or, with `--anew`, the
result anew from the newest base. It is refused (exit 1) where the base is not on the default branch, or where the spec
there is a draft, broken or another one. Where the spec was edited since, has landed or has its result, nothing is to be
done: `go` is false, and the exit code 0.

examples:
  split-ci admit fold-loaders
  split-ci admit fold-loaders --base 0123456789ab --format github
  split-ci admit --pull 12 --anew
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from split_ci.git import Repo
    from split_ci.ports import Forge, Pull
    from split_ci.steps.admit import Admitted, Asked

SUMMARY = "whether a run may begin, and from where"
FORMATS = ("github",)


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("spec", nargs="?", default="", metavar="SPEC", help="a spec's id")
    parser.add_argument("--pull", default="", metavar="N", help="or a pull request: another round on it")
    parser.add_argument("--anew", action="store_true", help="a result that is there is made anew, from the base")
    parser.add_argument("--base", default="", metavar="REV", help="the commit to start from (default: the default branch)")
    parser.add_argument("--digest", default="", metavar="SHA256", help="the spec's digest, where it must be just that")


def run(args: Namespace) -> int:
    from split_ci.config import find_config
    from split_ci.forges import build, workflows
    from split_ci.git import Repo
    from split_ci.report.admit import show
    from split_ci.steps.admit import admit

    repo = Repo.find()
    config = find_config(repo)
    forge = build(repo, config, os.environ)
    asked = _asked(args)
    pull = _pull(forge, args.pull) if args.pull else None
    asked = _with_id(asked, pull)
    newest = forge.pull(f"split-ci/{asked.id}")

    def shown(head: str) -> bool:
        return config.forge == "local" or workflows(repo, config, os.environ).shown(head)

    def work(there: Repo) -> Admitted:
        return admit(there, config, asked, newest, shown)

    show(forge.transact(repo, work), args.format)
    return 0


def _asked(args: Namespace) -> Asked:
    """The question, in words that it can be asked in. Raises UsageError."""
    import re

    from split_ci.errors import UsageError
    from split_ci.spec import id_fault
    from split_ci.steps.admit import Asked

    if args.spec:
        fault = id_fault(args.spec)
        if fault:
            raise UsageError(f"{args.spec[:80]!r} names no spec: {fault}", hint="split-ci plan")
    elif not args.pull:
        raise UsageError("name a spec, or a pull request with --pull", hint="split-ci plan")
    if args.pull and not re.fullmatch(r"[1-9][0-9]{0,9}", args.pull):
        raise UsageError(f"--pull {args.pull[:80]!r}: not a number", hint="split-ci status")
    if args.digest and not re.fullmatch(r"[0-9a-f]{64}", args.digest):
        raise UsageError(f"--digest {args.digest[:80]!r}: not 64 hex digits", hint="split-ci plan --format json")
    return Asked(args.spec, args.base, args.digest, "anew" if args.anew else "round" if args.pull else None)


def _pull(forge: Forge, number: str) -> Pull:
    """An open pull request of the bot's. Raises Refused."""
    from split_ci.errors import Refused

    found = next((pull for pull in forge.pulls() if str(pull.number) == number), None)
    if found is None or not found.own:
        why = "the bot did not open it" if found else "no open pull request of a branch split-ci/… has this number"
        raise Refused(f"#{number}: rule pull: {why}", hint="split-ci status")
    return found


def _with_id(asked: Asked, pull: Pull | None) -> Asked:
    from split_ci.errors import Refused
    from split_ci.spec import id_fault

    if pull is None:
        return asked
    id_ = pull.branch.removeprefix("split-ci/")
    if id_fault(id_) or id_ == "coaching" or asked.id not in ("", id_):
        raise Refused(f"#{pull.number}: rule pull: it is of {pull.branch}, no result of {asked.id or 'a spec'}")
    return asked._replace(id=id_)
