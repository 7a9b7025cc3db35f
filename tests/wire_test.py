"""Usage, read from answers in all three wires, streamed or not, whole or broken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from split_ci import wire
from split_ci.ports import Usage
from tests.agents.server import CACHED, INPUT, OUTPUT, STREAMS, WIRES

WHOLE = Usage(1, INPUT, CACHED, OUTPUT, None)
ROUTES = {"chat": "completions", "responses": "responses", "messages": "messages"}


def made(name: str) -> dict[str, Any]:
    return WIRES[ROUTES[name]]({"text": "Größe: \u2028 done"}, "m")


def streamed(name: str, end: str = "\n") -> bytes:
    events = STREAMS[ROUTES[name]](made(name), {"stream_options": {"include_usage": True}})
    lines = [f"event: {kind}{end}data: {json.dumps(value)}{end}{end}" for kind, value in events]
    return "".join(lines).encode()


def read(name: str, data: bytes, *, streams: bool, size: int = 7) -> Usage | None:
    reader = wire.Reader(name, streamed=streams)
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
    assert reader.bytes == len(data)
    return reader.usage()


@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_stream_is_read_however_it_is_cut(name: str, size: int, end: str) -> None:
    assert read(name, streamed(name, end), streams=True, size=size) == WHOLE


@pytest.mark.parametrize("name", ROUTES)
def test_a_whole_answer_is_read(name: str) -> None:
    assert read(name, json.dumps(made(name)).encode(), streams=False) == WHOLE


@pytest.mark.parametrize("name", ROUTES)
def test_a_stream_that_breaks_off_says_nothing(name: str) -> None:
    data = streamed(name)
    before = data.rindex(b'"usage"')
    assert read(name, data[:before], streams=True) is None


def test_what_a_cache_takes_in_is_input_too() -> None:
    usage = {"input_tokens": 10, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 30, "output_tokens": 5}
    assert read("messages", json.dumps({"usage": usage}).encode(), streams=False) == Usage(1, 60, 20, 5, None)


BROKEN: dict[str, tuple[str, bytes]] = {
    "no JSON": ("chat", b"<html>"),
    "nothing": ("chat", b""),
    "a list": ("chat", b"[1]"),
    "no usage": ("responses", b"{}"),
    "usage of another shape": ("chat", b'{"usage": [1]}'),
    "less than nothing": ("chat", b'{"usage": {"prompt_tokens": -1, "completion_tokens": 1}}'),
    "a truth for a number": ("chat", b'{"usage": {"prompt_tokens": true, "completion_tokens": 1}}'),
    "words for a number": ("messages", b'{"usage": {"input_tokens": "many", "output_tokens": 1}}'),
    "half a number": ("responses", b'{"usage": {"input_tokens": 1.5, "output_tokens": 1}}'),
    "beyond all bounds": ("chat", b'{"usage": {"prompt_tokens": 1e400, "completion_tokens": 99999999999}}'),
    "one of two": ("responses", b'{"usage": {"input_tokens": 5}}'),
    "depth": ("chat", b"[" * 100_000),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("streams", [False, True])
def test_what_no_server_should_say_is_no_usage(case: str, streams: bool) -> None:
    name, data = BROKEN[case]
    assert read(name, b"data: " + data if streams else data, streams=streams, size=100_000) is None


def test_more_cached_than_there_was_is_all_of_it() -> None:
    said = {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 9}}
    assert read("chat", json.dumps({"usage": said}).encode(), streams=False) == Usage(1, 5, 5, 1, None)


REQUESTS: dict[str, tuple[object, str]] = {
    "another model": ({"model": "dear-1"}, "only the model m is asked here"),
    "no model": ({}, "only the model m is asked here"),
    "no object": ([], "the body is not a JSON object"),
    "in the background": ({"model": "m", "background": True}, "an answer in the background can't be metered"),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_a_request_that_may_not_pass(case: str) -> None:
    body, fault = REQUESTS[case]
    assert wire.read_request(json.dumps(body).encode(), "m") == wire.Asked(0, fault=fault)


def test_a_request_that_is_no_json() -> None:
    assert wire.read_request(b"\xff\xfe", "m").fault == "the body is not JSON"


def test_a_request_that_may_pass() -> None:
    body = json.dumps({"model": "m", "stream": True, "messages": ["x" * 400]}).encode()
    assert wire.read_request(body, "m") == wire.Asked(len(body) // 4, streamed=True)


def test_the_routes() -> None:
    known = {
        "/v1/chat/completions": "chat",
        "/v1/responses": "responses",
        "/v1/messages?beta=true": "messages",
        "/messages": "messages",
    }
    assert {path: wire.wire_of(path) for path in known} == known
    for path in (
        "/v1/models",
        "/",
        "/v1/messages/count_tokens",
        "/v1/files",
        "/v1/../v1/messages",
        "//messages",
        "/v1/messages/",
    ):
        assert wire.wire_of(path) is None
    assert wire.route_of("/v1/messages?beta=true") == "messages?beta=true"
