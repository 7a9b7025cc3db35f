"""Checks git, the configuration, keys, models, the hook and the sandbox; each line says how to mend it.

It changes nothing and asks no network. Exit 1 where something that is configured can't work.

examples:
  split-ci doctor
  split-ci doctor --format json
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

SUMMARY = "what this machine and repository still lack"


def arguments(parser: ArgumentParser) -> None:
    """There are none."""


def run(args: Namespace) -> int:
    from split_ci.report.doctor import show
    from split_ci.steps.doctor import examine

    findings = examine(os.getcwd(), os.environ)
    show(findings, as_json=args.format == "json")
    return 1 if any(finding.state == "fail" for finding in findings) else 0
