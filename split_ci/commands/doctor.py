"""Checks git, the configuration, keys, models, the hook and the sandbox; each line says how to mend it.

It changes nothing. With `--live` each model of the configuration is asked one short question, which costs next to nothing,
and each agent's program is started once; else nobody is asked. Exit 1 where something that is configured can't work.

examples:
  split-ci doctor
  split-ci doctor --live            are the keys good, the addresses right, the models there?
  split-ci doctor --format json
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from split_ci.config import Config
    from split_ci.steps.doctor import Finding

SUMMARY = "what this machine and repository still lack"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--live", action="store_true", help="ask each model one short question, and start each agent")


def run(args: Namespace) -> int:
    from split_ci.report.doctor import show
    from split_ci.steps.doctor import examine

    findings = examine(os.getcwd(), os.environ)
    if args.live:
        findings = (*findings, *_live())
    show(findings, as_json=args.format == "json")
    return 1 if any(finding.state == "fail" for finding in findings) else 0


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
    from split_ci.implementers.ladder import build_agent, model_of, row_of
    from split_ci.steps.doctor import Finding

    try:
        model = model_of(config, name, row_of(config, name).wires)
        label = build_agent(config, name, os.environ, root).label
    except (UsageError, WorldError) as error:
        return None, Finding("agent", "fail", error.message, error.hint or f"agents.{name} in .split-ci.yaml")
    if label == name:
        return model.name, Finding("agent", "warn", f"{name}: its program tells no version", f"{name} --version")
    return model.name, Finding("agent", "ok", f"{label} starts, and its model is {model.name}")
