"""The configuration's values, each with its default. `config` reads them from `.split-ci.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = ".split-ci.yaml"


class Price(NamedTuple):
    """US dollars for a million tokens."""

    input: float
    cached: float
    output: float


class ModelConfig(NamedTuple):
    name: str
    api: str  # anthropic | openai | scripted
    model: str
    key: str | None = None  # the environment variable that holds it
    base_url: str | None = None
    price: Price | None = None
    replies: str | None = None  # scripted: the file of recorded replies


class Limits(NamedTuple):
    rounds: int = 3
    minutes: float = 10.0
    tokens: int = 100_000
    usd: float = 0.25
    parallel: int = 4
    usd_per_day: float = 5.0
    pulls: int = 30  # pull requests of results that may be open at once


class Coaching(NamedTuple):
    branch: str = "split-ci/coaching"
    bytes: int = 8192
    holdout: float = 0.0


class Config(NamedTuple):
    specs: str = "specs"
    models: Mapping[str, ModelConfig] = {}
    agents: Mapping[str, Mapping[str, object]] = {}
    architect: str = "rules"
    implementers: tuple[str, ...] = ("exact",)
    forge: str = "local"
    coaching: Coaching = Coaching()
    prepare: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    sandbox: str = "auto"
    limits: Limits = Limits()
