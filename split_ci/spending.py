"""The money of a day: what the ledger says is spent, under the configuration's cap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.bill import spent_on
from split_ci.caps import Day
from split_ci.ledger import now, read_all

if TYPE_CHECKING:
    from split_ci.git import Repo
    from split_ci.settings import Config


def day_of(repo: Repo, config: Config) -> Day:
    """Today's money. The ledger is read only where money can be spent."""
    spent = spent_on(read_all(repo), now()[:10]) if config.models else 0.0
    return Day(config.limits.usd_per_day, spent)
