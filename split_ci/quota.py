"""How much may be in flight at once: runs, pull requests, and the money of a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.caps import caps_of
from split_ci.following import rungs
from split_ci.left import instructs

if TYPE_CHECKING:
    from split_ci.settings import Config
    from split_ci.spec import Spec


def ceiling_usd(spec: Spec | None, config: Config) -> float:
    """The most that one run of a spec may cost, by its caps; of an unknown one, what any spec may cost."""
    usd = config.limits.usd if spec is None else caps_of(spec.limits, config.limits).usd
    implementer = spec is None or bool(rungs(spec, config) and (instructs(spec) or spec.allow))
    return usd * (implementer + (config.architect != "rules"))


class Quota:
    """What is taken by what is in flight; each start takes more. `spent_usd` is today's, by the ledger."""

    def __init__(self, config: Config, *, most: int, flying: int, pulls: int, spent_usd: float) -> None:
        self._config = config
        self._most = most
        self._flying = flying
        self._pulls = pulls
        self._spent = spent_usd
        self._reserved = 0.0

    def reserve(self, spec: Spec | None) -> None:
        """Counts the money of a run that is in flight already."""
        self._reserved += ceiling_usd(spec, self._config)

    def take(self, spec: Spec, *, pull: bool) -> None:
        """Counts one more run; `pull`: it will open a pull request."""
        self._flying += 1
        self._pulls += pull
        self.reserve(spec)

    def refusal(self, spec: Spec, *, pull: bool) -> str:
        """Why no run of a spec may start now; nothing where it may.

        A run that may cost something starts while what is spent and reserved is below the day's money: so that is
        passed by one run at the most.
        """
        limits = self._config.limits
        if self._flying >= self._most:
            return f"{self._flying} runs are in flight, and {self._most} may be (limits.parallel)"
        if ceiling_usd(spec, self._config) and self._spent + self._reserved >= limits.usd_per_day:
            taken = f"{self._spent:.4f} USD are spent today and {self._reserved:.4f} may be by runs in flight"
            return f"{taken}, of {limits.usd_per_day:g} (limits.usd_per_day)"
        if pull and self._pulls >= limits.pulls:
            return f"{self._pulls} pull requests are open or on their way, and {limits.pulls} may be (limits.pulls)"
        return ""
