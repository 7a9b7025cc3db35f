"""The lines of a journal: what one attempt paid for, and what it got for it. Text in, values out.

The first is the ledger's entry as the attempt began. Then, each on its line: what it is about (`topic`), each call before it
leaves (`started`) and after it (`ended`, with the answer), where an agent works (`works`) until what it made there is safe
(`left`), what its implementer made of it all (`made`), and that whoever asked has it (`over`).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from split_ci import __version__
from split_ci.changeset import (
    MAX_CHANGES,
    MAX_PATH,
    Changed,
    change_value,
    content_value,
    read_change,
    read_outcome,
    read_path,
    read_spec,
)
from split_ci.errors import Refused
from split_ci.fields import canonical, read_object
from split_ci.ledger import INTERRUPTED, Entry, line_of, read_line
from split_ci.ports import Attempt, Past, Reply, Usage, Workplace
from split_ci.verdict import read_usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from split_ci.fields import Fields
    from split_ci.ports import Request

STARTED, ENDED, TOPIC, MADE, OVER, WORKS, LEFT = "started", "ended", "topic", "made", "over", "works", "left"
EVENTS = (STARTED, ENDED, TOPIC, MADE, OVER, WORKS, LEFT)
STOPS = ("end", "length", "refusal")
MAX_LINE = 16 * 1024 * 1024  # a longer answer is paid for, and not kept


class Told(NamedTuple):
    """A journal as it was read: the attempt as an interrupted one, and what can be used of it."""

    entry: Entry
    topic: str = ""
    answers: Mapping[str, Reply] = {}
    made: Attempt | None = None
    place: Workplace | None = None  # where changes may lie that are nowhere else

    @property
    def worth_keeping(self) -> bool:
        """Whether whoever asks the same again is spared a call."""
        return bool(self.topic and (self.answers or self.made))

    def past(self) -> Past:
        entry = self.entry
        return Past(
            entry.attempt, entry.at, entry.lessons, entry.lessons_at, entry.usage, self.answers, entry.held, self.made
        )


def topic_of(*parts: object) -> str:
    """A topic: the same for the same parts and the same version of this program."""
    return sha256(canonical([__version__, *parts]).encode()).hexdigest()


def question_of(request: Request) -> str:
    """Which question a request is: the answers so far say what is asked, marks and times of its text don't. Empty: any."""
    if not request.topic:
        return ""
    answers = [message.text for message in request.messages if message.role == "assistant"]
    return sha256(canonical([request.topic, *answers]).encode()).hexdigest()


def first_lines(entry: Entry, topic: str) -> str:
    return line_of(entry) + "\n" + (canonical({"event": TOPIC, "topic": topic}) + "\n" if topic else "")


def started_line() -> str:
    return canonical({"event": STARTED}) + "\n"


def ended_line(usage: Usage, question: str = "", reply: Reply | None = None) -> str:
    """What a call cost, and its answer where it is to be found again."""
    value: dict[str, object] = {"event": ENDED, "usage": usage._asdict()}
    if question and reply is not None:
        answer = {"text": reply.text, "model": reply.model, "stop": reply.stop}
        line = canonical({**value, "question": question, "answer": answer}) + "\n"
        if len(line) <= MAX_LINE:
            return line
    return canonical(value) + "\n"


def over_line() -> str:
    return canonical({"event": OVER}) + "\n"


def works_line(place: Workplace) -> str:
    """Where an agent works; empty where that is too much to keep."""
    line = canonical({"event": WORKS, **place._asdict(), "spec": content_value(place.spec)}) + "\n"
    return line if len(line) <= MAX_LINE else ""


def left_line() -> str:
    return canonical({"event": LEFT}) + "\n"


def made_line(attempt: Attempt) -> str:
    """What an implementer made; empty where that is too much to keep."""
    files = [change_value(Changed(path, file, None, "model")) for path, file in sorted(attempt.files.items())]
    line = canonical({"event": MADE, "files": files, "outcome": attempt.outcome._asdict()}) + "\n"
    return line if len(line) <= MAX_LINE else ""


def read_journal(data: bytes) -> Told | None:
    """The attempt in a journal's bytes. A call without its end is one of unknown cost; a line that was cut off is none."""
    first, *rest = data.decode(errors="replace").split("\n")
    try:
        entry = read_line(first)
    except Refused:
        return None
    told = Told(entry)
    usage, open_calls = Usage(), 0
    for event, fields in _events(rest):
        try:
            if event == STARTED:
                open_calls += 1
            elif event == ENDED:
                spent = read_usage(fields.object("usage"))
                usage, open_calls = usage + spent, open_calls - 1
                told = told._replace(answers={**told.answers, **_answer(fields, spent)})
            elif event == TOPIC:
                told = told._replace(topic=fields.hex("topic", (64,)))
            elif event == OVER:
                told = told._replace(topic="")
            elif event == WORKS:
                told = told._replace(place=_place(fields))
            elif event == LEFT:
                told = told._replace(place=None)
            else:
                told = told._replace(made=_made(fields))
        except Refused:
            continue
    usage += Usage(calls=max(0, open_calls), usd=None if open_calls > 0 else 0.0)
    return told._replace(entry=entry._replace(usage=usage, outcome="failed", reason=INTERRUPTED))


def _events(lines: Iterable[str]) -> Iterable[tuple[str, Fields]]:
    for line in lines:
        if line:
            try:
                fields = read_object(line, "journal", 2 * MAX_LINE)
                yield fields.one_of("event", EVENTS), fields
            except Refused:
                continue


def _answer(fields: Fields, usage: Usage) -> Mapping[str, Reply]:
    if "question" not in fields:
        return {}
    question, answer = fields.hex("question", (64,)), fields.object("answer")
    stop = cast("Literal['end', 'length', 'refusal']", answer.one_of("stop", STOPS))
    return {question: Reply(answer.text("text", MAX_LINE), usage, answer.text("model"), stop)}


def _place(fields: Fields) -> Workplace:
    return Workplace(
        fields.text("root", MAX_PATH), fields.text("mark", 64), read_spec(fields.object("spec")),
        read_path(fields, "spec_path"), fields.hex_or_none("parent"),
    )  # fmt: skip


def _made(fields: Fields) -> Attempt:
    files = fields.objects("files", read_change, MAX_CHANGES)
    return Attempt({change.path: change.file for change in files}, Usage(), read_outcome(fields.object("outcome")))
