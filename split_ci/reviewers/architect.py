"""The architect's model as a reviewer: it reads the whole result, page by page; what it says is verified, not believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from split_ci import ledger, paths
from split_ci.brief import OUTPUT_CHARS, choose_mark, fenced, quoted
from split_ci.caps import Account, DayIsSpent, OverLimit, caps_of, no_journal
from split_ci.errors import Refused, WorldError
from split_ci.lesson import Lesson, fits, lesson_faults, lesson_id
from split_ci.past import topic_of
from split_ci.ports import Asker, Message, Request, Usage
from split_ci.prompts import read_prompt
from split_ci.reviewers.judgement import SCHEMA, read_judgement
from split_ci.reviewers.pages import pages, total_lines
from split_ci.verdict import MAX_FINDINGS, MAX_SUMMARY, CriterionDecision, Finding, Receipt, Verdict, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from split_ci.caps import Day, Journal
    from split_ci.config import Config
    from split_ci.ports import Case, Model
    from split_ci.reviewers.judgement import Candidate, Judgement
    from split_ci.reviewers.pages import Page

MAX_PAGES = 24
LESSONS = 1  # of one review
ANSWER_TOKENS = 8192
LESSON_CHARS = 8192  # of those that are shown


class Read(NamedTuple):
    """A page that was judged."""

    page: Page
    judgement: Judgement


class Question(NamedTuple):
    """A page's text, the numbers of the earlier findings that it asks about, and its topic."""

    text: str
    earlier: Sequence[int]
    topic: str


class Architect:
    """A `ports.Reviewer` over any model. Whatever it could not show, or could not read in an answer, makes it incomplete."""

    def __init__(
        self,
        model: Model,
        config: Config,
        open_journal: Callable[[ledger.Entry, str], Journal] = no_journal,
        day: Day | None = None,
        draw: Callable[[], str] | None = None,
    ) -> None:
        self.name = f"{config.architect} (scripted)" if model.recorded else config.architect
        self._model = model
        self._config = config
        self._open_journal = open_journal
        self._day = day
        self._draw = draw

    def review(self, case: Case) -> Verdict:
        """The verdict, verified. A model that fails makes it incomplete, with the reason in the summary."""
        review, topic = uuid4().hex[:16], self._topic(case)
        journal = self._open_journal(self._entry(case, review), topic)
        if journal.past:
            review = journal.past.attempt
        account = self._account(case, journal)
        read: list[Read] = []
        world = False
        try:
            fault = self._read(case, account, topic, read)
        except (Refused, WorldError) as error:
            fault = error.message
            world = isinstance(error, DayIsSpent) or not isinstance(error, (OverLimit, Refused))
        return verify(self._verdict(case, review, read, account.usage, fault)._replace(world=world), case)

    def _entry(self, case: Case, review: str) -> ledger.Entry:
        spec = case.spec
        return ledger.Entry(
            spec.id, spec.digest, review, "architect", self.name, ledger.now(), case.head, case.base, case.round,
            recorded=self._model.recorded,
        )  # fmt: skip

    def _topic(self, case: Case) -> str:
        """What a review is about: all that its pages are made of, but for what commands printed."""
        model = self._config.models.get(self._config.architect)
        asked = (model.api, model.model, model.base_url) if model else self.name
        results = [(r.id, r.red, r.green) for r in case.results.criteria] if case.results else None
        earlier = [(f.path, f.line, f.message, f.quote) for f in case.earlier.findings] if case.earlier else None
        return topic_of("architect", case.spec.digest, case.base, case.head, case.round, asked, results, earlier)

    def _account(self, case: Case, journal: Journal) -> Account:
        spec = case.spec
        caps = caps_of(spec.limits, self._config.limits)
        return Account(caps, Asker("architect", spec.id, case.round), journal, day=self._day, spent=case.spent)

    def _read(self, case: Case, account: Account, topic: str, read: list[Read]) -> str:
        """Shows every page and adds what was judged to `read`. Why not all of it was judged, or nothing."""
        all_pages = pages(case)
        given = _given(case)
        texts = [
            given,
            _taught(case),
            *(s.text for p in all_pages for s in p.sheets),
            *(s.title for p in all_pages for s in p.sheets),
        ]
        mark = choose_mark(texts, self._draw)
        if len(all_pages) > MAX_PAGES:
            return f"the result has {len(all_pages)} pages, {MAX_PAGES} are read"
        asked = _earlier_of(case, all_pages)
        for number, page in enumerate(all_pages):
            text = _page_text(case, given, mark, page, asked[number], number + 1, len(all_pages))
            judged = self._judge(case, account, page, Question(text, asked[number], f"{topic} {number}"))
            if isinstance(judged, str):
                return judged
            read.append(Read(page, judged))
        return ""

    def _judge(self, case: Case, account: Account, page: Page, question: Question) -> Judgement | str:
        """One page's judgement; a broken answer is told what is wrong with it, once. Then: what is wrong with it."""
        text, asked, topic = question
        messages: tuple[Message, ...] = (Message("user", text),)
        wanted = tuple(dict.fromkeys(sheet.path for sheet in page.sheets))
        for _ in range(2):
            request = Request(read_prompt("architect-review"), messages, ANSWER_TOKENS, SCHEMA, topic=topic)
            reply = account.ask(self._model, request)
            if reply.stop == "refusal":
                return "the model refused to answer"
            try:
                return read_judgement(reply.text, paths=wanted, criteria=[c.id for c in case.spec.accept], earlier=asked)
            except Refused as error:
                fault = "it was cut off by its length limit" if reply.stop == "length" else error.message
            again = f"Your answer can't be read: {fault}\nAnswer again, with the whole JSON object and nothing else.\n"
            messages = (*messages, Message("assistant", reply.text or "(nothing)"), Message("user", again))
        return f"the answer could not be read, twice: {fault}"

    def _verdict(self, case: Case, review: str, read: Sequence[Read], usage: Usage, fault: str) -> Verdict:
        judged = [each.judgement for each in read]
        approves = not fault and bool(judged) and all(j.decision == "approve" for j in judged)
        lessons, dropped = _lessons(case, judged)
        summary = " ".join(j.summary.strip() for j in judged if j.summary.strip())
        notes = [summary, f"Coaching: {judged[0].answer.strip()}" if judged and judged[0].answer.strip() else "", *dropped]
        notes += [line for each in judged for line in _became(each, case)]
        return Verdict(
            id=case.spec.id,
            digest=case.spec.digest,
            base=case.base,
            head=case.head,
            by=self.name,
            recorded=self._model.recorded,
            decision="approve" if approves else "incomplete" if fault else "request_changes",
            summary="\n".join([*filter(None, notes), *([f"Not finished: {fault}"] if fault else [])])[:MAX_SUMMARY],
            findings=_findings(case, judged),
            criteria=_criteria(case, judged),
            receipts=tuple(_receipts(case, read)),
            lessons=lessons,
            usage=usage,
            review=review,
            round=case.round,
        )


