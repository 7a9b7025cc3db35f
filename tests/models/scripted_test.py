"""Recorded replies: found by who asks, the same every time, and never a silent guess."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from split_ci import models
from split_ci.caps import CallFailed
from split_ci.config import ModelConfig, Price
from split_ci.errors import UsageError, WorldError
from split_ci.models.row import key_of
from split_ci.models.scripted import Recorder, Scripted, read_replies, turn_of
from split_ci.ports import Asker, Message, Reply, Request, Usage

if TYPE_CHECKING:
    from pathlib import Path

REPLIES = """\
replies:
  - match: {role: architect}
    text: fine
  - match: {spec: a, turn: 2}
    text: second
  - match: {spec: a, round: 2}
    text: another round
  - match: {spec: a, prompt: "fix.*this"}
    text: |
      fixed
    usage: {input: 900, cached: 100, output: 120, usd: 0.0004}
    model: small-1
    stop: length
  - match: {spec: b}
    fail: the server is down
"""


def request(
    spec: str = "a", *, nth: int = 1, role: str = "implementer", said: tuple[str, ...] = ("please fix\nthis",)
) -> Request:
    messages = tuple(Message("assistant" if n % 2 else "user", text) for n, text in enumerate(said))
    return Request("system", messages, asker=Asker(role, spec, nth))  # type: ignore[arg-type]


def scripted(text: str = REPLIES) -> Scripted:
    return Scripted(read_replies(text.encode(), "replies.yaml"))


FOUND = {
    "by role": (request(role="architect"), "fine"),
    "by turn": (request(said=("x", "y", "z")), "second"),
    "by round": (request(nth=2), "another round"),
    "by prompt, over lines": (request(), "fixed\n"),
}


@pytest.mark.parametrize("name", FOUND)
def test_a_reply_is_found(name: str) -> None:
    asked, text = FOUND[name]
    assert scripted().ask(asked).text == text
    assert scripted().ask(asked) == scripted().ask(asked)


def test_a_reply_says_what_it_cost_and_who_gave_it() -> None:
    assert scripted().ask(request()) == Reply("fixed\n", Usage(1, 900, 100, 120, 0.0004), "small-1", "length")
    assert (scripted().name, scripted().recorded) == ("scripted", True)


def test_a_prompt_that_nothing_fits_is_named() -> None:
    with pytest.raises(WorldError) as error:
        scripted().ask(request("c", said=("do   it\nnow",)))
    assert error.value.message == "scripted: no recorded reply for role implementer, spec c, round 1, turn 1: 'do it now'"


def test_a_failure_can_be_recorded() -> None:
    with pytest.raises(CallFailed, match=r"^scripted: the server is down \(recorded\)$"):
        scripted().ask(request("b"))


def test_many_threads_get_what_one_gets() -> None:
    model = scripted()
    asked = [found[0] for found in FOUND.values()] * 50
    with ThreadPoolExecutor(14) as pool:
        assert [r.text for r in pool.map(model.ask, asked)] == [found[1] for found in FOUND.values()] * 50


BAD = {
    "not yaml": ("replies: [", "r: not YAML: while parsing a flow node"),
    "no list": ("replies: 1", "r: a file of replies has one key, `replies`, with a list"),
    "not a mapping": ("replies: [x]", "r: reply 1: not a mapping"),
    "unknown key": ("replies: [{txt: a}]", "r: reply 1: unknown key 'txt'"),
    "neither": ("replies: [{match: {}}]", "r: reply 1: it has either `text` or `fail`, in words"),
    "both": ("replies: [{text: a, fail: b}]", "r: reply 1: it has either `text` or `fail`, in words"),
    "text that is no text": ("replies: [{text: 1}]", "r: reply 1: it has either `text` or `fail`, in words"),
    "match key": ("replies: [{text: a, match: {rol: a}}]", "r: reply 1: match: unknown key 'rol'"),
    "match type": ("replies: [{text: a, match: {turn: 'one'}}]", "r: reply 1: match.turn: 'one' is not a whole number"),
    "match regex": (
        "replies: [{text: a, match: {prompt: '('}}]",
        "r: reply 1: match.prompt: missing ), unterminated subpattern",
    ),
    "usage": ("replies: [{text: a, usage: {input: -1}}]", "r: reply 1: usage.input: -1 is not a number from 0"),
    "usage that is no count": (
        "replies: [{text: a, usage: {usd: .nan}}]",
        "r: reply 1: usage.usd: nan is not a number from 0",
    ),
    "usage of nobody": (
        f"replies: [{{text: a, usage: {{output: {10**30}}}}}]",
        f"r: reply 1: usage.output: {10**30} is not a number",
    ),
    "stop": ("replies: [{text: a}, {text: a, stop: bored}]", "r: reply 2: stop: 'bored' is none of end, length, refusal"),
    "tags": ("replies: !!python/object/apply:os.system [ls]", "r: not YAML: could not determine a constructor"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_of_replies(name: str) -> None:
    text, message = BAD[name]
    with pytest.raises(UsageError) as error:
        read_replies(text.encode(), "r")
    assert error.value.message.startswith(message)


def test_what_is_recorded_can_be_replayed(tmp_path: Path) -> None:
    path = tmp_path / "replies.json"
    recorder = Recorder(scripted(), str(path))
    asked = [request(), request(nth=2), request(said=("x", "y", "z"))]
    said = [recorder.ask(r) for r in asked]
    again = Scripted(read_replies(path.read_bytes(), str(path)))
    assert [again.ask(r) for r in asked] == said
    assert len(json.loads(path.read_text())["replies"]) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["replies.json"]


def test_a_row_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(REPLIES)
    row = ModelConfig("cheap", "scripted", "small", replies="r.yaml", price=Price(1.0, 0.1, 10.0))
    model = models.build(row, {models.RECORD: str(tmp_path / "not-me")}, str(tmp_path))
    assert model.ask(request()).usage == Usage(1, 900, 100, 120, 0.00201)
    assert not (tmp_path / "not-me").exists()
    with pytest.raises(UsageError, match=r"^models\.cheap\.api: 'gopher' is none of anthropic, openai, scripted$"):
        models.build(row._replace(api="gopher"), {})
    with pytest.raises(UsageError, match=r"nothing\.yaml: No such file or directory$"):
        models.build(row._replace(replies="nothing.yaml"), {}, str(tmp_path))
    with pytest.raises(UsageError, match=r"^models\.cheap\.replies: name the file of recorded replies$"):
        models.build(row._replace(replies=None), {}, str(tmp_path))


KEYS = {
    "not named": (None, {}, "models.m.key: name the environment variable that holds the key"),
    "not set": ("K", {}, "models.m: the environment variable K is not set"),
    "empty": ("K", {"K": ""}, "models.m: the environment variable K is not set"),
    "line end": ("K", {"K": "s3cret\n"}, "models.m: the value of K has blanks, quotes or line ends around it"),
    "quotes": ("K", {"K": "'s3cret'"}, "models.m: the value of K has blanks, quotes or line ends around it"),
    "inside": ("K", {"K": "s3\r\ncret"}, "models.m: the value of K has blanks, quotes or line ends around it"),
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_refused_unseen(name: str) -> None:
    variable, env, message = KEYS[name]
    with pytest.raises(UsageError) as error:
        key_of(ModelConfig("m", "openai", "x", key=variable), env)
    assert error.value.message == message
    assert key_of(ModelConfig("m", "openai", "x", key="K"), {"K": "s3cret"}) == "s3cret"


def test_turns_are_counted_by_answers() -> None:
    assert [turn_of(request(said=said)) for said in (("a",), ("a", "b", "c"), ("a", "b", "c", "d", "e"))] == [1, 2, 3]
