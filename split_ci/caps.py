"""Caps: rounds, minutes, tokens and money, checked at one place before each call to a model."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from split_ci.errors import WorldError
from split_ci.past import question_of
from split_ci.ports import Asker, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from split_ci import config, spec
    from split_ci.ledger import Entry
    from split_ci.ports import Attempt, Model, Past, Reply, Request, Workplace

BYTES_A_TOKEN = 4  # of English and code, about; the server's own count replaces the guess after each call
FEWEST_TOKENS = 256  # an answer with less room is not worth its prompt


class OverLimit(WorldError):
    """A call that was not made, because a cap is reached. Its message names the cap."""


class DayIsSpent(OverLimit):
    """Not made today: tomorrow has money of its own."""


class CallFailed(WorldError):
    """A call that was made and gave no usable answer. `usage` is what it may have cost all the same."""

    def __init__(self, message: str, *, hint: str = "", again: bool = False, usage: Usage | None = None) -> None:
        super().__init__(message, hint=hint, again=again)
        self.usage = usage or Usage(calls=1)


class Journal(Protocol):
    """What one attempt's calls cost, written down before and after each of them. `past`: what a run that died got for it."""

    @property
    def past(self) -> Past | None: ...

    def started(self) -> None: ...

    def ended(self, usage: Usage, question: str = "", reply: Reply | None = None) -> None: ...

    def made(self, attempt: Attempt) -> None: ...

    def works_in(self, place: Workplace, release: Callable[[], None]) -> str: ...


class Silent:
    """A journal that keeps nothing."""

    past: Past | None = None

    def started(self) -> None:
        return

    def ended(self, usage: Usage, question: str = "", reply: Reply | None = None) -> None:  # noqa: ARG002 - the port
        return

    def made(self, attempt: Attempt) -> None:  # noqa: ARG002 - the port
        return

    def works_in(self, place: Workplace, release: Callable[[], None]) -> str:  # noqa: ARG002 - the port
        return ""


def no_journal(_entry: Entry, _topic: str) -> Journal:
    """Opens no journal: for a run that nobody has to recover."""
    return Silent()


class Caps(NamedTuple):
    """What one spec may cost over all of its rounds, for one role."""

    rounds: int
    minutes: float
    tokens: int
    usd: float


def caps_of(limits: spec.Limits, defaults: config.Limits) -> Caps:
    """A spec's own caps, the configuration's where it names none. A spec can lower a cap and not raise it."""
    return Caps(
        rounds=defaults.rounds if limits.rounds is None else min(limits.rounds, defaults.rounds),
        minutes=defaults.minutes if limits.minutes is None else min(limits.minutes, defaults.minutes),
        tokens=defaults.tokens if limits.tokens is None else min(limits.tokens, defaults.tokens),
        usd=defaults.usd if limits.usd is None else min(limits.usd, defaults.usd),
    )


class Day:
    """The money of one day, shared by every spec of a process; safe between threads.

    What a call may cost is set aside before it, so that calls side by side go past the cap by no more than one alone would:
    where what is left may not do for one more, it waits until another has ended.
    """

    def __init__(self, usd: float, spent_usd: float = 0.0) -> None:
        self.usd = usd
        self._spent = spent_usd
        self._aside = 0.0
        self._changed = threading.Condition()

    def add(self, usd: float | None) -> None:
        with self._changed:
            self._spent += usd or 0.0

    def refusal(self) -> str | None:
        with self._changed:
            return self._refusal()

    def set_aside(self, usd: float, seconds: float) -> None:
        """Waits, for some seconds at the most, until this much may be spent. Raises OverLimit. One `free` follows."""
        with self._changed:
            self._changed.wait_for(lambda: self._refusal() or not self._aside or self._fits(usd), seconds)
            refusal = self._refusal()
            if refusal is None and self._aside and not self._fits(usd):
                refusal = f"what is left of {self.usd:g} USD for today is set aside for other calls"
            if refusal:
                raise DayIsSpent(refusal, hint="limits.usd_per_day")
            self._aside += usd

    def free(self, usd: float) -> None:
        """Gives back what was set aside; what it cost is added before."""
        with self._changed:
            self._aside = max(0.0, self._aside - usd)
            self._changed.notify_all()

    def _refusal(self) -> str | None:
        return f"{self._spent:.4f} USD are spent today, the cap is {self.usd:g}" if self._spent >= self.usd else None

    def _fits(self, usd: float) -> bool:
        return self._spent + self._aside + usd <= self.usd


