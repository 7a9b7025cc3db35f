"""The passage through the meter: an agent's connections, each request of which is judged, passed on and counted."""

from __future__ import annotations

import http.client
import json
import socket
import socketserver
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from split_ci import wire
from split_ci.caps import OverLimit
from split_ci.ports import Usage
from split_ci.redact import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from split_ci.meter import Meter

MOST_BODY = 32 * 1024 * 1024
IDLE_SECONDS = 120.0  # of a connection that asks nothing
BETWEEN_HOPS = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
    "host", "content-length", "accept-encoding", "expect", "cookie", "set-cookie", "forwarded",
}  # fmt: skip
AUTHORISING = ("authorization", "x-api-key", "api-key")


class _Threads(socketserver.ThreadingMixIn):
    daemon_threads = False  # `server_close` waits for them, so that every cost is known
    block_on_close = True
    meter: Meter

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in the library
        if self.meter.enter():
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)  # type: ignore[attr-defined]

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        with _open_requests(self, request):
            super().process_request_thread(request, client_address)

    def server_close(self) -> None:
        for request in list(getattr(self, "requests", ())):
            _shut(request)
        super().server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that broke off is the agent's business."""


class _open_requests:  # noqa: N801 - used as a function
    """Keeps a request among those that `server_close` wakes."""

    def __init__(self, server: _Threads, request: socket.socket) -> None:
        self._meter = server.meter
        self._requests: set[socket.socket] = server.__dict__.setdefault("requests", set())
        self._request = request

    def __enter__(self) -> None:
        self._requests.add(self._request)

    def __exit__(self, *_: object) -> None:
        self._requests.discard(self._request)
        self._meter.leave()


def _shut(request: socket.socket) -> None:
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class UnixServer(_Threads, socketserver.UnixStreamServer):
    def __init__(self, path: str, meter: Meter) -> None:
        self.meter = meter
        super().__init__(path, Connection)


class LoopbackServer(_Threads, socketserver.TCPServer):
    def __init__(self, address: tuple[str, int], meter: Meter) -> None:
        self.meter = meter
        super().__init__(address, Connection)


class Connection(BaseHTTPRequestHandler):
    """One connection of the agent's."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    server: _Threads  # type: ignore[assignment]

    def do_POST(self) -> None:
        if not self.server.meter.shown(self._given()):
            return self._say(401, "authentication_error", "the key is not the one that was given")
        wired = wire.wire_of(self.path)
        if wired is None:
            return self._say(404, "not_found_error", "only chat/completions, responses and messages are here")
        body = self._body()
        if body is None:
            return self._say(
                413, "request_too_large", f"a body of a known length, at most {MOST_BODY} bytes, not compressed"
            )
        asked = wire.read_request(body, self.server.meter.upstream.model)
        if asked.fault:
            return self._say(400, "invalid_request_error", asked.fault)
        try:
            seconds = self.server.meter.begin(asked.tokens)
        except OverLimit as error:
            return self._say(402, "billing_error", f"split-ci: the budget is used up: {error.message}", last=True)
        return self._pass(body, wired, asked, seconds)

    def do_GET(self) -> None:
        self._say(404, "not_found_error", "only chat/completions, responses and messages are here")

    do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is said: a request's line is the agent's."""

    def _given(self) -> str:
        """The placeholder that a request shows, wherever its kind of client puts it."""
        found = next((self.headers[name] for name in AUTHORISING if self.headers.get(name)), "")
        return found.removeprefix("Bearer ").strip()

    def _body(self) -> bytes | None:
        if self.headers.get("Content-Encoding", "identity") != "identity":
            return None
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._chunks()
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MOST_BODY:
            return None
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else None

    def _chunks(self) -> bytes | None:
        body = bytearray()
        while True:
            line = self.rfile.readline(80).partition(b";")[0].strip()
            try:
                size = int(line, 16)
            except ValueError:
                return None
            if size < 0 or len(body) + size > MOST_BODY:
                return None
            body += self.rfile.read(size)
            self.rfile.readline(80)
            if size == 0:
                return bytes(body)

    def _say(self, status: int, kind: str, message: str, *, last: bool = False) -> None:
        """An answer of our own, in the shape of an error that all three wires know."""
        error = {"type": kind, "code": kind, "message": message}
        data = json.dumps({"type": "error", "error": error}).encode()
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        if last:
            self.send_header("x-should-retry", "false")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    # --- to the server and back

    def _pass(self, body: bytes, wired: str, asked: wire.Asked, seconds: float) -> None:
        meter = self.server.meter
        bill = _Bill(meter, asked.tokens)
        self._started = False
        connection = None
        try:
            connection = meter.connect(seconds)
            bill.estimate = lambda: Usage(1, asked.tokens, usd=None)  # from here on it may be billed
            connection.request("POST", meter.target(self.path), body, self._headers(len(body)))
            answer = connection.getresponse()
            _check(answer)
            if answer.status >= 400:
                meter.failed(f"the model's server said {answer.status}", again=_passes(answer.status))
                bill.estimate = None
                self._back(answer, None, bill)
            else:
                meter.answered()
                reader = wire.Reader(wired, streamed=_streams(answer))
                bill.estimate, bill.told = lambda: reader.estimate(asked.tokens), reader.usage
                self._back(answer, reader, bill)
        except BrokenPipeError:
            self.close_connection = True  # the agent has gone
        except (OSError, http.client.HTTPException, ValueError) as error:
            meter.failed(f"the model's server can't be used: {_said(error, meter.upstream.key)}", again=True)
            self.close_connection = True
            self._refuse_once(meter.trouble)
        finally:
            if connection is not None:
                meter.done(connection)
            bill.settle()

    def _headers(self, length: int) -> dict[str, str]:
        """The agent's headers, with the real key where it showed the placeholder."""
        key = self.server.meter.upstream.key
        headers = {
            name: value for name, value in self.headers.items()
            if name.lower() not in BETWEEN_HOPS and name.lower() not in AUTHORISING
        }  # fmt: skip
        for name in AUTHORISING:
            if self.headers.get(name) and key:
                headers[name] = f"Bearer {key}" if name == "authorization" else key
        return {
            **headers,
            "Host": _host(self.server.meter.upstream.base),
            "Content-Length": str(length),
            "Accept-Encoding": "identity",
        }

    def _back(self, answer: http.client.HTTPResponse, reader: wire.Reader | None, bill: _Bill) -> None:
        """Passes an answer on as it comes; it is paid for before the agent has the whole of it."""
        self._started = True
        self.send_response_only(answer.status, answer.reason)
        length = answer.getheader("Content-Length")
        for name, value in answer.getheaders():
            if name.lower() not in BETWEEN_HOPS:
                self.send_header(name, redacted(value, self.server.meter.upstream.key))
        self.send_header(*(("Content-Length", length) if length else ("Transfer-Encoding", "chunked")))
        self.end_headers()
        left = int(length or 0)
        for data in _without(self.server.meter.upstream.key.encode(), _pieces(answer, reader)):
            left -= len(data)
            if length and left <= 0:
                bill.settle()
            self.wfile.write(data if length else b"%x\r\n%s\r\n" % (len(data), data))
        if not length:
            bill.settle()
            self.wfile.write(b"0\r\n\r\n")

    _started = False

    def _refuse_once(self, why: str) -> None:
        """Says what is wrong, where the answer has not begun."""
        if self._started:
            return
        try:
            self._say(502, "api_error", why)
        except OSError:
            return


