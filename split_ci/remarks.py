"""A review as a forge shows it: one body, remarks on lines, one summary that is kept up to date, one status. Text only.

Remarks are known again by a key made of what they quote, so that a second run adds nothing, and one that isn't found any
more is marked. Whatever a model said is neutralised; what a comment was made from stands hidden in its last line.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from split_ci.markdown import block, code, cut, indented, line, prose
from split_ci.plain import counted, visible
from split_ci.seal import seal, unseal
from split_ci.verdict import DECIDED, dump

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from split_ci.verdict import CriterionDecision, Finding, Receipt, Verdict

STATUS = {"approve": "success", "request_changes": "failure", "incomplete": "error"}
DECISIONS = {"met": "is met", "not_met": "**is not met**", "unknown": "**is not decided**"}
CONTEXT = "split-ci/review"
MAX_BODY = 60_000  # characters; forges refuse more than 65,536
MAX_LIST = 20_000
MAX_INLINE = 50
MAX_LISTED = 100
MAX_FILES = 200
MAX_QUOTED = 6  # lines
MAX_ROUNDS = 20
MAX_SPAN = 20  # lines under one remark

APART = re.compile(r"  |- |\d+[.)] ")  # code, or a list: on lines of its own
T = TypeVar("T")


class Remark(NamedTuple):
    """A finding with the key that it is known by."""

    key: str
    finding: Finding

    @property
    def where(self) -> str:
        return code(f"{self.finding.path}:{self.finding.line}")

    @property
    def last_line(self) -> int:
        """Of the lines that the quote spans."""
        return self.finding.line + self.finding.quote.strip("\n").count("\n")


class Standing(NamedTuple):
    """A remark of the bot's that lies on the pull request. `seen`: the diff still shows its line."""

    id: int
    key: str
    ruled: bool  # code found it, no model
    url: str
    seen: bool
    fixed: bool
    intact: bool  # nobody edited it
    text: str
    path: str


class Round(NamedTuple):
    """One review in the table of the summary."""

    number: int
    head: str
    decision: str
    findings: int
    url: str = ""


class Placed(NamedTuple):
    """Where each remark of a review goes: onto a line, into the body, or it is there already."""

    inline: tuple[Remark, ...]
    listed: tuple[Remark, ...]
    standing: tuple[tuple[Remark, Standing], ...]
    gone: tuple[Standing, ...]  # not found any more


