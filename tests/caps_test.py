"""Caps: each is checked before a call, and what a call cost is written down whatever became of it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from split_ci import caps, config, spec
from split_ci.errors import WorldError
from split_ci.past import question_of
from split_ci.ports import Asker, Message, Past, Reply, Request, Usage

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


class Diary(caps.Silent):
    def __init__(self, past: Past | None = None) -> None:
        self.lines: list[object] = []
        self.past = past

    def started(self) -> None:
        self.lines.append("started")

    def ended(self, usage: Usage, question: str = "", reply: Reply | None = None) -> None:
        self.lines.append((usage, question, reply.text) if question and reply else usage)


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


class Meeting(Speaker):
    """Answers once so many callers have come, or after a while."""

    def __init__(self, callers: int, usage: Usage) -> None:
        super().__init__(usage)
        self._usage, self.met = usage, threading.Barrier(callers)

    def ask(self, request: Request) -> Reply:
        with suppress(threading.BrokenBarrierError):
            self.met.wait(0.05)
        return Reply("yes", self._usage, "speaker-1")


def side_by_side(day: caps.Day, speaker: Speaker, callers: int) -> list[str]:
    """What each of them was told."""

    def one(_: int) -> str:
        try:
            return account(day=day).ask(speaker, REQUEST).text
        except caps.OverLimit as refused:
            return refused.message

    with ThreadPoolExecutor(callers) as threads:
        return list(threads.map(one, range(callers)))


def test_calls_side_by_side_pass_the_days_cap_by_one_at_the_most() -> None:
    told = side_by_side(caps.Day(0.02), Meeting(6, Usage(1, 1, 0, 1, 0.015)), 6)
    assert sorted(told) == ["0.0300 USD are spent today, the cap is 0.02"] * 4 + ["yes"] * 2


def test_calls_that_the_day_has_room_for_do_not_wait() -> None:
    speaker = Meeting(4, Usage(1, 1, 0, 1, 0.015))
    assert side_by_side(caps.Day(5.0), speaker, 4) == ["yes"] * 4
    assert not speaker.met.broken


def test_what_is_set_aside_is_given_back_where_the_journal_can_not_be_written() -> None:
    class Full(Diary):
        def started(self) -> None:
            raise OSError(28, "No space left on device")

    day = caps.Day(0.05)
    with pytest.raises(OSError, match="No space"):
        account(day=day, journal=Full()).ask(Speaker(Usage(1)), REQUEST)
    assert account(day=day).ask(Speaker(Usage(1)), REQUEST).text == "yes"


def test_a_spec_lowers_a_cap_and_never_raises_it() -> None:
    default = config.Limits()
    assert caps.caps_of(spec.Limits(), default) == caps.Caps(3, 10.0, 100_000, 0.25)
    assert caps.caps_of(spec.Limits(rounds=1, minutes=2.5, tokens=5, usd=0.01), default) == caps.Caps(1, 2.5, 5, 0.01)
    assert caps.caps_of(spec.Limits(rounds=9, minutes=99, tokens=10**9, usd=100), default) == caps.Caps(
        3, 10.0, 100_000, 0.25
    )


TOPICAL = REQUEST._replace(topic="t")
ONE, TWO = Usage(1, 100, 0, 20, 0.01), Usage(1, 30, 0, 5, 0.002)


def past(*usages: Usage, asked: Request = TOPICAL) -> Past:
    """What a run that died had paid for; the first call's answer is there."""
    known = {question_of(asked): Reply("as before", usages[0], "speaker-1")}
    return Past("a" * 16, "2026-01-02T03:04:05Z", (), None, sum(usages, Usage()), known)


def test_an_answer_is_kept_with_its_question() -> None:
    diary = Diary()
    account(journal=diary).ask(Speaker(ONE), TOPICAL)
    assert diary.lines == ["started", (ONE, question_of(TOPICAL), "yes")]


def test_what_a_run_that_died_had_paid_for_is_not_asked_again() -> None:
    diary, speaker = Diary(past(ONE)), Speaker(TWO)
    day = caps.Day(5.0, spent_usd=0.01)
    mine = account(journal=diary, day=day)
    assert mine.tokens_left() == 2000  # as the first prompt was made
    assert mine.ask(speaker, TOPICAL).text == "as before"
    assert (speaker.requests, diary.lines, mine.usage) == ([], [], ONE)
    assert mine.tokens_left() == 2000 - 120
    further = TOPICAL._replace(messages=(*TOPICAL.messages, Message("assistant", "as before"), Message("user", "and?")))
    assert mine.ask(speaker, further).text == "yes"
    assert mine.usage == ONE + TWO
    assert mine.tokens_left() == 2000 - 155


def test_another_question_is_asked_and_everything_paid_counts() -> None:
    speaker = Speaker(TWO)
    mine = account(journal=Diary(past(ONE)))
    other = TOPICAL._replace(topic="other")
    assert mine.ask(speaker, other).text == "yes"
    assert mine.usage == ONE + TWO
    assert mine.tokens_left() == 2000 - 155


def test_money_that_a_dead_run_paid_is_under_the_cap() -> None:
    mine = account(journal=Diary(past(ONE._replace(usd=0.06))))
    assert mine.ask(Speaker(), TOPICAL).text == "as before"  # it costs nothing more
    with pytest.raises(caps.OverLimit, match=r"0\.0600 USD are spent, the cap is 0\.05"):
        mine.ask(Speaker(), TOPICAL._replace(topic="other"))


def test_marks_and_times_of_a_text_make_no_other_question() -> None:
    one = TOPICAL._replace(messages=(Message("user", "MARK is a. took 0.1 s"),))
    assert question_of(one) == question_of(one._replace(messages=(Message("user", "MARK is b. took 0.2 s"),)))
    assert question_of(one) != question_of(one._replace(topic="u"))
    assert question_of(one) != question_of(one._replace(messages=(*one.messages, Message("assistant", "yes"))))
    assert question_of(REQUEST) == ""
