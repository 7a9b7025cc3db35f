"""What every adapter takes from its row of the configuration: the key, the address and the price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.config import ModelConfig, Price
    from split_ci.ports import Usage

NO_KEY = "none"  # for SDKs that insist on one, where the server doesn't
MOST_TOKENS = 1_000_000_000  # that one call can have cost: more is no count


def key_of(config: ModelConfig, env: Mapping[str, str]) -> str:
    """The key that a row names by its environment variable; empty for a server on this machine that needs none.

    Raises UsageError, which never shows the value.
    """
    if not config.key and (config.base_url or "").startswith("http://"):
        return ""
    if not config.key:
        raise UsageError(f"models.{config.name}.key: name the environment variable that holds the key")
    value = env.get(config.key, "")
    if not value:
        said = f"models.{config.name}: the environment variable {config.key} is not set"
        raise UsageError(said, hint=f"export {config.key}=…")
    if value != value.strip().strip("'\"") or not value.isascii() or not value.isprintable() or " " in value:
        raise UsageError(f"models.{config.name}: the value of {config.key} has blanks, quotes or line ends around it")
    return value


def priced(usage: Usage, price: Price | None) -> Usage:
    """The usage with its price in US dollars; None where the price isn't known."""
    if price is None:
        return usage._replace(usd=None)
    fresh = usage.input - usage.cached
    usd = (fresh * price.input + usage.cached * price.cached + usage.output * price.output) / 1_000_000
    return usage._replace(usd=round(usd, 8))