def remarks(verdict: Verdict) -> tuple[Remark, ...]:
    """The findings with their keys: the same for the same words of the same file, wherever they stand."""
    counted: dict[str, int] = {}
    found = []
    for finding in verdict.findings:
        said = " ".join((finding.quote if finding.quote.strip() else finding.message).split())
        key = sha256(f"{finding.path}\0{finding.rule}\0{said}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
        counted[key] = counted.get(key, 0) + 1
        found.append(Remark(key if counted[key] == 1 else f"{key}-{counted[key]}", finding))
    return tuple(found)


def place(verdict: Verdict, standing: Sequence[Standing], shown: Callable[[str, int], bool]) -> Placed:
    """`standing` are the remarks that are there, the newest last; `shown` says whether the diff shows a line."""
    there = {each.key: each for each in standing}
    inline: list[Remark] = []
    listed: list[Remark] = []
    known: list[tuple[Remark, Standing]] = []
    found = remarks(verdict)
    for remark in found:
        old = there.get(remark.key)
        if old is not None and old.seen:
            known.append((remark, old))
        elif len(inline) < MAX_INLINE and shown(remark.finding.path, remark.finding.line):
            inline.append(remark)
        else:
            listed.append(remark)
    keys = {remark.key for remark in found}
    gone = (each for each in standing if each.key not in keys and not each.fixed and _covers(verdict, each))
    return Placed(tuple(inline), tuple(listed), tuple(known), tuple(gone))


def _covers(verdict: Verdict, old: Standing) -> bool:
    """Whether a review that doesn't find something any more has looked for it: code alone repeats only what is its own."""
    return verdict.decision != "incomplete" and (verdict.by != "rules" or old.ruled)


def span(remark: Remark, shown: Callable[[str, int], bool]) -> tuple[int, int]:
    """First and last line under an inline remark."""
    first, last = remark.finding.line, remark.last_line
    whole = last - first < MAX_SPAN and all(shown(remark.finding.path, each) for each in range(first, last + 1))
    return (first, last) if whole else (first, first)


def remark_comment(remark: Remark, verdict: Verdict) -> str:
    """The comment on a line."""
    return seal(_said(remark.finding), {"kind": "remark", "key": remark.key, "ruled": verdict.by == "rules", "fixed": False})


def fixed_comment(old: Standing, head: str) -> str:
    """The same comment once the finding is gone."""
    text = f"**Fixed.** The review of {code(head[:12])} doesn't find this any more.\n\n" + _folded("What it was", old.text)
    return seal(text, {"kind": "remark", "key": old.key, "ruled": old.ruled, "fixed": True})


def standing_of(comment: str, *, id_: int, url: str, path: str, seen: bool) -> Standing | None:
    """A comment on a line, as the forge tells it; None where it is no remark of a review."""
    sealed = unseal(comment)
    if sealed is None or sealed.state.get("kind") != "remark":
        return None
    key, ruled, fixed = (sealed.state.get(name) for name in ("key", "ruled", "fixed"))
    return Standing(id_, str(key), ruled is True, url, seen, fixed is True, sealed.intact, sealed.text, path)


def _said(finding: Finding) -> str:
    about = [f"Cause: {finding.cause}.", *([f"Rule: {code(finding.rule)}."] if finding.rule else [])]
    return f"{prose(finding.message) or 'No words were given.'}\n\n*{' '.join(about)}*"


def digest_of(verdict: Verdict) -> str:
    """By which a review of the same head is told from another one."""
    return sha256(dump(verdict).encode()).hexdigest()[:16]


def review_comment(verdict: Verdict, placed: Placed) -> str:
    """The body of the review. Lists what is on no line, and what was said before."""
    state = {
        "kind": "review", "id": verdict.id, "head": verdict.head, "round": verdict.round, "decision": verdict.decision,
        "findings": len(verdict.findings), "verdict": digest_of(verdict),
    }  # fmt: skip
    return seal(fit(_review_blocks(verdict, placed)), state)


def _review_blocks(verdict: Verdict, placed: Placed) -> Iterator[str]:
    yield f"### split-ci review: {DECIDED[verdict.decision]}"
    read = f"read {counted(len(verdict.receipts), 'changed file')}" if verdict.receipts else "found no changed file"
    yield f"Round {verdict.round}: {author(verdict)} {read} at {code(verdict.head[:12])}.{_where(placed)}"
    yield prose(verdict.summary, 6000)
    if verdict.criteria:
        yield "**Criteria**\n\n" + _list(verdict.criteria, _criterion)
    if placed.listed:
        yield "**On no line of this diff**\n\n" + _list(placed.listed, _entry)
    if placed.standing:
        yield "**Said before, and still so**\n\n" + _list(placed.standing, _standing)
    if placed.gone:
        yield "**Fixed**\n\n" + _list(placed.gone, lambda old: f"[{code(old.path)}]({old.url})")
    if verdict.waived:
        yield "**Found, and meant: the spec says so**\n\n" + _list(verdict.waived, line)
    for lesson in verdict.lessons[:1]:
        yield f"**A lesson for the {lesson.audience}**, for people to merge or to leave:\n\n{quoted(lesson.text)}"
    if verdict.receipts:
        lines = sum(receipt.shown for receipt in verdict.receipts)
        title = f"What was read: {counted(len(verdict.receipts), 'file')}, {counted(lines, 'line')}"
        yield _folded(title, _list(verdict.receipts, _receipt, MAX_FILES))


def author(verdict: Verdict) -> str:
    """Who reviewed; recorded replies are called so."""
    return f"{line(verdict.by)} (scripted)" if verdict.recorded and "scripted" not in verdict.by else line(verdict.by)


def _where(placed: Placed) -> str:
    parts = [
        f"{len(placed.inline)} on lines below" if placed.inline else "",
        f"{len(placed.listed)} in this comment" if placed.listed else "",
        f"{len(placed.standing)} said before" if placed.standing else "",
    ]
    said = ", ".join(part for part in parts if part)
    return f" Findings: {said}." if said else ""


def _entry(remark: Remark) -> str:
    """A remark as an entry of a list, with the words that it is about."""
    said = _said(remark.finding)
    start = f"{remark.where}\n\n" if APART.match(said) else f"{remark.where} "
    quote = remark.finding.quote.strip("\n").split("\n") if remark.finding.quote.strip() else []
    shown = "\n\n" + block(quote[:MAX_QUOTED]) if quote else ""
    return indented(start + said + shown)


def _standing(known: tuple[Remark, Standing]) -> str:
    remark, old = known
    return f"[{remark.where}]({old.url}) {line(remark.finding.message, 120)}"


def _criterion(criterion: CriterionDecision) -> str:
    because = f": {line(criterion.reason, 500)}" if criterion.reason.strip() else ""
    return f"{code(criterion.id)} {DECISIONS[criterion.decision]}{because}"


def _receipt(receipt: Receipt) -> str:
    read = f"{receipt.lines} lines" if receipt.shown >= receipt.lines else f"**{receipt.shown} of {receipt.lines} lines**"
    return f"{code(receipt.path)}: {'deleted' if receipt.blob is None else read}"


def quoted(text: str) -> str:
    """Foreign words as a quotation."""
    return "\n".join(f"> {each}".rstrip() for each in prose(text, 600).split("\n"))


def _folded(title: str, text: str) -> str:
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"


def _list(entries: Sequence[T], show: Callable[[T], str], most: int = MAX_LISTED) -> str:
    """A list that ends before it is too long, and says so."""
    shown: list[str] = []
    size = 0
    for entry in entries[:most]:
        shown.append(f"- {show(entry)}")
        size += len(shown[-1])
        if size > MAX_LIST:
            shown.pop()
            break
    left = len(entries) - len(shown)
    return "\n".join([*shown, *([f"- … and {left} more, in the review's file"] if left else [])])


def fit(blocks: Iterable[str]) -> str:
    """Blocks with a blank line between, as many as a comment can hold."""
    text = ""
    for each in blocks:
        if len(text) + len(each) > MAX_BODY:
            return f"{text}\n\n… the rest is in the review's file."
        text += f"\n\n{each}" if text and each else each
    return text


def summary_comment(verdict: Verdict, rounds: Sequence[Round], fixed: int, left: Sequence[str]) -> str:
    """The one comment that says how things stand. `rounds` end with this review; `left` is what is left to people."""
    return seal(fit(_summary_blocks(verdict, rounds, fixed, left)), {"kind": "summary", "id": verdict.id})


def _summary_blocks(verdict: Verdict, rounds: Sequence[Round], fixed: int, left: Sequence[str]) -> Iterator[str]:
    yield f"### split-ci: {DECIDED[verdict.decision]}"
    now = rounds[-1]
    count = len(verdict.findings)
    said = f"{DECIDED[verdict.decision]} by {author(verdict)}, {counted(count, 'finding') if count else 'no finding'}"
    done = f", {fixed} fixed" if fixed else ""
    yield f"Round {verdict.round} of {code(verdict.id)}, {code(verdict.head[:12])}: {said}{done}. [The review]({now.url})"
    shown = rounds[-MAX_ROUNDS:]
    rows = (f"| {r.number} | [{code(r.head[:12])}]({r.url}) | {DECIDED[r.decision]} | {r.findings} |" for r in shown)
    yield "\n".join(("| round | commit | decision | findings |", "| ---: | --- | --- | ---: |", *rows))
    if left:
        yield _list(left, str)
    yield "*split-ci comments. It never approves and never merges: that is for people.*"


def status_words(verdict: Verdict) -> str:
    """The line beside the status: at most 140 characters."""
    count = len(verdict.findings)
    said = f", {counted(count, 'finding')}" if count else ""
    return cut(" ".join(visible(f"{DECIDED[verdict.decision]} by {verdict.by}{said}").split()), 138)


def round_of(comment: str, url: str) -> Round | None:
    """A review's place in the table, out of its comment; None where it is none of ours."""
    sealed = unseal(comment)
    state = sealed.state if sealed else {}
    number, head, decision, findings = (state.get(key) for key in ("round", "head", "decision", "findings"))
    if state.get("kind") != "review" or decision not in DECIDED or not isinstance(head, str):
        return None
    if not isinstance(number, int) or not isinstance(findings, int):
        return None
    return Round(number, head, decision, findings, url)
