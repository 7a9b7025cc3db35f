"""`split-ci --help`: the commands in three groups, each with its one line."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from split_ci import __version__
from split_ci.report.terminal import paint, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXAMPLES = """\
  split-ci demo                      the whole loop in a temporary repository: no key, no network
  split-ci init                      configuration, specs/ and the hook, here
  split-ci new 'Fold two loaders'    a draft in specs/
  split-ci new --from HEAD           the spec that makes the last commit again
  split-ci check                     prove every pending spec against the index
  split-ci run                       dispatch what is ready, here
  split-ci status                    where everything stands"""


def overview(groups: Mapping[str, Sequence[str]]) -> int:
    """Prints the groups, title and names; the one lines are the commands' own `SUMMARY`."""
    say("usage: split-ci <command> [options]\n")
    say("Expensive models should judge; cheap ones should type: specs proved, dispatched, reviewed and coached in git.")
    for title, names in groups.items():
        say("\n" + paint(title, "bold"))
        for name in names:
            module = f"split_ci.commands.{name}"
            if find_spec(module):
                say(f"  {name:<10} {import_module(module).SUMMARY}")
    say(f"\nexamples:\n{EXAMPLES}")
    say("\nsplit-ci <command> --help says more.")
    say("Exit codes: 0 done, 1 the answer is no, 2 usage, 3 a bug, 4 the world outside.")
    return 0


def version() -> int:
    say(f"split-ci {__version__}")
    return 0
