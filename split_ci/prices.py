"""Prices of models: the configuration's own, else those of the package `genai-prices` where it is installed, else none."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from split_ci.settings import Price

if TYPE_CHECKING:
    from collections.abc import Callable

    from split_ci.settings import Config, ModelConfig

THOUSAND = 1000  # tokens that a price is asked for: few, since some models get dearer with long prompts


def price_of(model: ModelConfig) -> Price | None:
    """US dollars for a million tokens of a row of `models:`; None where nobody knows."""
    return model.price or (None if model.api == "scripted" else kept_price(model.model))


def architect_price(config: Config) -> Price | None:
    """The price of the architect's model; None where the rules review alone, or nobody knows it."""
    model = config.models.get(config.architect)
    return price_of(model) if model else None


def by_name(config: Config) -> Callable[[str], Price | None]:
    """The price of a model by its name in the configuration; each is looked up once."""
    known: dict[str, Price | None] = {}

    def look(name: str) -> Price | None:
        if name not in known:
            model = config.models.get(name)
            known[name] = price_of(model) if model else None
        return known[name]

    return look


def price_of_id(config: Config, model_id: str) -> Price | None:
    """The price of a model by the id that its server gives it, as session files name it."""
    row = next((model for model in config.models.values() if model.model == model_id and model.price), None)
    return row.price if row else kept_price(model_id)


def kept_price(model_id: str) -> Price | None:
    """The price in the kept package, as it was when that was installed: it is never asked to fetch anything."""
    try:
        kept = import_module("genai_prices")  # late: it is heavy, and need not be there
    except ImportError:
        return None

    def usd(**tokens: int) -> float:
        return float(kept.calc_price(kept.Usage(**tokens), model_ref=model_id).total_price) * THOUSAND

    try:
        cached = usd(input_tokens=THOUSAND, cache_read_tokens=THOUSAND)
        return Price(usd(input_tokens=THOUSAND), cached, usd(output_tokens=THOUSAND))
    except (LookupError, ValueError):
        return None
