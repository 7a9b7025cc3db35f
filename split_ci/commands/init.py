"""Puts split-ci into this repository: configuration, specs/ with a template, and the hook that proves every spec.

What is there already stays as it is; running it again changes nothing.

examples:
  split-ci init                  everything, with an entry in .pre-commit-config.yaml
  split-ci init --hook git       with a plain hook in .git/hooks instead
  split-ci init --dry-run        only says what it would do
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from split_ci.steps.init import Put

SUMMARY = "configuration, specs/ and the hook into this repository"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--hook",
        choices=("pre-commit", "git", "none"),
        default="pre-commit",
        help="how a commit is checked (default: pre-commit)",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


def run(args: Namespace) -> int:
    from split_ci.git import Repo
    from split_ci.report.init import show
    from split_ci.steps.init import init

    puts = init(Repo.find(), args.hook, dry_run=args.dry_run)
    show(puts, _following(puts, args.hook), dry_run=args.dry_run, as_json=args.format == "json")
    return 0


def _following(puts: tuple[Put, ...], hook: str) -> list[str]:
    new = [put.path for put in puts if put.action in ("created", "changed") and not put.path.startswith("/")]
    commands = [f"git add {' '.join(new)}", "git commit -m 'dispatch changes as specs'"] if new else []
    if hook == "pre-commit":
        commands.append("pre-commit install            # or: prek install")
    return [*commands, "split-ci doctor               # what is still missing", "split-ci new 'What should change'"]
