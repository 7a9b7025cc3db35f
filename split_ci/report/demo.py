"""What the demo says before and after: where it is, and the commands to look at each thing."""

from __future__ import annotations

import os
import shlex
import sys
from shutil import which

from split_ci.report.terminal import paint, say

LOOK = (
    ("every spec: state, criteria, cost", "split-ci status"),
    ("the results, their reviews and the ledger", "git log --notes='split-ci*' --branches"),
    ("one result, with its criteria and its review", "git show --notes='split-ci*' split-ci/merge-lint-skills"),
    (
        "the spec that was sent back, and its second round",
        "git log -p --notes='split-ci*' main..split-ci/absorb-commit-style",
    ),
    ("the lesson that it taught", "cat specs/coaching/*.md"),
    ("what the next brief would carry", "split-ci coach show absorb-commit-style"),
    ("merge what was approved", "split-ci land"),
)


def print_welcome(folder: str) -> None:
    say(f"A workshop of fourteen skills, in {folder}: 14 specs for one evening.")
    say(paint("No key, no network. Where a model is asked, the answers were recorded (model: scripted).", "dim") + "\n")


def print_farewell(folder: str) -> None:
    say("\nLook around:")
    say(f"  cd {shlex.quote(folder)}")
    if which("split-ci") is None:
        say(f'  export PATH={shlex.quote(os.path.dirname(os.path.abspath(sys.argv[0])))}:"$PATH"')
    for what, command in LOOK:
        say(f"  {command:<70} " + paint(f"# {what}", "dim"))