class Account:
    """The calls of one attempt: each is refused past a cap, else journaled before and after, and added up.

    `spent` is what earlier attempts of the spec cost in this role: the caps go over all of them; minutes are this attempt's.
    Where a run died in the middle of it, its cost counts on, and its answers are given again without a call.
    """

    def __init__(
        self,
        caps: Caps,
        asker: Asker,
        journal: Journal,
        *,
        day: Day | None = None,
        spent: Usage = Usage(),  # noqa: B008 - a value, not a mutable default
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        past = journal.past
        self.caps = caps
        self.usage = past.usage if past else Usage()
        self._answers = dict(past.answers) if past else {}
        self._heard = Usage()  # of `usage`, what the conversation has come to: prompts are made for what is left then
        self._asker = asker
        self._journal = journal
        self._day = day
        self._spent = spent
        # what is known of the money, guesses included: an unknown price lifts no cap
        self._usd = (spent.usd or 0.0) + (self.usage.usd or 0.0)
        self._in_flight = 0
        self._aside = 0.0  # of the day's money, as long as calls are in flight: all that the spec's cap leaves
        self._clock = clock
        self._end = clock() + caps.minutes * 60

    def tokens_left(self) -> int:
        """How many tokens of the cap are left for the prompts and answers to come."""
        total = self._spent + (self._heard if self._answers else self.usage)
        return max(0, self.caps.tokens - total.input - total.output)

    def ask(self, model: Model, request: Request) -> Reply:
        """The model's answer. Raises OverLimit where a cap forbids the call, and whatever the model raises."""
        question = question_of(request)
        known = self._answers.pop(question, None)
        if known is not None:
            self._heard += known.usage
            return known
        self._answers = {}
        room = self._room(estimate(request))
        seconds = self.begin(estimate(request))
        asked = request._replace(asker=self._asker, seconds=seconds, max_tokens=min(request.max_tokens, room))
        try:
            reply = model.ask(asked)
        except WorldError as error:
            self.end(error.usage if isinstance(error, CallFailed) else Usage(calls=1))
            raise
        self.end(reply.usage, question=question, reply=reply)
        return reply

    def begin(self, tokens: int) -> float:
        """Allows and journals a call with a prompt of about so many tokens; the seconds that it may take. Raises OverLimit.

        Every `begin` is followed by one `end`. For who makes calls by itself; one thread at a time.
        """
        self._room(tokens)
        if self._day is not None and not self._in_flight:
            aside = self.caps.usd - self._usd
            self._day.set_aside(aside, self.seconds_left())
            self._aside = aside
        self._in_flight += 1
        try:
            self._journal.started()
        except BaseException:
            self._leave()
            raise
        return self.seconds_left()

    def end(self, usage: Usage, guess_usd: float = 0.0, *, question: str = "", reply: Reply | None = None) -> None:
        """What a call cost, and its answer. `guess_usd` is counted against the caps where its price isn't known."""
        self.usage += usage
        usd = guess_usd if usage.usd is None else usage.usd
        self._usd += usd
        if self._day is not None:
            self._day.add(usd)
        self._leave()
        self._journal.ended(usage, question, reply)

    def _leave(self) -> None:
        self._in_flight -= 1
        if self._day is not None and not self._in_flight:
            self._day.free(self._aside)

    def works_in(self, place: Workplace, release: Callable[[], None]) -> str:
        """As `ports.Account`."""
        return self._journal.works_in(place, release)

    def seconds_left(self) -> float:
        """How long this attempt may go on."""
        return max(0.0, self._end - self._clock())

    def _room(self, tokens: int) -> int:
        """How many tokens the answer to a prompt may have. Raises OverLimit."""
        if self._clock() >= self._end:
            raise OverLimit(f"{self.caps.minutes:g} minutes are over", hint="limits.minutes")
        if self._usd >= self.caps.usd:
            raise OverLimit(f"{self._usd:.4f} USD are spent, the cap is {self.caps.usd:g}", hint="limits.usd")
        today = self._day.refusal() if self._day else None
        if today:
            raise DayIsSpent(today, hint="limits.usd_per_day")
        room = self.tokens_left() - tokens
        if room < FEWEST_TOKENS:
            raise OverLimit(
                f"the next call needs about {tokens + FEWEST_TOKENS} tokens, "
                f"{self.tokens_left()} of {self.caps.tokens} are left",
                hint="limits.tokens",
            )
        return room


def estimate(request: Request) -> int:
    """About how many tokens a prompt has."""
    texts = (request.system, *(m.text for m in request.messages))
    return sum(len(text.encode()) for text in texts) // BYTES_A_TOKEN
