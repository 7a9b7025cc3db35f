"""What a model is told when its answer could not be taken: what failed, the nearest lines, what holds, nothing else."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

from split_ci.brief import fenced, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from split_ci.reply import Block, Fault, Kind

SAID = 12  # faults shown in one answer
NEAR_LINES = 3  # of context on either side
WINDOWS = 20_000  # line positions that are compared closely
LONG = 2000  # characters of a model's own text that are said back

WORDS: Mapping[Kind, str] = {
    "cut-off": "Your answer was cut off by its length limit. Blocks that were complete before that hold. "
    "Send the others, in fewer words.",
    "refused": "You declined to answer. Answer with edit blocks.",
    "empty": "Your answer was empty. Answer with edit blocks.",
    "no-block": "There was no edit block in your answer. Answer with edit blocks in the form above, and with nothing else.",
    "too-much": "Your answer was too long: {detail}. Send small blocks.",
    "no-path": "A block has no path on the line above it. Send it again with its path.",
    "unfinished": "A block for {path} is not complete. Send it again, with all three markers.",
    "divider": "The text of a block for {path} has a line of = like its divider, so it can be read in two ways. "
    "Send it again with nine signs in each of its three markers.",
    "path": "The path {path} can't be used: {detail}.",
    "frozen": "{path} may not be changed by you: other sections wrote it, or the criteria rest on it. Do without.",
    "out-of-reach": "{path} is out of reach for every spec. Do without.",
    "protected": "{path} is protected: no model may change it. Do without.",
    "outside": "{path} is not among the paths that you may change. Do without.",
    "absent": "The SEARCH text of a block for {path} is not in the file.",
    "twice": "The SEARCH text of a block for {path} is in the file more than once. Add neighbouring lines to it.",
    "exists": "{path} is there already, and the SEARCH part of your block is empty. Quote the lines that you replace.",
    "not-there": "There is no file {path}. For a new file leave the SEARCH part empty.",
    "not-text": "{path} is not UTF-8 text, so it can't be edited.",
    "same": "A block for {path} changes nothing: both of its parts are the same.",
    "text": "A block for {path} would write what has no place there: {detail}.",
    "engine": "A block for {path} could not be applied: {detail}.",
    "untouched": "Nothing was changed in {path} yet, and an Instruct section asks for it. Send its blocks.",
}

NAMES: Mapping[Kind, str] = {
    "cut-off": "cut off by the length limit",
    "empty": "an empty answer",
    "no-block": "no edit block",
    "too-much": "too long an answer",
    "no-path": "a block without a path",
    "unfinished": "half a block",
    "divider": "a block with two dividers",
    "path": "a path that can't be used",
    "frozen": "a change of a frozen path",
    "out-of-reach": "a path out of reach",
    "protected": "a protected path",
    "outside": "a path that the spec does not name",
    "absent": "text that is not there",
    "twice": "text that is there more than once",
    "exists": "a file that is there already",
    "not-there": "a file that is not there",
    "not-text": "a file that is not text",
    "same": "a block that changes nothing",
    "text": "text that has no place there",
    "engine": "a block that could not be applied",
    "untouched": "nothing changed",
}


class Near(NamedTuple):
    """The lines of a file that are most like a text: the first one's number from 1, and the lines."""

    line: int
    text: str


def render_failure(faults: Sequence[Fault], held: Sequence[Block], read: Callable[[str], str | None], mark: str) -> str:
    """The answer to an answer. `read` gives a file's text as it is now; `mark` fences what is quoted."""
    parts = [_fault(number, fault, read, mark) for number, fault in enumerate(faults[:SAID], 1)]
    if len(faults) > SAID:
        parts.append(f"And {len(faults) - SAID} more of this kind.")
    if held:
        names = dict.fromkeys(b.path for b in held)
        parts.append(
            f"{len(held)} of your blocks hold, in {', '.join(quoted(n) for n in names)}. Don't send them again: "
            "send only what failed."
        )
    else:
        parts.append("None of your blocks was applied.")
    return "\n\n".join(parts) + "\n"


def _fault(number: int, fault: Fault, read: Callable[[str], str | None], mark: str) -> str:
    said = WORDS[fault.kind].format(path=quoted(fault.path) if fault.path else "an unnamed file", detail=fault.detail)
    parts = [f"{number}. {said}"]
    if fault.kind in ("absent", "twice", "no-path") and fault.search:
        parts.append(fenced(mark, "your SEARCH text", _short(fault.search)))
    text = read(fault.path) if fault.kind in ("absent", "twice") else None
    if text is not None and fault.kind == "twice":
        parts.append(f"It is at lines {', '.join(str(n) for n in places(fault.search, text)[:8])}.")
    if text is not None and fault.kind == "absent":
        near = nearest(fault.search, text)
        parts.append(
            fenced(mark, f"lines {near.line} and after, the nearest in the file", _short(near.text))
            if near
            else "Nothing in the file is like it. It may hold already, or belong to another file."
        )
    return "\n".join(parts)


def _short(text: str) -> str:
    return text if len(text) <= LONG else text[:LONG] + "\n[cut here]\n"


def places(search: str, text: str) -> list[int]:
    """The line numbers at which whole lines stand."""
    wanted, lines = search.splitlines(), text.splitlines()
    size = len(wanted)
    return [n + 1 for n in range(len(lines) - size + 1) if lines[n : n + size] == wanted]


def nearest(search: str, text: str, context: int = NEAR_LINES) -> Near | None:
    """The place in a file that is most like a text, with some lines around it; None where nothing is like it."""
    wanted, lines = [line.strip() for line in search.splitlines()], text.splitlines()
    if not any(wanted) or not lines:
        return None
    start = _best_start(wanted, [line.strip() for line in lines])
    if start is None:
        return None
    first = max(0, start - context)
    kept = lines[first : start + len(wanted) + context]
    return Near(first + 1, "".join(line + "\n" for line in kept))


def _best_start(wanted: Sequence[str], lines: Sequence[str]) -> int | None:
    """The offset at which most of the wanted lines stand; else the line that is most like the longest of them."""
    votes: dict[int, int] = {}
    where: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        where.setdefault(line, []).append(number)
    for offset, line in enumerate(wanted):
        for number in where.get(line, ())[:200] if line else ():
            votes[number - offset] = votes.get(number - offset, 0) + 1
    if votes:
        best = max(votes, key=lambda start: (votes[start], -start))
        return max(0, best)
    offset = max(range(len(wanted)), key=lambda n: len(wanted[n]))
    return _most_like(wanted[offset], offset, lines)


def _most_like(line: str, offset: int, lines: Sequence[str]) -> int | None:
    best, found = 0.6, None
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(line[:400])
    for number, other in enumerate(lines[:WINDOWS]):
        matcher.set_seq1(other[:400])
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best and matcher.ratio() > best:
            best, found = matcher.ratio(), max(0, number - offset)
    return found


def in_words(faults: Sequence[Fault]) -> str:
    """Faults in one line for people: the first, and how many more there are."""
    first = faults[0]
    name = NAMES[first.kind]
    said = f"{name} in {quoted(first.path)}" if first.path else name
    detail = f" ({first.detail})" if first.detail and first.kind not in ("cut-off", "no-block") else ""
    more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
    return said + detail + more
