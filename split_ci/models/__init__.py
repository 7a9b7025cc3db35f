"""Models: an `api` of the configuration is a row here, and its module is imported when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from split_ci.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.config import ModelConfig
    from split_ci.ports import Model

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
