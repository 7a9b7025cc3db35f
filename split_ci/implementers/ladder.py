"""The model rungs of a configuration, each built when it is first asked for: an exact spec needs no key and no SDK."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING

from split_ci.implementers.chat import Chat
from split_ci.models import build

if TYPE_CHECKING:
    from collections.abc import Iterator

    from split_ci.config import Config
    from split_ci.ports import Implementer


class Ladder(Mapping[str, "Implementer"]):
    """Implementers by name, in the configuration's order. Asking for one may raise UsageError: no key, no SDK."""

    def __init__(self, config: Config, env: Mapping[str, str], root: str) -> None:
        self._names = [name for name in config.implementers if name in config.models]
        self._config = config
        self._env = env
        self._root = root
        self._made: dict[str, Implementer] = {}
        self._lock = Lock()

    def __getitem__(self, name: str) -> Implementer:
        with self._lock:
            if name not in self._made:
                self._made[name] = Chat(name, build(self._config.models[name], self._env, self._root))
            return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names
