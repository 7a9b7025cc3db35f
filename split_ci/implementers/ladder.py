"""The rungs of a configuration above `exact`, each built when it is first asked for: an exact spec needs no key."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING

from split_ci.errors import UsageError
from split_ci.implementers.chat import Chat
from split_ci.models import build

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from split_ci.agents import Agent as Row
    from split_ci.config import Config, ModelConfig
    from split_ci.implementers.agent import Agent
    from split_ci.meter import Upstream
    from split_ci.ports import Implementer

BASES = {"anthropic": "https://api.anthropic.com", "openai": "https://api.openai.com/v1"}


class Ladder(Mapping[str, "Implementer"]):
    """Implementers by name, in the configuration's order: a model's name is a `Chat`, an agent's an `Agent`.

    Asking for one may raise UsageError (no key, no SDK, no program) or WorldError (no sandbox, and one is required).
    """

    def __init__(self, config: Config, env: Mapping[str, str], root: str) -> None:
        self._names = [name for name in config.implementers if name in config.models or name in config.agents]
        self._config = config
        self._env = env
        self._root = root
        self._made: dict[str, Implementer] = {}
        self._lock = Lock()

    def __getitem__(self, name: str) -> Implementer:
        with self._lock:
            if name not in self._made:
                self._made[name] = self._build(name)
            return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def _build(self, name: str) -> Implementer:
        if name in self._config.agents:
            return build_agent(self._config, name, self._env, self._root)
        return Chat(name, build(self._config.models[name], self._env, self._root))


def build_agent(config: Config, name: str, env: Mapping[str, str], root: str) -> Agent:
    """The agent of a row of `agents:`. Raises UsageError, and WorldError where a sandbox is required and none works."""
    from split_ci.git import Repo  # noqa: PLC0415
    from split_ci.implementers.agent import TURNS, Agent, Ground  # noqa: PLC0415
    from split_ci.models.row import priced  # noqa: PLC0415
    from split_ci.sandbox import choose  # noqa: PLC0415

    given, row = config.agents[name], row_of(config, name)
    model = model_of(config, name, row.wires)
    if not offers(model, row.wires):
        raise UsageError(f"agents.{name}: it speaks {row.wires[0]}, which {model.name} (api: {model.api}) doesn't offer")
    keys = tuple(one.key for one in config.models.values() if one.key)
    ground = Ground(Repo.find(root), choose(config.sandbox), config.env, config.path, keys)
    turns = given.get("turns", TURNS)
    return Agent(
        row, upstream_of(model, env), ground, price=lambda usage: priced(usage, model.price),
        turns=turns if isinstance(turns, int) else TURNS,
    )  # fmt: skip


def row_of(config: Config, name: str) -> Row:
    """How an agent of the configuration is started and read."""
    from split_ci import agents  # noqa: PLC0415 - nobody pays for agents who has none

    given = config.agents[name]
    command = given.get("command")
    return agents.custom(name, command, str(given.get("usage", ""))) if isinstance(command, tuple) else agents.ROWS[name]


def offers(model: ModelConfig, wires: Sequence[str]) -> bool:
    """Whether a model's server answers on one of the wires. One with an address of its own may offer any."""
    own = ("messages",) if model.api == "anthropic" else ("chat", "responses")
    return model.base_url is not None or any(wire in own for wire in wires)


def model_of(config: Config, name: str, wires: Sequence[str]) -> ModelConfig:
    """The model of an agent: the one that its row names, else the first that it can speak to and isn't the architect's.

    Raises UsageError.
    """
    given = config.agents[name].get("model")
    if given is not None and given not in config.models:
        raise UsageError(f"agents.{name}.model: {given!r} is none of `models`")
    real = [one for one in config.models.values() if one.api != "scripted" and offers(one, wires)]
    found = config.models[str(given)] if given is not None else next((m for m in real if m.name != config.architect), None)
    if found is None or found.api == "scripted":
        hint = f"agents: {{{name}: {{model: <one of `models`>}}}}"
        raise UsageError(f"agents.{name}: it needs a model of its own", hint=hint)
    return found


def keys_of(config: Config) -> tuple[str, ...]:
    """The environment variables that the ladder's rungs take their keys from, each once. Raises UsageError."""
    found = []
    for name in config.implementers:
        if name in config.models:
            found.append(config.models[name].key)
        elif name in config.agents:
            found.append(model_of(config, name, row_of(config, name).wires).key)
    return tuple(dict.fromkeys(key for key in found if key))


def upstream_of(model: ModelConfig, env: Mapping[str, str]) -> Upstream:
    """Where the meter sends what an agent asks. Raises UsageError: no key, an address that may not be used."""
    from split_ci.meter import Upstream  # noqa: PLC0415
    from split_ci.models.call import address  # noqa: PLC0415
    from split_ci.models.row import key_of  # noqa: PLC0415

    base = address(model, BASES[model.api]).rstrip("/") + ("/v1" if model.api == "anthropic" else "")
    return Upstream(base, key_of(model, env) if model.key else "", model.model)
