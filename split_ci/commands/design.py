"""Let the architect's model write a spec for a goal: it reads what it asks for, and answers with the file.

The spec is checked as `check` does, against the base; where commands run in a sandbox, its criteria are run there too: red
first. What is wrong is sent back, up to `limits.rounds` answers. Only a spec that passes is saved, as a draft, and nothing
is overwritten. An answer that did not pass is kept in the git folder, and what was paid is in the ledger in any case.

examples:
  split-ci design "Fold the two loaders into one"
  split-ci design "Say every error with its line" --id say-lines --base origin/main
  split-ci design "Drop Python 3.9" --no-prove     don't run the criteria
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Sequence

    from split_ci.config import Config
    from split_ci.git import Repo
    from split_ci.ports import Model
    from split_ci.problems import Problem
    from split_ci.spec import Spec
    from split_ci.steps.design import Designed, Goal

SUMMARY = "let the architect's model write a spec that passes"
MOST_GOAL = 20_000  # characters


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("goal", metavar="GOAL", help="what is to be better afterwards, in your words")
    parser.add_argument("--id", metavar="ID", help="the spec's id (default: made of the goal)")
    parser.add_argument("--base", default="HEAD", metavar="REV", help="the commit that the spec is for (default: HEAD)")
    parser.add_argument("--no-prove", action="store_true", help="don't run the criteria on the base")


def run(args: Namespace) -> int:
    from split_ci import salvage
    from split_ci.coaching import load_lessons
    from split_ci.config import find_config
    from split_ci.git import Repo
    from split_ci.journals import Journals
    from split_ci.report.design import show
    from split_ci.report.meanwhile import meanwhile
    from split_ci.spending import day_of
    from split_ci.steps.design import Design

    repo = Repo.find()
    config = find_config(repo)
    goal = _goal(repo, config, args)
    model = _model(repo, config)
    prove, unproved = _prover(repo, config, goal.base, wanted=not args.no_prove)
    salvage.recover(repo, config)
    with Journals(repo) as journals:
        design = Design(
            repo,
            config,
            model,
            library=load_lessons(repo, config),
            prove=prove,
            open_journal=journals.open,
            day=day_of(repo, config),
        )
        with meanwhile(f"{config.architect} designs {goal.id}", quiet=args.format == "json"):
            done = design.write(goal)
        journals.settle([done.attempt])
        saved = _saved(repo, config, done) if done.data is not None else None
        if done.fault is None:
            journals.end(goal.id)
    show(done, saved, unproved, config, args.format)
    return 0 if saved else 4 if done.fault else 1


def _goal(repo: Repo, config: Config, args: Namespace) -> Goal:
    """The goal with a free id. Raises UsageError or Refused."""
    from split_ci.errors import Refused, UsageError
    from split_ci.spec import id_fault
    from split_ci.steps.design import Goal
    from split_ci.writing import RESERVED_IDS, slug

    text = args.goal.strip()
    if not text or len(text) > MOST_GOAL:
        raise UsageError(f"a goal has 1 to {MOST_GOAL} characters", hint='split-ci design "what is to be better"')
    if repo.bare:
        raise UsageError("a bare repository has no specs folder to write to", hint="a clone with a work tree")
    base = repo.commit(args.base)
    taken = _taken(repo, config, base)
    if args.id is None:
        return Goal(text, _free(slug(text), taken), base)
    fault = id_fault(args.id) or ("it is taken for something else" if args.id in RESERVED_IDS else None)
    if fault:
        raise UsageError(f"--id {args.id}: not a spec id: {fault}")
    if args.id in taken:
        raise Refused(f"{config.specs}/{args.id}.md is there already, and nothing is overwritten", hint="another --id")
    return Goal(text, args.id, base)


def _taken(repo: Repo, config: Config, base: str) -> set[str]:
    """Every id that a spec has or had, in the work tree or at the base."""
    tree = repo.tree(base)
    found: set[str] = set()
    for folder in (config.specs, f"{config.specs}/landed"):
        where = os.path.join(repo.root, folder)
        names = [*(os.listdir(where) if os.path.isdir(where) else []), *tree.names(folder)]
        found.update(name.casefold().removesuffix(".md") for name in names)
    return found


def _free(name: str, taken: set[str]) -> str:
    """The name, or the first with a number behind it, that no spec has."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name[: 62 - len(str(number))].rstrip('-')}-{number}"
    return free


def _model(repo: Repo, config: Config) -> Model:
    """The architect's model. Raises UsageError where the configuration names none."""
    from split_ci.errors import UsageError
    from split_ci.models import build

    if config.architect not in config.models:
        raise UsageError(
            f"a spec is designed by a model, and `architect` is {config.architect!r}",
            hint="name a row of `models` as `architect` in .split-ci.yaml, or: split-ci new TITLE",
        )
    return build(config.models[config.architect], os.environ, repo.root)


def _prover(
    repo: Repo, config: Config, base: str, *, wanted: bool
) -> tuple[Callable[[Spec], Sequence[Problem]] | None, str]:
    """What runs criteria on the base, or why they are not run: nobody has read these commands yet."""
    from split_ci.rules import proof_problems
    from split_ci.sandbox import choose
    from split_ci.steps.accept import judge_base

    if not wanted:
        return None, "--no-prove"
    if config.sandbox != "none" and choose(config.sandbox).kind == "none":
        return None, "no sandbox works here, and nobody has read these commands yet: split-ci doctor"

    def prove(spec: Spec) -> Sequence[Problem]:
        return list(proof_problems(spec, judge_base(repo, [spec], base, config)[spec.id]))

    return prove, ""


def _saved(repo: Repo, config: Config, done: Designed) -> str:
    """Writes the spec where no file is; its path from the root. The kept answer goes then. Raises Refused."""
    from split_ci.errors import Refused

    path = f"{config.specs}/{done.id}.md"
    folder = repo.root
    for name in config.specs.split("/"):
        folder = os.path.join(folder, name)
        if os.path.islink(folder):
            raise Refused(
                f"{config.specs}: {name} is a link, and nothing is written through it", hint=f"the spec: {done.kept}"
            )
    os.makedirs(folder, exist_ok=True)
    part = os.path.join(folder, f".{done.id}.{os.getpid()}.part")
    try:
        with open(part, "xb") as file:
            file.write(done.data or b"")
            file.flush()
            os.fsync(file.fileno())
        os.link(part, os.path.join(folder, f"{done.id}.md"))
    except FileExistsError:
        raise Refused(f"{path} is there already, and nothing is overwritten", hint=f"the spec: {done.kept}") from None
    finally:
        if os.path.lexists(part):
            os.unlink(part)
    if done.kept:
        os.unlink(done.kept)
    return path
