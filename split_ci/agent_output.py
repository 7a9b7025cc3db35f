"""What comes out of an agent's sandbox: the frames of `agent_launch`, put together."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from split_ci.agent_said import Ended

if TYPE_CHECKING:
    from split_ci.results import Execution

KEPT_BYTES = 8 << 20  # of each stream; its end
MOST_FRAME = 16 << 20


class Heard:
    """A listener to those frames. They come from where the agent runs, so nothing rests on them."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._streams = {b"o": bytearray(), b"e": bytearray()}
        self._files: dict[str, str] = {}
        self._exit: int | None = None

    def hear(self, data: bytes) -> None:
        self._rest += data
        while len(self._rest) >= 5:
            letter, size = bytes(self._rest[:1]), struct.unpack(">I", self._rest[1:5])[0]
            if letter not in b"oefx" or size > MOST_FRAME:
                self._streams[b"e"] += self._rest  # not ours: what kept the launcher from starting
                self._rest.clear()
                return
            if len(self._rest) < 5 + size:
                return
            self._take(letter, bytes(self._rest[5 : 5 + size]))
            del self._rest[: 5 + size]

    def _take(self, letter: bytes, data: bytes) -> None:
        if letter in self._streams:
            kept = self._streams[letter]
            kept += data
            del kept[: max(0, len(kept) - KEPT_BYTES)]
        elif letter == b"f":
            name, _, text = data.partition(b"\0")
            self._files[name.decode("utf-8", "replace")] = text.decode("utf-8", "replace")
        elif letter == b"x" and data.isdigit() and len(data) < 5:
            self._exit = int(data)

    def ended(self, done: Execution | None) -> Ended:
        out, err = (self._streams[letter].decode("utf-8", "replace") for letter in (b"o", b"e"))
        return Ended(self._exit if done is not None else None, out, err, self._files)
