"""Prices: the configuration first, then the kept package where it is installed, else nothing at all."""

from __future__ import annotations

import subprocess
import sys

import pytest

from split_ci import prices
from split_ci.settings import Config, ModelConfig, Price
from tests.builders import SOURCE

OWN = Price(1.0, 2.0, 3.0)


def config(**models: ModelConfig) -> Config:
    return Config(models=models, architect="strong")


def test_the_configuration_goes_first() -> None:
    row = ModelConfig("strong", "openai", "gpt-4o-mini", price=OWN)
    assert prices.price_of(row) == prices.architect_price(config(strong=row)) == OWN
    assert prices.price_of_id(config(strong=row), "gpt-4o-mini") == OWN
    assert prices.by_name(config(strong=row))("strong") == OWN


def test_what_nobody_knows_has_no_price() -> None:
    row = ModelConfig("strong", "openai", "no-such-model-anywhere")
    assert prices.price_of(row) is None
    assert prices.price_of(ModelConfig("strong", "scripted", "gpt-4o-mini")) is None
    assert prices.architect_price(Config()) is None
    assert prices.by_name(config())("cheap") is None
    assert prices.price_of_id(config(), "") is None


def test_the_kept_package_is_asked() -> None:
    pytest.importorskip("genai_prices")
    found = prices.price_of(ModelConfig("strong", "openai", "gpt-4o-mini"))
    assert found is not None
    assert 0 < found.cached < found.input < found.output


def test_without_the_package_there_is_no_price() -> None:
    code = "import sys; sys.modules['genai_prices'] = None; from split_ci.prices import kept_price; print(kept_price('gpt-4o-mini'))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env={"PYTHONPATH": SOURCE}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "None\n"