def _given(case: Case) -> str:
    """The spec and what its criteria said: the same on every page."""
    lines = [case.spec.data.decode(errors="replace"), "", "What the criteria really said:"]
    results = {r.id: r for r in case.results.criteria} if case.results else {}
    for criterion in case.spec.accept:
        result = results.get(criterion.id)
        if result is None:
            lines.append(f"{criterion.id}: {criterion}: there is no result of it")
            continue
        red = {True: "failed on the base, as it must", False: "did not fail on the base", None: "may pass on the base"}
        green = {True: "passes on the result", False: "fails on the result", None: "was not run on the result"}
        lines.append(f"{criterion.id}: {criterion}: {red[result.red]}, {green[result.green]}. {result.reason}".rstrip())
        if result.result is not None and result.result.output.strip():
            lines += ["its output ended with:", result.result.output[-OUTPUT_CHARS:]]
    return "\n".join(lines) + "\n"


def _earlier_of(case: Case, all_pages: Sequence[Page]) -> list[list[int]]:
    """For each page, the numbers of the earlier findings that it can answer: those on its files, the rest on the first."""
    asked: list[list[int]] = [[] for _ in all_pages]
    for number, finding in enumerate(case.earlier.findings if case.earlier else (), 1):
        where = next((n for n, page in enumerate(all_pages) if any(s.path == finding.path for s in page.sheets)), 0)
        asked[where].append(number)
    return asked


