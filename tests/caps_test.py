"""Caps: each is checked before a call, and what a call cost is written down whatever became of it."""

from __future__ import annotations

import pytest

from split_ci import caps, config, spec
from split_ci.errors import WorldError
from split_ci.ports import Asker, Message, Reply, Request, Usage

CAPS = caps.Caps(rounds=3, minutes=1.0, tokens=2000, usd=0.05)
REQUEST = Request("be brief", (Message("user", "hello"),))


class Speaker:
    name, recorded = "speaker", False

    def __init__(self, *answers: Usage | WorldError) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    def ask(self, request: Request) -> Reply:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, WorldError):
            raise answer
        return Reply("yes", answer, "speaker-1")


class Diary:
    def __init__(self) -> None:
        self.lines: list[object] = []

    def started(self) -> None:
        self.lines.append("started")

    def ended(self, usage: Usage) -> None:
        self.lines.append(usage)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def account(**more: object) -> caps.Account:
    given: dict[str, object] = {"journal": caps.Silent(), **more}
    return caps.Account(CAPS, Asker("implementer", "a", 2), **given)  # type: ignore[arg-type]


def test_a_call_is_journaled_before_and_after_and_added_up() -> None:
    diary, speaker = Diary(), Speaker(Usage(1, 100, 0, 20, 0.01), Usage(1, 200, 100, 30, 0.01))
    mine = account(journal=diary)
    mine.ask(speaker, REQUEST)
    assert diary.lines == ["started", Usage(1, 100, 0, 20, 0.01)]
    mine.ask(speaker, REQUEST)
    assert mine.usage == Usage(2, 300, 100, 50, 0.02)
    assert mine.tokens_left() == 2000 - 350


def test_a_request_says_who_asks_and_how_long_and_how_much_is_left() -> None:
    clock, speaker = Clock(), Speaker(Usage(1, 100, 0, 20, 0.01))
    mine = account(clock=clock)
    clock.now += 20
    mine.ask(speaker, REQUEST)
    assert speaker.requests[0].asker == Asker("implementer", "a", 2)
    assert speaker.requests[0].seconds == 40
    assert speaker.requests[0].max_tokens == 2000 - caps.estimate(REQUEST)


def test_a_failed_call_counts_and_is_journaled() -> None:
    diary = Diary()
    mine = account(journal=diary)
    with pytest.raises(WorldError, match="gone"):
        mine.ask(Speaker(WorldError("gone")), REQUEST)
    with pytest.raises(caps.CallFailed, match="cut"):
        mine.ask(Speaker(caps.CallFailed("cut", usage=Usage(1, 9, 0, 1, None))), REQUEST)
    assert diary.lines == ["started", Usage(1), "started", Usage(1, 9, 0, 1, None)]
    assert mine.usage == Usage(2, 9, 0, 1, None)


def test_minutes() -> None:
    clock, speaker = Clock(), Speaker(Usage(1))
    mine = account(clock=clock)
    clock.now += 60
    with pytest.raises(caps.OverLimit, match=r"^1 minutes are over$"):
        mine.ask(speaker, REQUEST)
    assert speaker.requests == []


REFUSED = {
    "money": (Usage(1, 1, 0, 1, 0.05), "0.0500 USD are spent, the cap is 0.05"),
    "tokens": (Usage(1, 1700, 0, 200, 0.0), "the next call needs about 259 tokens, 100 of 2000 are left"),
    "tokens, cached ones too": (Usage(1, 1900, 1900, 0, None), "the next call needs about 259 tokens, 100 of 2000 are left"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_earlier_attempts_cost_counts(name: str) -> None:
    spent, message = REFUSED[name]
    speaker, diary = Speaker(Usage(1)), Diary()
    with pytest.raises(caps.OverLimit) as refused:
        account(spent=spent, journal=diary).ask(speaker, REQUEST)
    assert refused.value.message == message
    assert (speaker.requests, diary.lines) == ([], [])


def test_an_unknown_price_leaves_the_other_caps() -> None:
    assert account(spent=Usage(9, 10, 0, 10, None)).ask(Speaker(Usage(1)), REQUEST).text == "yes"


def test_the_day_is_shared() -> None:
    day = caps.Day(0.02, spent_usd=0.005)
    account(day=day).ask(Speaker(Usage(1, 1, 0, 1, 0.015)), REQUEST)
    speaker = Speaker(Usage(1))
    with pytest.raises(caps.OverLimit, match=r"^0\.0200 USD are spent today, the cap is 0\.02$"):
        account(day=day).ask(speaker, REQUEST)
    assert speaker.requests == []


def test_a_spec_lowers_a_cap_and_never_raises_it() -> None:
    default = config.Limits()
    assert caps.caps_of(spec.Limits(), default) == caps.Caps(3, 10.0, 100_000, 0.25)
    assert caps.caps_of(spec.Limits(rounds=1, minutes=2.5, tokens=5, usd=0.01), default) == caps.Caps(1, 2.5, 5, 0.01)
    assert caps.caps_of(spec.Limits(rounds=9, minutes=99, tokens=10**9, usd=100), default) == caps.Caps(
        3, 10.0, 100_000, 0.25
    )
