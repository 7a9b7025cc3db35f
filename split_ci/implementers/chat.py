"""A model in conversation as an implementer: a brief goes out, edit blocks come back, failures are answered, a few times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci import brief, failure, lesson, reply
from split_ci.caps import BYTES_A_TOKEN, OverLimit
from split_ci.changed_tree import ChangedTree
from split_ci.errors import Refused, WorldError
from split_ci.ports import Attempt, Message, Outcome, Request
from split_ci.prompts import read_prompt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.ports import File, Model, Reply, Task

TURNS = 4
IDLE = 3  # answers in a row that change nothing end the conversation


class Chat:
    """A `ports.Implementer` over any model. `turns` bounds the questions of one attempt."""

    def __init__(self, name: str, model: Model, turns: int = TURNS) -> None:
        self.name = name
        self.recorded = model.recorded
        self._model = model
        self._turns = turns

    def implement(self, task: Task) -> Attempt:
        """Files changed since the task's tree, and the outcome."""
        try:
            talk = Talk(task, given(task))
        except Refused as error:
            return Attempt({}, task.account.usage, Outcome("refused", error.message))
        fault = None
        try:
            outcome = self._converse(talk)
        except OverLimit as error:
            outcome = Outcome("over-limit", error.message)
        except WorldError as error:
            outcome, fault = Outcome("failed", error.message + (" (try again later)" if error.again else "")), error
        return Attempt(talk.changed(), task.account.usage, outcome, tuple(talk.messages), fault)

    def _converse(self, talk: Talk) -> Outcome:
        for _ in range(self._turns):
            request = Request(talk.brief.system, tuple(talk.messages), topic=talk.task.topic)
            outcome = talk.hear(talk.task.account.ask(self._model, request))
            if outcome is not None:
                return outcome
        return Outcome("failed", f"{self._turns} answers, and still: {failure.in_words(talk.faults)}")


def given(task: Task) -> brief.Brief:
    """The task's brief, with as much of the files as half of the tokens that are left can carry."""
    limit = min(brief.ALL_BYTES, task.account.tokens_left() * BYTES_A_TOKEN // 2)
    lessons = lesson.render_block(lesson.Chosen(task.lessons, ())) if task.lessons else ""
    return brief.render_brief(task, read_prompt("implementer"), lessons, limit_bytes=limit)


class Talk:
    """One conversation: what was said, what holds of it, and what is still wrong."""

    def __init__(self, task: Task, given: brief.Brief) -> None:
        self.task = task
        self.brief = given
        self.messages = [Message("user", given.text)]
        self.files: Mapping[str, File | None] = {}
        self.faults: tuple[reply.Fault, ...] = ()
        self._idle = 0  # answers in a row that changed nothing

    def hear(self, said: Reply) -> Outcome | None:
        """Takes an answer. The outcome where it ends the conversation, else None, and the next question is asked."""
        again = any(m.role == "assistant" and m.text == said.text for m in self.messages)
        self.messages.append(Message("assistant", said.text))
        taken = reply.apply_answer(reply.parse_answer(said.text, said.stop), self.task, self.files)
        self.files = taken.files
        faults = taken.faults or self._untouched()
        if not faults:
            return self._end()
        ended = self._stalled(faults, taken, again=again)
        self.faults = faults
        if ended:
            return Outcome("failed", ended)
        text = failure.render_failure(faults, taken.held, self._text, self.brief.mark)
        self.messages.append(Message("user", text))
        return None

    def changed(self) -> dict[str, File | None]:
        """What differs from the task's tree."""
        return {path: file for path, file in self.files.items() if self.task.tree.read(path) != file}

    def _end(self) -> Outcome:
        return Outcome("done") if self.changed() else Outcome("failed", "the answers change nothing")

    def _stalled(self, faults: Sequence[reply.Fault], taken: reply.Taken, *, again: bool) -> str:
        """Why it is no use to go on, or nothing."""
        self._idle = 0 if taken.held else self._idle + 1
        if faults[0].kind == "refused":
            return f"the model refused: {faults[0].detail or 'it said nothing'}"
        if again:
            return f"the same answer twice: {failure.in_words(faults)}"
        if not taken.held and _same(faults, self.faults):
            return f"the same error twice: {failure.in_words(faults)}"
        return f"{IDLE} answers without a change: {failure.in_words(faults)}" if self._idle >= IDLE else ""

    def _untouched(self) -> tuple[reply.Fault, ...]:
        changed = self.changed()
        missing = [group for group in self.task.asked if not any(path in changed for path in group)]
        return tuple(reply.Fault("untouched", group[0]) for group in missing)

    def _text(self, path: str) -> str | None:
        found = brief.shown(ChangedTree(self.task.tree, self.files).read(path))
        return None if found.fault else found.text


def _same(one: Sequence[reply.Fault], other: Sequence[reply.Fault]) -> bool:
    return [(f.kind, f.path, f.search) for f in one] == [(f.kind, f.path, f.search) for f in other]