def _page_text(case: Case, given: str, mark: str, page: Page, asked: Sequence[int], number: int, count: int) -> str:
    parts = [f"MARK is {mark}.", fenced(mark, f"spec {quoted(case.spec.id)} and results", given)]
    if asked and case.earlier:
        listed = [_listed(n, case.earlier.findings[n - 1]) for n in asked]
        parts.append("Look at these first: they were found in the round before. Say of each what became of it.")
        parts.append(fenced(mark, "earlier findings", "\n".join(listed)))
    taught = _taught(case)
    if taught:
        parts.append(fenced(mark, "lessons that the implementer may have been given", taught))
    parts.append(f"Page {number} of {count} of the changed files.")
    parts += [fenced(mark, sheet.title, sheet.text) for sheet in page.sheets]
    names = ", ".join(quoted(path) for path in dict.fromkeys(s.path for s in page.sheets))
    parts.append(f"Judge these files: {names or 'none, nothing was changed'}.")
    return "\n\n".join(parts) + "\n"


def _taught(case: Case) -> str:
    """The live lessons that fit what was changed, each with its id: one of them may have led astray."""
    paths_ = [change.path for change in case.changed]
    fitting = [one for one in case.lessons if fits(one, audience="implementer", paths=paths_, implementer="")]
    return "".join(f"{one.id}: {' '.join(one.text.split())}\n" for one in fitting)[:LESSON_CHARS]


def _listed(number: int, finding: Finding) -> str:
    quote = f"\n   it quoted: {finding.quote}" if finding.quote else ""
    return f"{number}. {quoted(finding.path)}, line {finding.line}: {finding.message}{quote}"


def _became(judged: Judgement, case: Case) -> list[str]:
    if not case.earlier:
        return []
    found = case.earlier.findings
    return [
        f"Earlier finding {e.number} ({found[e.number - 1].path}): {e.state}. {e.reason}".strip() for e in judged.earlier
    ]


def _findings(case: Case, judged: Sequence[Judgement]) -> tuple[Finding, ...]:
    """What was found now, and what was found before and is still open. A finding is about a file that was changed."""
    changed = {change.path for change in case.changed}
    found = [f for j in judged for f in j.findings if f.path in changed]
    earlier = case.earlier.findings if case.earlier else ()
    for number in (e.number for j in judged for e in j.earlier if e.state == "open"):
        again = earlier[number - 1]
        if not any(f.path == again.path and f.quote.strip() == again.quote.strip() for f in found):
            found.append(again)
    return tuple(found[:MAX_FINDINGS])


def _criteria(case: Case, judged: Sequence[Judgement]) -> tuple[CriterionDecision, ...]:
    """A criterion is met where a page says so and none says otherwise."""
    decisions = []
    for criterion in case.spec.accept:
        said = [c for j in judged for c in j.criteria if c.id == criterion.id]
        best = next((c for name in ("not_met", "met", "unknown") for c in said if c.decision == name), None)
        decisions.append(best or CriterionDecision(criterion.id, "unknown", "not judged"))
    return tuple(decisions)


def _receipts(case: Case, read: Sequence[Read]) -> list[Receipt]:
    """For each changed file how many of its lines were on judged pages; `ok` only where each of them says so."""
    found = []
    for change in case.changed:
        entry = case.after.entry(change.path)
        of_it = [(s, r.judgement) for r in read for s in r.page.sheets if s.path == change.path]
        said = {judgement.files[change.path] for _, judgement in of_it}
        decision = "change" if "change" in said else "ok" if said else ""
        shown = sum(sheet.shown for sheet, _ in of_it)
        found.append(Receipt(change.path, entry.oid if entry else None, total_lines(change, case), shown, decision))
    return found


def _lessons(case: Case, judged: Sequence[Judgement]) -> tuple[tuple[Lesson, ...], list[str]]:
    """The first candidates that may be taught, and a line for each that may not."""
    kept: list[Lesson] = []
    notes: list[str] = []
    candidates = [candidate for j in judged for candidate in j.lessons]
    for candidate in candidates[: 4 * LESSONS]:
        lesson = _lesson(candidate, case)
        faults = [why for _, why in lesson_faults(lesson)] + [f"{p}: {w}" for p in lesson.paths if (w := _glob_fault(p))]
        if faults:
            notes.append(f"A lesson was not taken: {faults[0]}.")
        elif len(kept) < LESSONS:
            kept.append(lesson)
    return tuple(kept), notes


def _glob_fault(glob: str) -> str | None:
    return paths.path_fault(glob.replace("*", "x").replace("?", "x").replace("[", "x").replace("]", "x"))


def _lesson(candidate: Candidate, case: Case) -> Lesson:
    taught_by = (("spec", case.spec.id), ("commit", case.head))
    text = " ".join(candidate.text.split())
    lesson = Lesson("", candidate.audience, text, candidate.paths[:8], (), candidate.forbid or None, taught_by)
    return lesson._replace(id=lesson_id(lesson))
