"""What a model's server says an answer cost, read as it passes: all three wires, streamed or not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from split_ci.ports import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

WIRES: Mapping[str, str] = {"chat/completions": "chat", "responses": "responses", "messages": "messages"}
BYTES_A_TOKEN = 4  # where a server doesn't say
MOST_TOKENS = 1_000_000_000
KEPT_BYTES = 32 * 1024 * 1024


class Asked(NamedTuple):
    """A request as the meter judges it. `tokens` is about its prompt's size; `fault` is why it isn't passed on."""

    tokens: int
    streamed: bool = False
    fault: str = ""


def wire_of(path: str) -> str | None:
    """The wire of a request's path (`/v1/messages?beta=true`): `chat`, `responses` or `messages`; None for any other."""
    return WIRES.get(path.partition("?")[0].removeprefix("/").removeprefix("v1/"))


def route_of(path: str) -> str:
    """The same path below a server's base address: `messages?beta=true`."""
    return path.removeprefix("/").removeprefix("v1/")


def read_request(body: bytes, model: str) -> Asked:
    """Judges a request's body: JSON that asks the configured model, and nothing that goes on after its answer."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return Asked(0, fault="the body is not JSON")
    if not isinstance(found, dict):
        return Asked(0, fault="the body is not a JSON object")
    if found.get("model") != model:
        return Asked(0, fault=f"only the model {model} is asked here")
    if found.get("background"):
        return Asked(0, fault="an answer in the background can't be metered")
    return Asked(len(body) // BYTES_A_TOKEN, bool(found.get("stream")))


class Reader:
    """Is fed an answer's bytes as they pass, and then knows its usage. Never raises for what a server sends."""

    def __init__(self, wire: str, *, streamed: bool) -> None:
        self.bytes = 0
        self._wire = wire
        self._streamed = streamed
        self._rest = bytearray()
        self._said: dict[str, Any] = {}
        self._ended = False

    def feed(self, data: bytes) -> None:
        self.bytes += len(data)
        self._rest += data
        if self._streamed:
            *lines, rest = bytes(self._rest).replace(b"\r", b"\n").split(b"\n")
            self._rest = bytearray(rest)
            for line in lines:
                self._line(line)
        if len(self._rest) > KEPT_BYTES:
            self._rest = bytearray()

    def usage(self) -> Usage | None:
        """What the answer says it cost, without a price; None where it doesn't say, or broke off before it did."""
        self._line(bytes(self._rest)) if self._streamed else self._whole(bytes(self._rest))
        self._rest = bytearray()
        return READ[self._wire](self._said) if self._ended else None

    def estimate(self, prompt_tokens: int) -> Usage:
        """About what an answer cost that doesn't say; a stream's own framing counts too, so this is rather too much."""
        return Usage(1, prompt_tokens, 0, self.bytes // BYTES_A_TOKEN, None)

    def _line(self, line: bytes) -> None:
        if not line.startswith(b"data:") or b'"usage"' not in line:
            return
        found = _object(line[5:])
        inner = found.get("message") or found.get("response")  # message_start, response.completed
        said = inner.get("usage") if isinstance(inner, dict) else found.get("usage")
        if isinstance(said, dict):
            self._said |= {key: value for key, value in said.items() if value is not None}
            self._ended = self._ended or found.get("type") != "message_start"

    def _whole(self, data: bytes) -> None:
        said = _object(data).get("usage")
        if isinstance(said, dict):
            self._said, self._ended = said, True


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _chat(said: Mapping[str, Any]) -> Usage | None:
    return _usage(said.get("prompt_tokens"), _detail(said, "prompt_tokens_details"), said.get("completion_tokens"))


def _responses(said: Mapping[str, Any]) -> Usage | None:
    return _usage(said.get("input_tokens"), _detail(said, "input_tokens_details"), said.get("output_tokens"))


def _messages(said: Mapping[str, Any]) -> Usage | None:
    """Here what a cache held, and what was put into one, stand beside the input."""
    cached, made = said.get("cache_read_input_tokens", 0), said.get("cache_creation_input_tokens", 0)
    fresh = said.get("input_tokens")
    whole = fresh + cached + made if _count(fresh) and _count(cached) and _count(made) else None
    return _usage(whole, cached, said.get("output_tokens"))


READ = {"chat": _chat, "responses": _responses, "messages": _messages}


def _detail(said: Mapping[str, Any], key: str) -> object:
    details = said.get(key)
    return (details.get("cached_tokens") or 0) if isinstance(details, dict) else 0


def _usage(whole: object, cached: object, output: object) -> Usage | None:
    if not (_count(whole) and _count(output)):
        return None
    assert isinstance(whole, int)
    assert isinstance(output, int)
    return Usage(1, whole, min(cached, whole) if isinstance(cached, int) and _count(cached) else 0, output, None)


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS
