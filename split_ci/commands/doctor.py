"""Checks git, the configuration, keys, models, the hook, the sandbox and the forge; each line says how to mend it.

It changes nothing. With the forge `github` and a token in the environment it asks GitHub for the token's rights, the
settings of Actions, environments and the names of their secrets, and rules for branches; an administrator's token sees all
of them. `--offline` leaves that out. With `--live` each model of the configuration is asked one short question, which costs
next to nothing, and each agent's program is started once; else no model is asked. Exit 1 where something that is configured
can't work.

examples:
  split-ci doctor
  split-ci doctor --live            are the keys good, the addresses right, the models there?
  GITHUB_TOKEN=$(gh auth token) split-ci doctor
  split-ci doctor --offline --format json
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from split_ci.config import Config
    from split_ci.examined import Finding
    from split_ci.github_settings import Needs

SUMMARY = "what this machine and repository still lack"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--live", action="store_true", help="ask each model one short question, and start each agent")
    parser.add_argument("--offline", action="store_true", help="don't ask the forge")


def run(args: Namespace) -> int:
    from split_ci.report.doctor import show
    from split_ci.steps.doctor import examine

    findings = (*examine(os.getcwd(), os.environ), *_workflows())
    if not args.offline and any((each.name, each.state) == ("forge", "ok") for each in findings):
        findings = (*findings, *_at_the_forge())
    if args.live:
        findings = (*findings, *_live())
    show(findings, as_json=args.format == "json")
    return 1 if any(finding.state == "fail" for finding in findings) else 0


def _workflows() -> Iterator[Finding]:
    """Whether the workflows are what `init` would write. Where there are none, nothing is said."""
    from split_ci.commands.init import keys_for
    from split_ci.errors import SplitCiError
    from split_ci.examined import Finding
    from split_ci.git import Repo
    from split_ci.steps.init import SOURCE_HINT, init
    from split_ci.workflows import SOURCE

    try:
        repo = Repo.find()
        puts = [put for put in init(repo, "none", keys=keys_for(repo), dry_run=True) if put.path.startswith(".github/")]
    except SplitCiError:
        return  # `examine` has said it
    there = [put for put in puts if put.action != "created" and put.path != SOURCE]
    if not there:
        return
    lacking = [put.path for put in puts if put.action in ("created", "changed")]
    if not os.path.lexists(os.path.join(repo.root, SOURCE)) and SOURCE not in lacking:
        said = f"{SOURCE} is missing, and nothing here says where the jobs take split-ci from"
        yield Finding("workflows", "warn", said, SOURCE_HINT)
    by_hand = [put.path for put in there if put.action == "left"]
    if lacking:
        said = f"{', '.join(lacking)}: not what this configuration and this version ask for"
        yield Finding("workflows", "warn", said, "split-ci init, and commit what it writes")
    elif by_hand:
        yield Finding("workflows", "ok", f"{', '.join(by_hand)}: changed by hand, and left to you")
    else:
        yield Finding("workflows", "ok", "as this configuration and this version ask for")


def _at_the_forge() -> tuple[Finding, ...]:
    from split_ci.config import find_config
    from split_ci.errors import SplitCiError
    from split_ci.examined import Finding
    from split_ci.forges import build
    from split_ci.git import Repo

    try:
        repo = Repo.find()
        config = find_config(repo)
    except SplitCiError:
        return ()  # `examine` has said it
    try:
        return tuple(build(repo, config, os.environ).examine(_needs(config)))
    except SplitCiError as error:
        return (Finding("forge", "fail", error.message, error.hint),)


def _needs(config: Config) -> Needs:
    """The secrets that the workflows' environments have to hold, by the configuration's models."""
    from split_ci.github_settings import Needs
    from split_ci.implementers.ladder import keys_of

    architect = config.models[config.architect].key if config.architect in config.models else None
    wanted = {"split-ci-implementer": keys_of(config), "split-ci-architect": (architect,) if architect else ()}
    return Needs({name: tuple(keys) for name, keys in wanted.items() if keys}, config.coaching.branch)


def _live() -> Iterator[Finding]:
    """What only a call can say. Where there is no repository or no configuration, `examine` has said so."""
    from split_ci.config import find_config
    from split_ci.errors import UsageError
    from split_ci.git import Repo
    from split_ci.models import build
    from split_ci.steps.doctor import ask_each

    try:
        repo = Repo.find()
        config = find_config(repo)
    except UsageError:
        return
    asked = [name for name in (config.architect, *config.implementers) if name in config.models]
    for name in config.implementers:
        if name in config.agents:
            model, finding = _agent(config, name, repo.root)
            asked += [model] if model else []
            yield finding
    yield from ask_each(config, asked, lambda row: build(row, os.environ, repo.root))


def _agent(config: Config, name: str, root: str) -> tuple[str | None, Finding]:
    """The name of an agent's model, and whether its program starts in the sandbox."""
    from split_ci.errors import UsageError, WorldError
    from split_ci.examined import Finding
    from split_ci.implementers.ladder import build_agent, model_of, row_of

    try:
        model = model_of(config, name, row_of(config, name).wires)
        label = build_agent(config, name, os.environ, root).label
    except (UsageError, WorldError) as error:
        return None, Finding("agent", "fail", error.message, error.hint or f"agents.{name} in .split-ci.yaml")
    if label == name:
        return model.name, Finding("agent", "warn", f"{name}: its program tells no version", f"{name} --version")
    return model.name, Finding("agent", "ok", f"{label} starts, and its model is {model.name}")
