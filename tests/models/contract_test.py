"""One suite for every model behind an API, over real HTTP through the real SDKs."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import pytest

from split_ci import models
from split_ci.caps import CallFailed
from split_ci.config import ModelConfig, Price
from split_ci.errors import UsageError
from split_ci.ports import Message, Model, Reply, Request, Usage
from tests.models.servers import Answer, Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "sk-canary-0123456789abcdef"
ENV = {"KEY": KEY, "ANTHROPIC_BASE_URL": "http://127.0.0.1:1", "OPENAI_BASE_URL": "http://127.0.0.1:1"}
REQUEST = Request(
    "be brief", (Message("user", "hello"), Message("assistant", "what?"), Message("user", "hello!")), seconds=20
)
AGAIN = {"retry-after-ms": "1"}
APIS = ("anthropic", "openai")


OPEN: list[Any] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


def model(server: Server, api: str, **more: Any) -> Model:
    pytest.importorskip(api)
    url = server.url + ("/v1" if api == "openai" else "")
    OPEN.append(models.build(ModelConfig("cheap", api, "small", key="KEY", base_url=url, **more), ENV))
    made: Model = OPEN[-1]
    return made


def said(api: str, text: str = "yes", stop: str = "end", usage: Any = ...) -> Answer:
    if api == "anthropic":
        stops = {"end": "end_turn", "length": "max_tokens", "refusal": "refusal"}
        counts = {"input_tokens": 60, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 10, "output_tokens": 20}
        return Answer(200, {"id": "m", "type": "message", "role": "assistant", "model": "small-2026", "stop_reason": stops[stop],
                            "content": [{"type": "text", "text": text}], "usage": counts if usage is ... else usage})  # fmt: skip
    stops = {"end": "stop", "length": "length", "refusal": "content_filter"}
    details = {"cached_tokens": 30}
    amounts = {"prompt_tokens": 100, "prompt_tokens_details": details, "completion_tokens": 20, "total_tokens": 120}
    choice = {"index": 0, "finish_reason": stops[stop], "message": {"role": "assistant", "content": text}}
    return Answer(200, {"id": "c", "object": "chat.completion", "created": 1, "model": "small-2026", "choices": [choice],
                        "usage": amounts if usage is ... else usage})  # fmt: skip


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("stop", ["end", "length", "refusal"])
def test_an_answer(api: str, stop: Literal["end", "length", "refusal"]) -> None:
    with serving(said(api, stop=stop)) as server:
        reply = model(server, api, price=Price(1.0, 0.1, 10.0)).ask(REQUEST)
        assert reply == Reply("yes", Usage(1, 100, 30, 20, 0.000273), "small-2026", stop)
        assert KEY in (server.headers[0].get("x-api-key", "") + server.headers[0].get("authorization", ""))
        assert server.asked[0]["model"] == "small"
        assert "hello!" in str(server.asked[0]["messages"][-1]["content"])


@pytest.mark.parametrize("api", APIS)
def test_a_server_on_this_machine_may_need_no_key(api: str) -> None:
    with serving(said(api)) as server:
        url = server.url + ("/v1" if api == "openai" else "")
        OPEN.append(models.build(ModelConfig("local", api, "small", base_url=url), ENV))
        assert OPEN[-1].ask(REQUEST).text == "yes"
        assert KEY not in str(server.headers)
    with pytest.raises(UsageError, match="name the environment variable"):
        models.build(ModelConfig("far", api, "small", base_url="https://example.org"), ENV)


@pytest.mark.parametrize("api", APIS)
def test_json_is_asked_for_by_the_api_s_own_means(api: str) -> None:
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    with serving(said(api, "{}")) as server:
        model(server, api).ask(REQUEST._replace(schema=schema))
        asked = server.asked[0]
        kept = asked["output_config"]["format"] if api == "anthropic" else asked["response_format"]["json_schema"]
        assert kept["schema"] == schema


def test_what_repeats_is_marked_for_the_cache() -> None:
    with serving(said("anthropic")) as server:
        model(server, "anthropic").ask(REQUEST)
        asked = server.asked[0]
        assert asked["system"][0]["cache_control"] == {"type": "ephemeral"}
        marks = ["cache_control" in message["content"][0] for message in asked["messages"]]
        assert marks == [True, False, True]


@pytest.mark.parametrize("api", APIS)
def test_a_price_that_is_not_known_is_none(api: str) -> None:
    with serving(said(api)) as server:
        assert model(server, api).ask(REQUEST).usage.usd is None


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 529])
def test_every_attempt_is_counted(api: str, status: int) -> None:
    with serving(Answer(status, {"error": {"message": "busy"}}, AGAIN), said(api)) as server:
        assert model(server, api).ask(REQUEST).usage.calls == 2
    with serving(Answer(status, {"error": {"message": f"busy {KEY}"}}, AGAIN)) as server:
        with pytest.raises(CallFailed) as error:
            model(server, api).ask(REQUEST)
        assert (error.value.again, error.value.usage.calls, len(server.asked)) == (True, 3, 3)
        assert f"cheap: {status}" in error.value.message
        assert error.value.message.count(str(status)) == 1
        assert KEY not in error.value.message


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("status", "words"), [(400, "400"), (401, "the key was refused"), (403, "the key was refused"), (404, "no such model"),
                          (413, "too large"), (422, "422")],
)  # fmt: skip
def test_what_it_is_no_use_to_ask_again(api: str, status: int, words: str) -> None:
    with serving(Answer(status, {"error": {"message": f"no: {KEY}"}})) as server:
        with pytest.raises(CallFailed) as error:
            model(server, api).ask(REQUEST)
        assert (error.value.again, len(server.asked), error.value.usage) == (False, 1, Usage(1))
        assert words in error.value.message
        assert KEY not in error.value.message


@pytest.mark.parametrize("api", APIS)
def test_no_money_left_is_not_asked_again(api: str) -> None:
    quota = Answer(429, {"error": {"message": "you exceeded your quota"}}, {"x-should-retry": "false"})
    with serving(quota) as server, pytest.raises(CallFailed) as error:
        model(server, api).ask(REQUEST)
    assert not error.value.again
    assert len(server.asked) == 1


UNREADABLE = {
    "a page of a proxy": Answer(200, b"<html>Please log in</html>"),
    "half of an answer": Answer(200, b'{"id": "x", "con', {"Content-Type": "application/json"}),
    "a body that ends early": Answer(200, b'{"id": "x"}', {"Content-Type": "application/json"}, short=True),
    "an empty body": Answer(200, b"", {"Content-Type": "application/json"}),
    "a list": Answer(200, []),
    "null": Answer(200, b"null", {"Content-Type": "application/json"}),
    "another object": Answer(200, {"ok": True}),
    "more than memory should hold": Answer(200, b" " * (17 << 20) + b"{}", {"Content-Type": "application/json"}),
    "few bytes that are many": Answer(
        200, gzip.compress(b" " * (64 << 20)), {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    ),
    "nested": Answer(200, b"[" * 100_000, {"Content-Type": "application/json"}),
    "no content": Answer(204),
    "not gzip": Answer(200, b"\x1f\x8bnot", {"Content-Type": "application/json", "Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("name", UNREADABLE)
def test_an_answer_that_can_t_be_read_is_a_failure_and_no_crash(api: str, name: str) -> None:
    with serving(UNREADABLE[name]) as server, pytest.raises(CallFailed) as error:
        model(server, api).ask(REQUEST)
    assert error.value.message.startswith("cheap: ")
    assert error.value.usage.usd is None


@pytest.mark.parametrize("api", APIS)
def test_usage_is_looked_at(api: str) -> None:
    first, second = ("input_tokens", "output_tokens") if api == "anthropic" else ("prompt_tokens", "completion_tokens")
    cached: list[dict[str, Any]] = (
        [
            {name: count}
            for name in ("cache_read_input_tokens", "cache_creation_input_tokens")
            for count in (-(10**9), 10**30)
        ]
        if api == "anthropic"
        else [{"prompt_tokens_details": {"cached_tokens": count}} for count in (-(10**9), "x", 1.5, 10**30)]
    )
    whole = {first: 100, second: 20, "total_tokens": 120}
    for usage in (None, {}, {first: -1, second: 1}, {first: 1}, {**whole, first: 10**30}, *({**whole, **c} for c in cached)):
        with serving(said(api, usage=usage)) as server, pytest.raises(CallFailed, match="can't be read"):
            model(server, api).ask(REQUEST)


@pytest.mark.parametrize("api", APIS)
def test_half_of_a_surrogate_pair_is_no_text(api: str) -> None:
    with serving(said(api, "uno \ud800 \U0001f600")) as server:
        assert model(server, api).ask(REQUEST).text == "uno ? \U0001f600"


def test_no_more_comes_from_a_cache_than_was_asked() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 10**9},
    }
    with serving(said("openai", usage=usage)) as server:
        assert model(server, "openai", price=Price(1.0, 0.1, 10.0)).ask(REQUEST).usage == Usage(1, 100, 100, 20, 0.00021)


@pytest.mark.parametrize("api", APIS)
def test_a_server_that_drips_for_ever_ends_with_the_deadline(api: str) -> None:
    with serving(Answer(200, b"{", {"Content-Type": "application/json"}, drips=True)) as server:
        with pytest.raises(CallFailed, match="no answer within 1 s") as error:
            model(server, api).ask(REQUEST._replace(seconds=1))
        assert error.value.usage == Usage(1, usd=None)


@pytest.mark.parametrize("api", APIS)
def test_a_server_that_says_nothing_or_is_not_there(api: str) -> None:
    with serving(Answer(200, None)) as server, pytest.raises(CallFailed, match="can't be reached") as error:
        model(server, api).ask(REQUEST)
    assert (error.value.again, error.value.usage.usd) == (True, None)
    with pytest.raises(CallFailed, match="can't be reached") as error:  # it is closed now: no request was ever sent
        model(server, api).ask(REQUEST)
    assert (error.value.again, error.value.usage.usd) == (True, 0.0)


@pytest.mark.parametrize("api", APIS)
def test_the_key_follows_no_redirect(api: str) -> None:
    with serving(said(api)) as other:
        moved = Answer(307, b"", {"Location": other.url + "/elsewhere"})
        with serving(moved) as server, pytest.raises(CallFailed):
            model(server, api).ask(REQUEST)
        assert other.asked == []


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/v1",
        "ftp://example.org",
        "example.org",
        "http://127.0.0.1.example.org/",
        "http://127.0.0.1@example.org/",
    ],
)
def test_an_address_in_the_clear_is_refused(api: str, url: str) -> None:
    with pytest.raises(UsageError, match=r"^models\.cheap\.base_url: https only, or http on this machine$"):
        models.build(ModelConfig("cheap", api, "small", key="KEY", base_url=url), ENV)


@pytest.mark.parametrize("api", APIS)
def test_many_threads_share_a_model(api: str) -> None:
    with serving(said(api)) as server:
        shared = model(server, api)
        with ThreadPoolExecutor(14) as pool:
            replies = list(pool.map(lambda _: shared.ask(REQUEST), range(28)))
    assert {r.usage.calls for r in replies} == {1}
    assert len(server.asked) == 28


@pytest.mark.parametrize("api", APIS)
def test_a_real_run_can_be_recorded_and_replayed(api: str, tmp_path: Path) -> None:
    pytest.importorskip(api)
    path = tmp_path / "replies.json"
    with serving(said(api)) as server:
        row = ModelConfig("cheap", api, "small", key="KEY", base_url=server.url + ("/v1" if api == "openai" else ""))
        recorder = models.build(row, {**ENV, models.RECORD: str(path)})
        reply = recorder.ask(REQUEST)
        recorder.close()  # type: ignore[attr-defined]
    replayed = models.build(ModelConfig("cheap", "scripted", "small", replies="replies.json"), {}, str(tmp_path))
    assert replayed.ask(REQUEST) == reply
    assert KEY not in path.read_text()
