"""Design: the architect's model reads what it asks for and writes a spec, which is checked and sent back until it passes."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from split_ci import ledger, proof
from split_ci.brief import choose_mark, fenced, quoted
from split_ci.caps import Account, OverLimit, caps_of, no_journal
from split_ci.design_reply import CUT_OFF, UNREADABLE, problems_text, read_reply, with_status
from split_ci.errors import WorldError
from split_ci.lesson import Chosen, choose, render_block
from split_ci.past import topic_of
from split_ci.pending import Found
from split_ci.ports import Asker, Message, Outcome, Request, Usage
from split_ci.prompts import read_prompt
from split_ci.spec import Limits
from split_ci.survey import Reading, render_map, sizes
from split_ci.tree import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from split_ci.caps import Day, Journal
    from split_ci.coaching import Library
    from split_ci.config import Config
    from split_ci.git import Repo
    from split_ci.ports import Model
    from split_ci.problems import Problem
    from split_ci.spec import Spec
    from split_ci.survey import Page

    Prove = Callable[[Spec], Sequence[Problem]]

READS = 8  # answers that ask for files
ANSWER_TOKENS = 16_384
FOLDER = os.path.join("split-ci", "designs")  # in the common git dir: answers that did not pass


class Goal(NamedTuple):
    """What is to be designed: in people's words, under which id, on which commit."""

    text: str
    id: str
    base: str


class Designed(NamedTuple):
    """How it ended. `data` is the spec where it passed; `kept` is the file of the last answer, for whoever saves it."""

    id: str
    outcome: Outcome
    data: bytes | None = None
    problems: tuple[Problem, ...] = ()  # of the last answer: warnings where it passed
    waived: tuple[Problem, ...] = ()
    answers: int = 0
    read: tuple[str, ...] = ()
    usage: Usage = Usage()
    kept: str | None = None
    lessons: Chosen = Chosen((), ())
    attempt: str = ""
    fault: WorldError | None = None  # the world's, where that ended it


