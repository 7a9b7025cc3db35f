"""How landing and dropping are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.plain import counted, visible
from split_ci.report.terminal import paint, say, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.steps.drop import Dropped
    from split_ci.steps.land import Landed

COLOURS = {"done": "green", "unchanged": "dim", "refused": "yellow", "blocked": "red"}
WORDS = {"done": "landed", "unchanged": "unchanged", "refused": "refused", "blocked": "blocked"}


def tell(form: str, landed: Sequence[Landed], *, named: bool) -> int:
    """What became of each result; 1 where it stopped, or where one that was named was refused."""
    bad = ("blocked", "refused") if named else ("blocked",)
    code = int(any(one.outcome.name in bad for one in landed))
    if form == "json":
        say_json({"specs": [
            {"id": one.id, "outcome": one.outcome.name, "reason": one.outcome.reason, "commit": one.commit} for one in landed
        ]})  # fmt: skip
        return code
    shown = [one for one in landed if named or one.outcome.name != "unchanged"]
    if not landed:
        say("there is no result to land; next: split-ci status")
    elif not shown:
        say("nothing new to land: every result that is approved has landed; next: split-ci status")
    for one in shown:
        word = paint(WORDS[one.outcome.name], COLOURS[one.outcome.name])
        told = one.outcome.reason or f"as {(one.commit or '')[:12]}"
        say(f"{one.id}: {word}: {visible(told)}")
        if one.left:
            say(f"  {one.left} was never committed and is still there; what landed is its copy: rm {one.left}")
        if one.next:
            say(f"  next: {one.next}")
    return code


def tell_dropped(form: str, dropped: Dropped) -> int:
    """What was withdrawn; 1 where it was not."""
    if form == "json":
        say_json({
            "id": dropped.id, "outcome": dropped.outcome.name, "reason": dropped.outcome.reason, "branch": dropped.branch,
            "head": dropped.head, "attempts": dropped.attempts, "kept": dropped.kept, "pull": dropped.pull,
        })  # fmt: skip
    elif dropped.outcome.name != "done":
        say(f"{dropped.id}: {paint('blocked', 'red')}: {visible(dropped.outcome.reason)}")
    else:
        branch = f"{dropped.branch} (was {(dropped.head or '')[:12]}) and " if dropped.branch else ""
        say(f"{dropped.id}: dropped {branch}{counted(dropped.attempts, 'attempt ref')}; what it cost stays in the ledger")
        if dropped.pull:
            say(f"  its pull request #{dropped.pull} is closed")
        if dropped.kept:
            say(f"  its commits are kept under {dropped.kept}")
    return int(dropped.outcome.name != "done")
