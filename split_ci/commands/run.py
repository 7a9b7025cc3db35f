"""Dispatch specs here: every step in its order, in parallel, with rounds.

Without a name, every spec that is ready at the base and has no result yet. A spec that is named may be a draft, or a
file that isn't committed. Your work tree, index, stash and HEAD are not touched: the results are branches `split-ci/<id>`.
It works here, whatever `forge` the configuration names: nothing is pushed.

examples:
  split-ci run                             everything that is ready
  split-ci run fold-loaders -v             one spec, by its id
  split-ci run /elsewhere/try.md --base v2 a file, on another base
  split-ci run --dry-run                   what would be done, and what it would make
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack

    from split_ci.caps import Day
    from split_ci.git import Repo
    from split_ci.journals import Journals
    from split_ci.lane import Finished
    from split_ci.ports import Event, Reviewer
    from split_ci.selection import Selection
    from split_ci.settings import Config

SUMMARY = "dispatch specs here: apply, prove, publish as branches, review, coach"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("specs", nargs="*", metavar="SPEC", help="ids or files (default: every ready spec at the base)")
    parser.add_argument("-j", "--jobs", type=int, metavar="N", help="how many at a time (default: limits.parallel)")
    parser.add_argument("--base", default="HEAD", metavar="REV", help="the commit to start from (default: HEAD)")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be done; make nothing")


def run(args: Namespace) -> int:
    from split_ci.errors import UsageError
    from split_ci.git import Repo

    if args.jobs is not None and args.jobs < 1:
        raise UsageError(f"--jobs {args.jobs}: at least 1")
    return dispatch_here(
        Repo.find(), args.specs, base=args.base, jobs=args.jobs, json=args.format == "json", dry_run=args.dry_run
    )


def dispatch_here(
    repo: Repo,
    names: Sequence[str],
    *,
    base: str = "HEAD",
    jobs: int | None = None,
    json: bool = False,
    dry_run: bool = False,
    hints: bool = True,
) -> int:
    """`run`, for other commands too; `hints`: whether it ends with what to type next. The exit code: 0 where every spec is
    done and no change was asked for, 4 where all that is missing is the world's fault, else 1.
    """
    from split_ci.config import find_config
    from split_ci.errors import WorldError
    from split_ci.interrupts import interruptible
    from split_ci.report.run import print_run, watch
    from split_ci.selection import select

    config = find_config(repo)
    commit = repo.commit(base)
    selection = select(repo, config, names, commit, os.getcwd())
    if dry_run:
        from split_ci.foresee import foresee
        from split_ci.report.run import print_dry_run

        found = foresee(repo, config, selection, commit) + _unreadable(selection)
        return print_dry_run(found, selection, commit, json=json)
    screen = watch([spec.id for spec in selection.specs], quiet=json)
    done = interruptible(
        lambda held: _dispatch(
            held, repo, config, selection, commit, jobs=jobs or config.limits.parallel, see=held.enter_context(screen)
        ),
        "split-ci run goes on from here",
        screen=screen.left,
    )
    done += _unreadable(selection)
    paths = {spec.id: spec.path for spec in selection.specs} | {id_: p.path for id_, p in selection.unreadable.items()}
    print_run(done, config, json=json, paths=paths if hints else None)
    wrong = [one for one in done if one.outcome.name not in ("done", "unchanged")]
    asked = [one for one in done if one.review and one.review.decision == "request_changes"]
    if wrong and not asked and all(one.world for one in wrong):
        return WorldError.exit_code
    return 1 if wrong or asked else 0


def _dispatch(
    held: ExitStack, repo: Repo, config: Config, selection: Selection, base: str, *, jobs: int, see: Callable[[Event], None]
) -> list[Finished]:
    from split_ci import salvage
    from split_ci.checkout import Pool
    from split_ci.commands.implement import build_implementers
    from split_ci.dispatch import Dispatch
    from split_ci.journals import Journals
    from split_ci.lane import Ground
    from split_ci.sandbox import choose
    from split_ci.spending import day_of
    from split_ci.steps.accept import Acceptance
    from split_ci.store import Quarantine

    _warm(config, selection)
    salvage.recover(repo, config)
    day = day_of(repo, config)
    runs = any(c.kind == "run" for spec in selection.specs for c in spec.accept)
    sandbox = choose(config.sandbox) if runs else None
    journals = held.enter_context(Journals(repo))
    quarantine = held.enter_context(Quarantine(repo))
    pool = held.enter_context(Pool(repo, most=2 * jobs))
    acceptance = held.enter_context(
        Acceptance(repo, config=config, git_dir=quarantine.git_dir, pool=pool, sandbox=sandbox, jobs=jobs, watch=see)
    )
    ground = Ground(
        repo, config, build_implementers(config, os.environ, repo.root), _reviewers(repo, config, journals, day),
        base, quarantine, acceptance, journals, day, jobs, see,
    )  # fmt: skip
    return Dispatch(ground).run(selection.specs, selection.faults)


def _warm(config: Config, selection: Selection) -> None:
    """The SDK that a spec of this run will surely need is imported while its work is prepared."""
    from split_ci.spec import Instruct

    if not any(isinstance(change, Instruct) for spec in selection.specs for change in spec.changes):
        return
    from split_ci.models.call import warm

    first = next((config.models[name] for name in config.implementers if name in config.models), None)
    if first and first.api != "scripted":
        warm(first.api)


def _reviewers(repo: Repo, config: Config, journals: Journals, day: Day) -> list[Reviewer]:
    """`rules` first, then the architect's model where the configuration names one."""
    from split_ci.reviewers.rules import Rules

    reviewers: list[Reviewer] = [Rules(specs=config.specs, protected=config.protected)]
    if config.architect != "rules":
        from split_ci.models import build
        from split_ci.reviewers.architect import Architect

        model = build(config.models[config.architect], os.environ, repo.root)
        reviewers.append(Architect(model, config, journals.open, day))
    return reviewers


def _unreadable(selection: Selection) -> list[Finished]:
    from split_ci.lane import Finished
    from split_ci.ports import Outcome

    return [
        Finished(name, Outcome("refused", f"{p.path}:{p.line}: {p.code}: {p.message}"))
        for name, p in selection.unreadable.items()
    ]