class Design:
    """One design. Whatever ends it, what it cost is in the ledger, and the last answer lies in a file."""

    def __init__(
        self,
        repo: Repo,
        config: Config,
        model: Model,
        *,
        library: Library,
        prove: Prove | None = None,
        open_journal: Callable[[ledger.Entry, str], Journal] = no_journal,
        day: Day | None = None,
        draw: Callable[[], str] | None = None,
    ) -> None:
        self._repo = repo
        self._config = config
        self._model = model
        self._library = library
        self._prove = prove
        self._open_journal = open_journal
        self._day = day
        self._draw = draw
        self._topic = ""
        self._source: proof.Source
        self._before: set[Problem]

    def write(self, goal: Goal) -> Designed:
        """The spec for a goal, checked as `check` does, or why there is none. It writes the ledger and `kept` alone."""
        repo, config = self._repo, self._config
        self._source = proof.source_of(repo, at=goal.base)  # what is wrong with the base is said before anything is paid
        self._before = {one for checked in proof.judge_all(self._source) for one in checked.problems}
        with repo.objects() as objects:
            tree = repo.tree(goal.base, objects)
            files = sizes(repo, goal.base)
            chosen = choose(
                self._library.lessons, audience="architect", paths=list(files), implementer="",
                limit_bytes=config.coaching.bytes,
            )  # fmt: skip
            entry, topic = self._entry(goal, chosen), self._topic_of(goal)
            journal = self._open_journal(entry, topic)
            if journal.past:
                entry = entry._replace(attempt=journal.past.attempt, lessons=journal.past.lessons)
                chosen = Chosen(tuple(one for one in self._library.lessons if one.id in entry.lessons), ())
            caps = caps_of(Limits(), config.limits)
            account = Account(caps, Asker("architect", goal.id), journal, day=self._day)
            self._topic = topic
            talk = _Talk(self, goal, account, Reading(tree), _Kept(repo, goal.id), caps.rounds)
            done = talk.hold(self._opening(goal, render_map(files), render_block(chosen)))
        done = done._replace(lessons=chosen, attempt=entry.attempt)
        if done.usage.calls:
            ledger.write(repo, [_ended(entry, done)])
        return done

    def _entry(self, goal: Goal, chosen: Chosen) -> ledger.Entry:
        name = f"{self._config.architect} (scripted)" if self._model.recorded else self._config.architect
        return ledger.Entry(
            goal.id, sha256(goal.text.encode()).hexdigest(), uuid4().hex[:16], "architect", name, ledger.now(), None,
            goal.base, recorded=self._model.recorded, lessons=tuple(lesson.id for lesson in chosen.lessons),
            lessons_at=self._library.commit,
        )  # fmt: skip

    def _topic_of(self, goal: Goal) -> str:
        model = self._config.models.get(self._config.architect)
        asked = (model.api, model.model, model.base_url) if model else self._config.architect
        return topic_of("design", goal.text, goal.id, goal.base, asked)

    def _opening(self, goal: Goal, map_: str, lessons: str) -> str:
        mark = choose_mark([goal.text, map_, lessons], self._draw)
        parts = [
            f"MARK is {mark}.",
            lessons.rstrip(),
            fenced(mark, "map: path and bytes", map_),
            fenced(mark, "goal", goal.text),
            f"The spec will be {self._config.specs}/{goal.id}.md.",
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def pages(self, pages: Sequence[Page]) -> str:
        """The files that were asked for, and what was not shown."""
        shown = [page for page in pages if not page.fault]
        mark = choose_mark([text for page in shown for text in (page.text, page.title)], self._draw)
        parts = [f"MARK is {mark}."] if shown else []
        parts += [fenced(mark, page.title, page.text) for page in shown]
        parts += [f"Not shown: {quoted(page.path[:200])}: {page.fault}." for page in pages if page.fault]
        return "\n\n".join(parts) + "\n"

    def ask(self, account: Account, messages: Sequence[Message]) -> tuple[str, str]:
        """An answer's text, and how it stopped."""
        request = Request(read_prompt("design"), tuple(messages), ANSWER_TOKENS, topic=self._topic)
        reply = account.ask(self._model, request)
        return reply.text.encode("utf-8", "replace").decode(), reply.stop

    def check(self, goal: Goal, text: str) -> proof.Checked:
        """The spec as `check --at BASE` would judge it if it were there and ready, other specs' new problems included;
        what passes has its criteria run too.
        """
        source = self._source
        path = f"{source.config.specs}/{goal.id}.md"
        data = with_status(text, "ready").encode()
        ours = Found(goal.id, path, Entry("100644", ""))
        others = source.read
        widened = source._replace(found=(*source.found, ours), read=lambda file: data if file.path == path else others(file))
        judged = proof.judge_all(widened)
        mine = next(one for one in judged if one.path == path)
        caused = [p for one in judged if one.path != path for p in one.problems if p not in self._before]
        mine = mine._replace(problems=(*mine.problems, *caused))
        if mine.ok and mine.spec and self._prove:
            mine = mine._replace(problems=(*mine.problems, *self._prove(mine.spec)))
        return mine


class _Talk:
    """The questions and answers of one design."""

    def __init__(self, design: Design, goal: Goal, account: Account, reading: Reading, kept: _Kept, answers: int) -> None:
        self._design = design
        self._goal = goal
        self._account = account
        self._reading = reading
        self._kept = kept
        self._most = answers
        self._reads = 0
        self._answers = 0
        self._problems: tuple[Problem, ...] = ()

    def hold(self, opening: str) -> Designed:
        """Until a spec passes, nobody answers any more, or a cap is reached."""
        messages = [Message("user", opening)]
        try:
            while self._answers < self._most:
                text, stop = self._design.ask(self._account, messages)
                if stop == "refusal":
                    return self._ended(Outcome("refused", "the model refused to answer"))
                said = self._answered(text, cut_off=stop == "length")
                if isinstance(said, Designed):
                    return said
                messages += [Message("assistant", text or "(nothing)"), Message("user", said)]
        except OverLimit as error:
            return self._ended(Outcome("over-limit", error.message))
        except WorldError as error:
            return self._ended(Outcome("failed", error.message))._replace(fault=error)
        return self._ended(Outcome("failed", f"none of {self._answers} answers passed"))

    def _answered(self, text: str, *, cut_off: bool) -> Designed | str:
        """What is said to an answer; the end where it passed."""
        reply = read_reply(text)
        if reply.paths and self._reads < READS:
            self._reads += 1
            last = "\nThat was the last time: now write the spec.\n" if self._reads == READS else ""
            return self._design.pages(self._reading.pages(reply.paths)) + last
        self._answers += 1
        self._problems = ()
        if reply.spec is None:
            self._kept.write(text)
            return "No more files are shown. Write the spec.\n" if reply.paths else CUT_OFF if cut_off else UNREADABLE
        self._kept.write(reply.spec)
        if cut_off:
            return CUT_OFF
        checked = self._design.check(self._goal, reply.spec)
        self._problems = checked.problems
        if checked.ok:
            data = with_status(reply.spec, "draft").encode()
            return self._ended(Outcome("done"))._replace(data=data, waived=checked.waived)
        errors = [one for one in checked.problems if one.severity == "error"]
        return problems_text(errors, with_status(reply.spec, "ready"), checked.path)

    def _ended(self, outcome: Outcome) -> Designed:
        return Designed(
            self._goal.id, outcome, problems=self._problems, answers=self._answers, read=tuple(self._reading.read),
            usage=self._account.usage, kept=self._kept.path,
        )  # fmt: skip


class _Kept:
    """The file of the last answer, in the git dir: what was paid for is not lost, whatever ends the design."""

    def __init__(self, repo: Repo, name: str) -> None:
        self._folder = os.path.join(repo.common_dir, FOLDER)
        self._name = name
        self.path: str | None = None

    def write(self, text: str) -> None:
        """The answer in place of the one before; never over another design's."""
        data = text.encode("utf-8", "replace")
        if self.path is None:
            os.makedirs(self._folder, exist_ok=True)
            handle, self.path = self._fresh()
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            return
        half = f"{self.path}.{os.getpid()}.part"
        with open(half, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, self.path)

    def _fresh(self) -> tuple[int, str]:
        number = 1
        while True:
            path = os.path.join(self._folder, f"{self._name}{f'.{number}' if number > 1 else ''}.md")
            try:
                return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), path
            except FileExistsError:
                number += 1


def _ended(entry: ledger.Entry, done: Designed) -> ledger.Entry:
    digest = sha256(done.data).hexdigest() if done.data is not None else entry.digest
    return entry._replace(
        digest=digest, round=max(1, done.answers), usage=done.usage, outcome=done.outcome.name,
        reason=done.outcome.reason[:2000],
    )  # fmt: skip