class _Bill:
    """What one request costs: told to the meter once. `estimate` speaks where `told` has nothing to say."""

    def __init__(self, meter: Meter, tokens: int) -> None:
        self.estimate: Callable[[], Usage] | None = None  # None: nothing can have been billed
        self.told: Callable[[], Usage | None] = lambda: None
        self._meter = meter
        self._tokens = tokens
        self._settled = False

    def settle(self) -> None:
        if self._settled:
            return
        self._settled = True
        told = self.told()
        guess = self.estimate() if told is None and self.estimate else None
        self._meter.end(self._tokens, told or guess or Usage(1), guessed=guess is not None)


def _passes(status: int) -> bool:
    """Whether it is worth asking again later."""
    return status in (408, 409, 429) or status >= 500


def _check(answer: http.client.HTTPResponse) -> None:
    """Raises HTTPException for an answer that is not passed on."""
    if 300 <= answer.status < 400:
        raise http.client.HTTPException(f"it answers with a redirect ({answer.status}), which is not followed")
    if answer.getheader("Content-Encoding", "identity") != "identity":
        raise http.client.HTTPException("its answer is compressed, which was not asked for")


def _streams(answer: http.client.HTTPResponse) -> bool:
    return answer.getheader("Content-Type", "").startswith("text/event-stream")


def _pieces(answer: http.client.HTTPResponse, reader: wire.Reader | None) -> Iterator[bytes]:
    while True:
        data = answer.read1(1 << 16)
        if not data:
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)
            return
        if reader is not None:
            reader.feed(data)
        yield data


def _without(secret: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, and as many, with stars where the secret stood; what may be its beginning waits for what follows."""
    kept = b""
    for piece in pieces:
        data = kept + piece
        if secret:
            data = data.replace(secret, b"*" * len(secret))
        size = next((n for n in range(min(len(secret) - 1, len(data)), 0, -1) if secret.startswith(data[-n:])), 0)
        kept = data[len(data) - size :]
        if len(data) > size:
            yield data[: len(data) - size]
    if kept:
        yield kept


def _said(error: Exception, key: str) -> str:
    return " ".join(redacted(str(error) or type(error).__name__, key).split())[:200]


def _host(base: str) -> str:
    return urlsplit(base).netloc
