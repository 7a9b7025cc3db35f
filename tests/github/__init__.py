"""GitHub in memory, over HTTP on loopback: a state machine whose branches are those of a real bare repository.

`serving(bare)` starts one. A new endpoint is a function with `@route` in the module of its noun, listed in `server.NOUNS`;
what it answers is a shape of `shapes`. `server.Server.faults` holds what goes wrong, `server.Server.log` what was asked.
"""

from tests.github.faults import Answer, Fault
from tests.github.server import Server, serving
from tests.github.world import Actor, World

__all__ = ["Actor", "Answer", "Fault", "Server", "World", "serving"]
