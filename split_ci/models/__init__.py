"""Models: an `api` of the configuration is a row here, and its module is imported when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from split_ci.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.config import ModelConfig, Price
    from split_ci.ports import Model, Usage

APIS = {
    "anthropic": "split_ci.models.anthropic_api",
    "openai": "split_ci.models.openai_api",
    "scripted": "split_ci.models.scripted",
}
RECORD = "SPLIT_CI_RECORD"  # an environment variable: the file that a real run's replies are recorded into


class Adapter(Protocol):
    """What a module of the table has: a model from its row of the configuration. `root`: where relative paths start."""

    def make(self, config: ModelConfig, env: Mapping[str, str], root: str) -> Model: ...


def build(config: ModelConfig, env: Mapping[str, str], root: str = ".") -> Model:
    """The model of a row of `models:`. Raises UsageError where it can't be made: no such api, no key, no SDK."""
    module = APIS.get(config.api)
    if module is None:
        raise UsageError(f"models.{config.name}.api: {config.api!r} is none of {', '.join(APIS)}")
    adapter: Adapter = import_module(module)
    model = adapter.make(config, env, root)
    if env.get(RECORD) and not model.recorded:
        from split_ci.models.scripted import Recorder  # noqa: PLC0415

        return Recorder(model, env[RECORD])
    return model


def key_of(config: ModelConfig, env: Mapping[str, str]) -> str:
    """The key that a row names by its environment variable. Raises UsageError, which never shows the value."""
    if not config.key:
        raise UsageError(f"models.{config.name}.key: name the environment variable that holds the key")
    value = env.get(config.key, "")
    if not value:
        raise UsageError(f"models.{config.name}: the environment variable {config.key} is not set")
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
