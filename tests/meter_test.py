"""The meter over real HTTP: what passes, what it costs, what is refused, and that the key is seen nowhere."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from split_ci.caps import Account, Caps, Silent
from split_ci.meter import MOST_FAILURES, Meter, Upstream
from split_ci.models.row import priced
from split_ci.ports import Asker, Reply, Usage
from split_ci.settings import Price
from tests.agents.server import CACHED, INPUT, OUTPUT, model_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.agents.server import ModelServer

KEY = "sk-real-0123456789abcdef0123456789"
PRICE = Price(1.0, 0.1, 10.0)
CAPS = Caps(rounds=3, minutes=1.0, tokens=100_000, usd=1.0)
ONE = Usage(1, INPUT, CACHED, OUTPUT, round((1000 + 20 + 340) / 1_000_000, 8))
NONE = Usage()
ROUTES = ("chat/completions", "responses", "messages")


class Kept(Silent):
    """A journal in memory."""

    def __init__(self) -> None:
        self.lines: list[Usage | None] = []

    def started(self) -> None:
        self.lines.append(None)

    def ended(self, usage: Usage, question: str = "", reply: Reply | None = None) -> None:
        assert (question, reply) == ("", None)
        self.lines.append(usage)


class Metered(NamedTuple):
    meter: Meter
    server: ModelServer
    account: Account
    journal: Kept
    refused: list[int]

    def ask(
        self, route: str = "chat/completions", body: object = None, *, key: str | None = None, **more: Any
    ) -> tuple[int, bytes]:
        asked = {"model": "m", "messages": [], **(body if isinstance(body, dict) else {})}
        data = body if isinstance(body, bytes) else json.dumps(asked).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.meter.port, timeout=20)
        headers = {
            "Authorization": f"Bearer {key or self.meter.key}",
            "Content-Type": "application/json",
            **more.pop("headers", {}),
        }
        try:
            connection.request(more.get("method", "POST"), f"/v1/{route}", data, headers)
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        assert KEY.encode() not in said
        assert KEY not in str(answer.getheaders())
        return answer.status, said


@contextmanager
def metered(
    mood: str = "edit", *, caps: Caps = CAPS, turns: int = 50, spent: Usage = NONE, key: str = KEY
) -> Iterator[Metered]:
    journal, refused = Kept(), [0]
    account = Account(caps, Asker(), journal, spent=spent)
    with model_server("true", mood) as server:
        upstream = Upstream(f"{server.url}/v1", key, "m")

        def tell() -> None:
            refused[0] += 1

        with Meter(upstream, account, turns=turns, price=lambda u: priced(u, PRICE), on_refusal=tell) as meter:
            meter.serve_loopback()
            yield Metered(meter, server, account, journal, refused)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("route", ROUTES)
def test_every_wire_is_counted_and_passes_unchanged(route: str, stream: bool) -> None:
    with metered() as at:
        body = {"stream": stream, "stream_options": {"include_usage": True}}
        status, said = at.ask(route, body)
        straight = direct(at.server, route, {"model": "m", "messages": [], **body})
    assert (status, said) == (200, straight)
    assert at.account.usage == ONE
    assert at.journal.lines == [None, ONE]
    assert at.server.paths[0] == f"/v1/{route}"


def direct(server: ModelServer, route: str, body: object) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request("POST", f"/v1/{route}", json.dumps(body), {"Content-Type": "application/json"})
    said = connection.getresponse().read()
    connection.close()
    return said


def test_the_real_key_takes_the_place_of_the_given_one() -> None:
    with metered() as at:
        at.ask()
        at.ask(
            "messages",
            headers={"Authorization": "", "x-api-key": at.meter.key, "anthropic-version": "2023-06-01", "Cookie": "a=b"},
        )
    first, second = at.server.seen
    assert first["authorization"] == f"Bearer {KEY}"
    assert "x-api-key" not in first
    assert second["x-api-key"] == KEY
    assert second["anthropic-version"] == "2023-06-01"
    assert "cookie" not in second
    assert at.meter.key not in json.dumps(at.server.seen)
    assert KEY not in repr(at.meter.upstream)


def test_a_model_on_this_machine_needs_no_key() -> None:
    with metered(key="") as at:
        assert at.ask()[0] == 200
    assert "authorization" not in at.server.seen[0]


REFUSED: dict[str, tuple[int, dict[str, Any]]] = {
    "another key": (401, {"key": "split-ci-0000"}),
    "the real key": (401, {"key": KEY}),
    "a path that isn't one of the three": (404, {"route": "models"}),
    "counting": (404, {"route": "messages/count_tokens"}),
    "another model": (400, {"body": {"model": "dear-1"}}),
    "no JSON": (400, {"body": b"{"}),
    "a body that is compressed": (413, {"headers": {"Content-Encoding": "zstd"}}),
    "in the background": (400, {"route": "responses", "body": {"background": True}}),
    "GET": (404, {"method": "GET"}),
    "DELETE": (404, {"method": "DELETE"}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_pass_costs_nothing(case: str) -> None:
    status, words = REFUSED[case]
    with metered() as at:
        assert at.ask(**words)[0] == status
        assert at.server.asked == []
        assert at.journal.lines == []
        assert at.ask()[0] == 200


def test_a_body_that_comes_in_chunks() -> None:
    with metered() as at:
        connection = http.client.HTTPConnection("127.0.0.1", at.meter.port, timeout=20)
        data = json.dumps({"model": "m", "messages": []}).encode()
        pieces = (data[n : n + 5] for n in range(0, len(data), 5))
        connection.request(
            "POST", "/v1/chat/completions", pieces, {"Authorization": f"Bearer {at.meter.key}"}, encode_chunked=True
        )
        assert connection.getresponse().status == 200
        connection.close()
    assert at.server.asked == [{"model": "m", "messages": []}]


@pytest.mark.parametrize(
    ("caps", "turns", "spent", "why"),
    [
        (CAPS._replace(tokens=100), 50, Usage(), "the next call needs about"),
        (CAPS._replace(usd=0.01), 50, Usage(1, 1, 0, 1, 0.02), "0.0200 USD are spent, the cap is 0.01"),
        (CAPS._replace(minutes=0), 50, Usage(), "0 minutes are over"),
        (CAPS, 0, Usage(), "0 requests are made, which is the cap"),
    ],
    ids=["tokens", "money", "time", "turns"],
)
def test_a_cap_is_checked_before_the_server_is_asked(caps: Caps, turns: int, spent: Usage, why: str) -> None:
    with metered(caps=caps, turns=turns, spent=spent) as at:
        for _ in range(3):
            status, said = at.ask()
            assert status == 402
            assert json.loads(said)["error"]["message"].startswith(f"split-ci: the budget is used up: {why}")
        assert at.server.asked == []
        assert at.journal.lines == []
    assert at.refused == [1]
    assert at.meter.refusal.startswith(why)


def test_a_loop_ends_at_the_cap() -> None:
    with metered(caps=CAPS._replace(tokens=5000)) as at:
        statuses = [at.ask()[0] for _ in range(8)]
    assert statuses == [200] * 4 + [402] * 4
    assert at.account.usage.calls == 4


BROKEN: dict[str, tuple[int | None, Usage, str]] = {
    "500": (500, Usage(1), "the model's server said 500"),
    "529": (529, Usage(1), "the model's server said 529"),
    "429": (429, Usage(1), "the model's server said 429"),
    "401": (401, Usage(1), "the model's server said 401"),
    "echo": (400, Usage(1), "the model's server said 400"),
    "redirect": (502, Usage(1, 7, 0, 0, None), "it answers with a redirect (307), which is not followed"),
    "zipped": (502, Usage(1, 7, 0, 0, None), "its answer is compressed, which was not asked for"),
    "nothing": (
        502,
        Usage(1, 7, 0, 0, None),
        "the model's server can't be used: Remote end closed connection without response",
    ),
    "short": (None, Usage(1, 7, 0, 2, None), "the model's server can't be used: IncompleteRead"),
    "html": (200, Usage(1, 7, 0, 5, None), ""),
    "silent": (200, Usage(1, 7, 0, 147, None), ""),
    "negative": (200, Usage(1, 7, 0, 93, None), ""),
}


@pytest.mark.parametrize("mood", BROKEN)
def test_a_server_that_is_broken(mood: str) -> None:
    """What it may have cost is known to the account all the same, guesses as such."""
    status, usage, trouble = BROKEN[mood]
    with metered(mood) as at:
        if status is None:
            with pytest.raises(http.client.IncompleteRead):
                at.ask()
        else:
            assert at.ask()[0] == status
    assert at.journal.lines == [None, at.account.usage]
    assert at.account.usage._replace(output=0) == usage._replace(output=0)
    assert (at.account.usage.output > 0) == (usage.output > 0)
    assert trouble in at.meter.trouble
    assert bool(trouble) == bool(at.meter.trouble)
    assert at.meter.guessed == (usage.usd is None)


def test_half_a_stream_is_a_guess() -> None:
    with metered("half") as at, pytest.raises(http.client.IncompleteRead):
        at.ask("messages", {"stream": True})
    assert at.account.usage.calls == 1
    assert at.account.usage.usd is None
    assert at.account.usage.output > 0


def test_a_server_that_is_not_there_costs_nothing() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        account = Account(CAPS, Asker(), Kept())
        upstream = Upstream(f"http://127.0.0.1:{free.getsockname()[1]}/v1", KEY, "m")
        with Meter(upstream, account, turns=9) as meter:
            meter.serve_loopback()
            at = Metered(meter, None, account, Kept(), [])  # type: ignore[arg-type]
            assert at.ask()[0] == 502
    assert account.usage == Usage(1)


def test_a_server_that_only_fails_is_not_asked_for_ever() -> None:
    with metered("503") as at:
        for _ in range(MOST_FAILURES - 1):
            at.ask()
        assert at.refused == [0]
        at.ask()
        assert at.refused == [1]
    assert at.meter.again


def test_guesses_count_against_the_money() -> None:
    """Who doesn't say what an answer cost can't be asked for ever on that account."""
    with metered("silent", caps=CAPS._replace(usd=0.003)) as at:
        statuses = [at.ask()[0] for _ in range(4)]
    assert statuses[-1] == 402
    assert at.account.usage.usd is None


@pytest.mark.parametrize("mood", ["hang", "drip"])
def test_leaving_ends_what_hangs_and_knows_its_cost(mood: str) -> None:
    with metered(mood) as at:
        thread = threading.Thread(target=swallow, args=(at,))
        thread.start()
        while not at.server.asked:
            time.sleep(0.01)
        at.meter.__exit__(None, None, None)
        assert len(at.journal.lines) == 2
        assert at.account.usage.usd is None
        at.server.closing.set()
        thread.join()


def swallow(at: Metered) -> None:
    try:
        at.ask()
    except (OSError, http.client.HTTPException):
        return


def test_an_agent_that_leaves_in_the_middle() -> None:
    with metered("drip") as at:
        with socket.create_connection(("127.0.0.1", at.meter.port)) as line:
            body = json.dumps({"model": "m", "messages": []})
            line.sendall(
                f"POST /v1/messages HTTP/1.1\r\nx-api-key: {at.meter.key}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            assert line.recv(15) == b"HTTP/1.1 200 OK"
        while len(at.journal.lines) < 2:
            time.sleep(0.01)
        assert at.ask("models")[0] == 404
    assert at.account.usage.usd is None


def test_many_at_once_are_counted_once_each() -> None:
    with metered() as at:
        threads = [threading.Thread(target=at.ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert at.account.usage.calls == 12
    assert at.account.usage.input == 12 * INPUT
    assert at.journal.lines.count(None) == 12


def test_what_is_in_flight_is_held_back_from_the_cap() -> None:
    """Requests side by side can't each spend what is left once."""
    with metered("hang", caps=CAPS._replace(tokens=3000)) as at:
        big = {"messages": ["x" * 8000]}
        first = threading.Thread(target=swallow_big, args=(at, big))
        first.start()
        while not at.server.asked:
            time.sleep(0.01)
        assert at.ask(body=big)[0] == 402
        at.server.closing.set()
        first.join()


def swallow_big(at: Metered, body: dict[str, Any]) -> None:
    try:
        at.ask(body=body)
    except (OSError, http.client.HTTPException):
        return


def test_a_socket_whose_path_is_long(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with (
        model_server() as server,
        Meter(Upstream(f"{server.url}/v1", KEY, "m"), Account(CAPS, Asker(), Kept()), turns=9) as meter,
    ):
        meter.serve_unix(str(folder))
        assert (folder / "meter").is_socket()
        near = tmp_path.parent / "m"
        near.symlink_to(folder)
        line = socket.socket(socket.AF_UNIX)
        line.connect(f"{near}/meter")
        body = b'{"model": "m"}'
        line.sendall(
            b"POST /v1/responses HTTP/1.1\r\nAuthorization: Bearer %s\r\nContent-Length: 14\r\n\r\n%s"
            % (meter.key.encode(), body)
        )
        assert line.recv(12) == b"HTTP/1.1 200"
        line.close()
