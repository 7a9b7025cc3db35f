"""What a generation asks for now: from which commit a run of it starts, at which round, or why nothing is to be done.

`admit` asks it at the start of a run, and `dispatch` before it starts one: so both say the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from split_ci.branches import trailers
from split_ci.caps import caps_of
from split_ci.following import asks_for_more, may_follow, rungs
from split_ci.verdict import by_rules_alone, standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.branches import Branch
    from split_ci.git import Repo
    from split_ci.ledger import Entry
    from split_ci.ports import Pull
    from split_ci.settings import Config
    from split_ci.spec import Spec
    from split_ci.verdict import Verdict

RULES = "rules"  # they say the same each time
Box = Literal["round", "anew"]  # what a person asks for, by hand or by a ticked box


class Standing(NamedTuple):
    """What there is of a spec: its branch, the review of that branch's head, and what its generation's attempts came to."""

    branch: Branch | None = None
    verdict: Verdict | None = None
    entries: Sequence[Entry] = ()
    shown: bool = True  # the review is, where people see it
    coached: bool = True  # what it teaches is, too
    obstacle: str = ""  # why no branch of it could be made, or nothing recorded of it


class Turn(NamedTuple):
    """`go`: a run has something to do; then where it starts, else `why` not. `result`: the generation has one already."""

    go: bool
    why: str
    base: str = ""
    round: int = 1
    parent: str | None = None
    anew: bool = False
    result: bool = False


def turn(repo: Repo, config: Config, spec: Spec, base: str, there: Standing, asked: Box | None = None) -> Turn:
    """Whose turn it is. `base` is where a new result would start from; `asked` is what a person asks for by hand."""
    branch = there.branch
    if there.obstacle:
        return Turn(False, there.obstacle)
    if branch is not None and branch.foreign:
        return Turn(False, f"{branch.name} holds {branch.foreign[0][:12]}, which is not the bot's: it is left alone")
    if branch is None or branch.digest != spec.digest or branch.base is None:
        return Turn(True, "this generation has no result yet", base)
    if asked == "anew":
        return _anew(repo, base, branch)
    own = next((entry for entry in there.entries if entry.commit == branch.head), None)
    made = own.round if own else branch.rounds
    verdict = standing(there.verdict)
    undone = _undone(config, there)
    if not undone and asked and verdict and _is_open(config, verdict):
        undone = "its review did not come to an end, and a person asks for it again"
    if verdict is None or undone:
        return Turn(True, undone, branch.base, made, _parent(repo, branch), result=True)
    return _following(config, spec, branch, verdict, made, own, asked)


def _undone(config: Config, there: Standing) -> str:
    """What is still to be done with a result: its review, or to show it, or what it teaches; nothing where all is."""
    if there.verdict is None:
        return "its result has no review yet"
    if there.verdict.world:
        return "its review was cut off by something outside of it"
    if by_rules_alone(there.verdict) and config.architect != RULES:
        return "its review is by the rules alone"
    if not there.shown:
        return "its review is not shown yet"
    return "" if there.coached else "what its review teaches is not shown yet"


def _is_open(config: Config, verdict: Verdict) -> bool:
    """Whether another look of the reviewer's may say more than the last one."""
    return verdict.decision == "incomplete" and not verdict.findings and config.architect != RULES


def closed(repo: Repo, spec: Spec, pull: Pull | None) -> str | None:
    """What keeps a result from being shown again: its pull request was closed. Another text of the spec is another."""
    if pull is None or pull.state != "closed":
        return None
    if pull.head and repo.commit_or_none(pull.head):
        said = trailers(repo.git("show", "--no-patch", "--format=%B", pull.head).decode(errors="replace"))
        if said.get("Spec-Digest") != spec.digest:
            return None
    return f"its pull request #{pull.number} was closed: that holds until the spec changes, or it is reopened"


def _anew(repo: Repo, base: str, branch: Branch) -> Turn:
    if base == branch.base or repo.ask("merge-base", "--is-ancestor", str(branch.base), base) is None:
        return Turn(False, f"its result is on {str(branch.base)[:12]}, and there is no newer base", result=True)
    return Turn(True, "it is made anew from a newer base", base, anew=True, result=True)


def _parent(repo: Repo, branch: Branch) -> str | None:
    """The round that a head builds on; None where it lies on the base itself."""
    first = repo.commit(f"{branch.head}^1")
    return None if first == branch.base else first


def _following(
    config: Config, spec: Spec, branch: Branch, verdict: Verdict, made: int, own: Entry | None, asked: Box | None
) -> Turn:
    """The round after a review: one that it asks for, or that a person asks for where it has found something."""
    if not asks_for_more(verdict) and not (asked == "round" and verdict.findings):
        return Turn(False, f"this generation has a result, and its review says {verdict.decision}", result=True)
    adapted = own.edits.get("adapted", 0) if own else 0
    if not may_follow(spec, config, made, rungs(spec, config), adapted=adapted):
        return Turn(False, _no_more(config, spec, made), result=True)
    return Turn(True, "its review asks for changes", str(branch.base), made + 1, branch.head, result=True)


def _no_more(config: Config, spec: Spec, made: int) -> str:
    most = caps_of(spec.limits, config.limits).rounds
    if made >= most:
        return f"its review asks for changes, and {most} rounds are over (limits.rounds)"
    return "its review asks for changes, and no implementer is there that may make them: edit the spec"
