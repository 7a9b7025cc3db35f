"""Teach what a review found, and look after the lessons.

A review's lesson is committed to `coaching.branch` (split-ci/coaching): one file, on which people decide by merging it.
The same lesson again is counted, never doubled. Live are the lessons on the default branch, or on the branch that the
configuration names; briefs carry those that fit, within `coaching.bytes`. On GitHub the branch has one rolling pull request:
once it is closed, its lessons are not proposed again.

examples:
  split-ci coach review.json            commit the lesson of a review
  split-ci coach list                   every live lesson: for whom, where, how often taught and carried
  split-ci coach show fold-loaders      what a brief for this spec (or these paths) would be given
  split-ci coach check [--staged]       validate the lessons' files; --staged is what the pre-commit hook runs
  split-ci coach tidy [--apply]         lessons that say the same, attempts of specs that landed long ago
  split-ci coach measure                what each lesson changed, with its sample size
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from split_ci.config import Config
    from split_ci.git import Repo
    from split_ci.ports import Tree

SUMMARY = "commit a review's lesson; list, show, check, tidy and measure lessons"
FORMATS = ("github",)
VERBS = ("list", "show", "check", "tidy", "measure")


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("what", metavar="REVIEW|list|show|check|tidy|measure", help="a review's file, or what to do")
    parser.add_argument("names", nargs="*", metavar="NAME", help="more reviews; for show: specs or paths")
    parser.add_argument("--staged", action="store_true", help="check: the files as they are in the index")
    parser.add_argument("--at", metavar="REV", help="check: the files of this commit")
    parser.add_argument(
        "--for", dest="audience", choices=("implementer", "architect"), default="implementer", help="show: whose brief"
    )
    parser.add_argument("--implementer", metavar="NAME", help="show: which implementer (default: the first that is a model)")
    parser.add_argument("--apply", action="store_true", help="tidy: take away what is listed")


def run(args: Namespace) -> int:
    from split_ci.config import find_config
    from split_ci.errors import UsageError
    from split_ci.git import Repo

    if args.names and args.what in ("list", "check", "tidy", "measure"):
        raise UsageError(f"coach {args.what} takes no names", hint=f"split-ci coach {args.what}")
    repo = Repo.find()
    if args.what == "check":
        return _check(repo, args)
    config = find_config(repo)
    verbs = {"list": _list, "show": _show, "tidy": _tidy, "measure": _measure}
    return verbs.get(args.what, _teach)(repo, config, args)


def _teach(repo: Repo, config: Config, args: Namespace) -> int:
    import os
    from difflib import get_close_matches

    from split_ci.commands.review import read_file
    from split_ci.errors import UsageError
    from split_ci.forges import build
    from split_ci.report.coach import show_coached
    from split_ci.steps.coach import teach
    from split_ci.verdict import MAX_BYTES, load

    meant = get_close_matches(args.what, VERBS, 1)
    if meant and not os.path.lexists(args.what):
        raise UsageError(f"coach has no {args.what!r}, and there is no such file", hint=f"split-ci coach {meant[0]}")
    verdicts = [load(read_file(path, MAX_BYTES), path) for path in (args.what, *args.names)]
    done, pull = teach(build(repo, config, os.environ), repo, config, verdicts)
    show_coached(done, pull, args.format)
    return 1 if done.refused and not done.commit else 0


def _list(repo: Repo, config: Config, args: Namespace) -> int:
    from split_ci.report.coach import show_list
    from split_ci.steps.lessons import listed, waiting

    found, problems = listed(repo, config)
    show_list(found, problems, waiting(repo, config), args.format)
    return 0


def _show(repo: Repo, config: Config, args: Namespace) -> int:
    from split_ci.report.coach import show_chosen
    from split_ci.steps.lessons import for_brief

    first = next((name for name in config.implementers if name != "exact"), "exact")
    show_chosen(for_brief(repo, config, args.names, args.audience, args.implementer or first), args.format)
    return 0


def _tidy(repo: Repo, config: Config, args: Namespace) -> int:
    from split_ci.report.coach import show_tidied
    from split_ci.steps.lessons import tidy

    show_tidied(tidy(repo, config, apply=args.apply), args.format)
    return 0


def _measure(repo: Repo, config: Config, args: Namespace) -> int:
    from split_ci.report.coach import show_measured
    from split_ci.steps.lessons import measure

    show_measured(measure(repo, config), args.format)
    return 0


def _check(repo: Repo, args: Namespace) -> int:
    from split_ci.coaching import FolderTree, read_lessons
    from split_ci.config import find_config, read_config
    from split_ci.report.coach import show_problems

    tree: Tree
    if args.staged:
        tree = repo.index_tree()
    elif args.at:
        tree = repo.tree(repo.commit(args.at))
    else:
        tree = FolderTree(repo.root)
    config = read_config(tree) if args.staged or args.at else find_config(repo)
    lessons, problems = read_lessons(tree, config.specs)
    show_problems(
        [lesson.id for lesson in lessons],
        config.specs,
        sorted(problems, key=lambda p: (p.path, p.line, p.code)),
        args.format,
    )
    return 1 if any(p.severity == "error" for p in problems) else 0
