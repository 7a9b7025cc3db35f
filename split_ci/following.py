"""Whether one more round of a spec can follow: who could make it, how many are allowed, and what a review asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.caps import caps_of
from split_ci.left import instructs

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from split_ci.settings import Config
    from split_ci.spec import Spec
    from split_ci.verdict import Verdict

EXACT = "exact"


def rungs(spec: Spec, config: Config, implementers: Container[str] | None = None) -> list[str]:
    """The names of the ladder's model rungs for a spec: from the one that it names on. Only the configuration adds rungs.

    `implementers`: those that there are; None: all that the configuration names.
    """
    names = [name for name in config.implementers if name != EXACT]
    if spec.implementer and spec.implementer != EXACT:
        names = names[names.index(spec.implementer) :] if spec.implementer in names else []
    return [name for name in names if implementers is None or name in implementers]


def may_follow(spec: Spec, config: Config, made: int, names: Sequence[str], *, adapted: int = 0) -> bool:
    """Whether a round may follow after so many that were made: a rung is there, and may change something.

    `adapted` counts drifted edits that a model ported.
    """
    touches = instructs(spec) or spec.allow or adapted
    return bool(made < caps_of(spec.limits, config.limits).rounds and touches and names)


def asks_for_more(verdict: Verdict) -> bool:
    """Whether a verdict asks for a round that an implementer can make: a fault of the spec's is mended in the spec."""
    return verdict.decision == "request_changes" and all(one.cause != "spec" for one in verdict.findings)
