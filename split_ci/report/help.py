"""`split-ci --help`: the commands in three groups, each with its one line."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from split_ci import __version__
from split_ci.main import EVERY_DAY, FOR_WORKFLOWS, LOOKING
from split_ci.report.terminal import paint, say

GROUPS = (("every day", EVERY_DAY), ("looking", LOOKING), ("for workflows (nobody needs these to use the others)", FOR_WORKFLOWS))


def overview() -> int:
    """Prints the groups; the one lines are the commands' own `SUMMARY`."""
    say("usage: split-ci <command> [options]\n")
    say("Expensive models should judge; cheap ones should type: specs proved, dispatched, reviewed and coached in git.")
    for title, names in GROUPS:
        say("\n" + paint(title, "bold"))
        for name in names:
            module = f"split_ci.commands.{name}"
            if find_spec(module):
                say(f"  {name:<10} {import_module(module).SUMMARY}")
    say("\nexamples:")
    say("  split-ci demo                      the whole evening in a temporary repository, no key, no network")
    say("  split-ci new 'Fold two loaders'    a draft in specs/")
    say("  split-ci check                     prove every pending spec against the index")
    say("  split-ci run                       dispatch what is ready, here")
    say("\nsplit-ci <command> --help says more. Exit codes: 0 done, 1 the answer is no, 2 usage, 3 a bug, 4 the world outside.")
    return 0


def version() -> int:
    say(f"split-ci {__version__}")
    return 0
