"""Puts split-ci into this repository: configuration, specs/ with a template, the hook that proves every spec, workflows.

What is there already stays as it is; running it again changes nothing. The workflows are for GitHub Actions and follow the
configuration: after a change of models, run it again. docs/github.md says what else they need.

examples:
  split-ci init                  everything, with an entry in .pre-commit-config.yaml
  split-ci init --hook git       with a plain hook in .git/hooks instead
  split-ci init --no-workflows   nothing in .github
  split-ci init --dry-run        only says what it would do
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from split_ci.git import Repo
    from split_ci.steps.init import Keys, Put

SUMMARY = "configuration, specs/, the hook and the workflows into this repository"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--hook",
        choices=("pre-commit", "git", "none"),
        default="pre-commit",
        help="how a commit is checked (default: pre-commit)",
    )
    parser.add_argument("--no-workflows", action="store_true", help="put nothing into .github")
    parser.add_argument(
        "--source",
        default="",
        metavar="URL@COMMIT",
        help="where the workflows take split-ci from: git+https://HOST/OWNER/REPOSITORY@COMMIT (default: as installed here)",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


def run(args: Namespace) -> int:
    from split_ci.git import Repo
    from split_ci.report.init import show
    from split_ci.steps.init import init

    repo = Repo.find()
    keys = None if args.no_workflows else keys_for(repo)
    puts = init(repo, args.hook, keys=keys, source=args.source, dry_run=args.dry_run)
    show(puts, _following(puts, args.hook), dry_run=args.dry_run, as_json=args.format == "json")
    return 0


def keys_for(repo: Repo) -> Keys:
    """The keys that the configuration's models need. Raises UsageError."""
    from split_ci.config import find_config
    from split_ci.implementers.ladder import keys_of
    from split_ci.steps.init import Keys

    config = find_config(repo, {})
    architect = config.models[config.architect].key if config.architect in config.models else None
    return Keys(keys_of(config), (architect,) if architect else ())


def _following(puts: tuple[Put, ...], hook: str) -> list[str]:
    new = [put.path for put in puts if put.action in ("created", "changed") and not put.path.startswith("/")]
    commands = [f"git add {' '.join(new)}", "git commit -m 'dispatch changes as specs'"] if new else []
    if hook == "pre-commit":
        commands.append("pre-commit install            # or: prek install")
    return [*commands, "split-ci doctor               # what is still missing", "split-ci new 'What should change'"]
