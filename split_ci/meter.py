"""The meter: an agent's only way to its model. It holds the key, counts each request, and refuses past the caps.

Outside of the sandbox, on a Unix socket (or, where there is no sandbox, on loopback). Bodies pass unchanged in both
directions, but for the key itself, should a server echo it. Only requests to the configured model pass, to the one
address that the configuration names; redirects are not followed.
"""

from __future__ import annotations

import hmac
import http.client
import os
import secrets
import socket
import threading
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from split_ci import passage, wire
from split_ci.caps import OverLimit

if TYPE_CHECKING:
    import socketserver
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from split_ci.ports import Account, Usage

SOCKET = "meter"  # the socket's name in its folder
CONNECT_SECONDS = 30.0
SILENT_SECONDS = 300.0  # of a server that says nothing
MOST_CONNECTIONS = 32
MOST_FAILURES = 8  # in a row: some agents go on asking a server that is down for minutes


class Upstream(NamedTuple):
    """Where requests go: the address that `/chat/completions` and its kin are below, the key (or none) and the model."""

    base: str
    key: str
    model: str

    def __repr__(self) -> str:
        return f"Upstream({self.base}, {self.model})"


class Meter:
    """Serves while it is entered. `key` is the placeholder that an agent is given: whoever doesn't show it is refused."""

    def __init__(
        self, upstream: Upstream, account: Account, *, turns: int, price: Callable[[Usage], Usage] = lambda usage: usage,
        on_refusal: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.key = "split-ci-" + secrets.token_hex(16)
        self.upstream = upstream
        self.refusal = ""  # why it refuses, once it does
        self.trouble = ""  # what the server's last answer was, where it was none
        self.again = False  # whether that may go away by itself
        self.guessed = 0  # answers that didn't say what they cost
        self.port = 0
        self._account = account
        self._turns = turns
        self._price = price
        self._on_refusal = on_refusal
        self._asked = 0
        self._failures = 0
        self._told = False
        self._in_flight = 0
        self._lock = threading.Lock()
        self._closing = False
        self._open: set[http.client.HTTPConnection] = set()
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._server: socketserver.BaseServer | None = None
        self._folder = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Ends what is still under way; what it cost is known to the account when this returns."""
        if self._server is None:
            return
        self._server.shutdown()
        with self._lock:
            self._closing = True
            waiting = list(self._open)
        for connection in waiting:
            end_connection(connection)
        self._server.server_close()

    def serve_unix(self, folder: str) -> None:
        """Serves on a socket in a private folder, whose path may be longer than a socket's name can be."""
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._serve(passage.UnixServer(f"/proc/self/fd/{at}/{SOCKET}", self))
        finally:
            os.close(at)

    def serve_loopback(self) -> None:
        """Serves on a free port of this machine's loopback, `port`."""
        server = passage.LoopbackServer(("127.0.0.1", 0), self)
        self.port = server.server_address[1]
        self._serve(server)

    def _serve(self, server: socketserver.BaseServer) -> None:
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    # --- what the connections ask

    def enter(self) -> bool:
        return self._places.acquire(blocking=False)

    def leave(self) -> None:
        self._places.release()

    def shown(self, given: str) -> bool:
        """Whether a request shows the placeholder."""
        return hmac.compare_digest(given.encode(), self.key.encode())

    def begin(self, tokens: int) -> float:
        """Allows a request, and journals it; the seconds that it may take. Raises OverLimit."""
        with self._lock:
            try:
                self._check_turns()
                seconds = self._account.begin(tokens + self._in_flight)
            except OverLimit as error:
                self.refusal = self.refusal or error.message
                self._tell()
                raise
            self._asked += 1
            self._in_flight += tokens
            return seconds

    def _check_turns(self) -> None:
        if self._asked >= self._turns:
            raise OverLimit(f"{self._turns} requests are made, which is the cap", hint="agents.<name>.turns")

    def end(self, tokens: int, usage: Usage, *, guessed: bool = False) -> None:
        """What a request cost. A guess is recorded as one of unknown price, and counted against the caps."""
        priced = self._price(usage)
        with self._lock:
            self._in_flight -= tokens
            self.guessed += guessed
            if usage.input == usage.output == 0:
                self._account.end(usage)
            else:
                self._account.end(priced._replace(usd=None) if guessed else priced, priced.usd or 0.0)

    def failed(self, trouble: str, *, again: bool) -> None:
        """The server gave no answer; too often in a row, and the agent is ended."""
        with self._lock:
            self.trouble, self.again = trouble, again
            self._failures += 1
            if self._failures >= MOST_FAILURES:
                self._tell()

    def answered(self) -> None:
        """The server gave an answer."""
        with self._lock:
            self.trouble, self._failures = "", 0

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._on_refusal()

    def connect(self, seconds: float) -> http.client.HTTPConnection:
        """An open connection to the server, which `__exit__` ends: TLS but for this machine, without a proxy."""
        at = urlsplit(self.upstream.base)
        kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
        connection = kind(at.hostname or "", at.port, timeout=max(1.0, min(CONNECT_SECONDS, seconds)))
        connection.connect()
        connection.sock.settimeout(max(1.0, min(SILENT_SECONDS, seconds)))
        with self._lock:
            self._open.add(connection)
            if self._closing:
                end_connection(connection)
        return connection

    def done(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def target(self, path: str) -> str:
        """The server's own path for a request."""
        return f"{urlsplit(self.upstream.base).path.rstrip('/')}/{wire.route_of(path)}"


def end_connection(connection: http.client.HTTPConnection) -> None:
    """Wakes whoever waits for it."""
    try:
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
