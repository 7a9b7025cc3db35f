"""From two states of files back to the exact sections that turn one into the other.

Pure: git's diff comes in as bytes, `spec` values come out. Nothing here is believed: who calls it applies the sections
with the real engine and takes the next way where the bytes differ.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from split_ci.spec import Create, Delete, Edit, Move, Pair, Patch, Replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from split_ci.ports import File
    from split_ci.spec import Exact

BOM = "\ufeff"
EXECUTABLE = "100755"
PAIRS = 150  # a file with more changes than this reads better as a patch
CONTEXT_LINES = 60  # an anchor that needs more than this is a patch
NEAR_LINES = 2  # changes with no more lines between them are one pair
LABELS = 30  # characters that a pair's labels and fences add
TIMES_PATCH = 3  # an edit may be this much longer than the patch
HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@.*")


class Delta(NamedTuple):
    """One path's two states. `source` is where the old content lies, where that is another path (a rename).

    `hunks` is git's unified diff of the contents, from its first `@@` on.
    """

    path: str
    old: File | None
    new: File | None
    hunks: bytes = b""
    source: str | None = None


class Span(NamedTuple):
    """Lines `start` to `end` of the old text that become `to` to `until` of the new one (from 0, ends excluded)."""

    start: int
    end: int
    to: int
    until: int


def is_binary(data: bytes) -> bool:
    """What git calls binary: a NUL among the first 8,000 bytes."""
    return b"\0" in data[:8000]


def text_or_none(data: bytes) -> str | None:
    """The text of a file's bytes, or None where they are not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


# --- order: what is deleted, what is moved, what is written


def removals(deltas: Iterable[Delta]) -> list[Exact]:
    """The paths that are gone without being moved."""
    return [Delete(d.path, 0) for d in deltas if d.new is None]


def moves(deltas: Iterable[Delta]) -> list[Exact]:
    """Moves in an order in which no target is taken; a circle (a to b, b to a) is broken by a name in between."""
    pending = [(d.source, d.path) for d in deltas if d.source is not None]
    used = {name for pair in pending for name in pair}
    in_the_way: Counter[str] = Counter(folder for source, _ in pending for folder in _and_above(source))
    sources = {source for source, _ in pending}
    done: list[Exact] = []
    while pending:
        waiting = []
        for source, target in pending:
            if in_the_way[target] or not sources.isdisjoint(_and_above(target)):
                waiting.append((source, target))
                continue
            done.append(Move(source, target, 0))
            sources.discard(source)
            in_the_way.subtract(_and_above(source))
        if len(waiting) == len(pending):
            source, target = waiting[0]
            between = next(n for i in range(len(used) + 1) if (n := f"split-ci-moving-{i}") not in used)
            used.add(between)
            done.append(Move(source, between, 0))
            sources.discard(source)
            in_the_way.subtract(_and_above(source))
            waiting[0] = (between, target)
        pending = waiting
    return done


def _and_above(path: str) -> list[str]:
    """A path and the folders that it lies in."""
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(len(parts), 0, -1)]


# --- content


def ways(delta: Delta) -> list[tuple[Exact, ...]]:
    """The ways to write what becomes of a path's content and mode once it is where it belongs, the best first.

    Empty where there is no way: content that is not text. One empty way where nothing is left to do.
    """
    if delta.new is None:
        return [()]
    if delta.old is None:
        return _creations(delta.path, delta.new)
    if delta.old == delta.new:
        return [()]
    patch = _patch_or_none(delta)
    if delta.old.mode != delta.new.mode:
        return [way for way in ((patch,), _again(delta)) if way and way[0]]  # type: ignore[misc]
    return _modifications(delta.path, delta.old.data, delta.new, delta.hunks, patch)


def _creations(path: str, new: File) -> list[tuple[Exact, ...]]:
    text = text_or_none(new.data)
    if text is None:
        return []
    executable = new.mode == EXECUTABLE
    return [(Create(path, text, executable, 0),), (Patch(_new_file(path, text, new.mode), 0),)]


def _again(delta: Delta) -> tuple[Exact, ...] | None:
    """Deleted and created anew: the last resort for a file that changes its mode."""
    assert delta.new is not None
    text = text_or_none(delta.new.data)
    return None if text is None else (Delete(delta.path, 0), Create(delta.path, text, delta.new.mode == EXECUTABLE, 0))


def _modifications(path: str, old: bytes, new: File, hunks: bytes, patch: Patch | None) -> list[tuple[Exact, ...]]:
    before, after = text_or_none(old), text_or_none(new.data)
    if before is None or after is None:
        return _from_bytes(path, old, after, new.mode, patch)
    edit = _edit_or_none(path, before, after, hunks)
    replace = _replace_or_none(path, before, after, new.mode)
    sized: list[tuple[float, Exact]] = []
    if replace:
        sized.append((_size(replace) * 1.5, replace))  # it doesn't say what was there before
    if patch:
        sized.append((_size(patch), patch))
    if edit:
        sized.append((_size(edit) / TIMES_PATCH, edit))
    ranked = [change for _, change in sorted(sized, key=lambda pair: pair[0])]
    if edit and replace and ranked[0] is edit and _size(edit) > 1.5 * _size(replace):
        ranked.sort(key=lambda change: change is not replace)
    return [(change,) for change in ranked]


def _from_bytes(path: str, old: bytes, after: str | None, mode: str, patch: Patch | None) -> list[tuple[Exact, ...]]:
    """The ways out of content that is not UTF-8, whose bytes a patch holds as escapes."""
    found: list[tuple[Exact, ...]] = [(patch,)] if patch else []
    if after is not None:
        anew = (Delete(path, 0), Create(path, after, mode == EXECUTABLE, 0))
        found.insert(0 if is_binary(old) or not patch or _size(patch) > 2 * len(after) else 1, anew)
    return found


def _size(change: Exact) -> int:
    if isinstance(change, Edit):
        return sum(len(pair.before) + len(pair.after) + LABELS for pair in change.pairs)
    if isinstance(change, Patch):
        return len(change.diff) + LABELS
    return len(change.text) + LABELS if isinstance(change, Create | Replace) else LABELS


def _replace_or_none(path: str, before: str, after: str, mode: str) -> Replace | None:
    """The whole text, which takes its line ends and byte order mark from the file; None where it can't change these."""
    if before.startswith(BOM) and after.startswith(BOM):
        before, after = before[1:], after[1:]
    if _all_crlf(before):
        if not _all_crlf(after) and "\r" not in after and "\n" in after:
            return None
        after = after.replace("\r\n", "\n") if _all_crlf(after) else after
    return Replace(path, after, mode == EXECUTABLE, 0)


def _all_crlf(text: str) -> bool:
    return text.count("\r\n") == text.count("\n") == text.count("\r") > 0


# --- patches


def _patch_or_none(delta: Delta) -> Patch | None:
    assert delta.old is not None
    assert delta.new is not None
    hunks = delta.hunks.decode("utf-8", "surrogateescape")  # a byte that is not UTF-8 is written as an escape
    if delta.old.data != delta.new.data and not hunks:
        return None
    names = _names(delta.path)
    head = f"diff --git {names[0]} {names[1]}\n"
    if delta.old.mode != delta.new.mode:
        head += f"old mode {delta.old.mode}\nnew mode {delta.new.mode}\n"
    if hunks:
        head += f"--- {names[0]}\n+++ {names[1]}\n"
    return Patch(head + _trimmed(hunks), 0)


def _new_file(path: str, text: str, mode: str) -> str:
    names = _names(path)
    head = f"diff --git {names[0]} {names[1]}\nnew file mode {mode}\n"
    if not text:
        return head
    lines = text.split("\n")
    tail = "" if lines[-1] == "" else "\n\\ No newline at end of file"
    if lines[-1] == "":
        lines.pop()
    body = "".join(f"+{line}\n" for line in lines)
    return f"{head}--- /dev/null\n+++ {names[1]}\n@@ -0,0 +1,{len(lines)} @@\n{body[:-1]}{tail}\n"


def _trimmed(hunks: str) -> str:
    """Empty context lines without their blank, as git reads them too, so that no editor can spoil them and no fence must
    escape; and hunks without the line that git guesses they belong to, which depends on settings.
    """
    return re.sub(r"^(@@ [^@]+ @@).*$", r"\1", re.sub(r"^ $", "", hunks, flags=re.MULTILINE), flags=re.MULTILINE)


def _names(path: str) -> tuple[str, str]:
    """A path on both sides of a diff, in git's quotes where it needs them."""
    if '"' in path or "\\" in path:
        plain = path.replace("\\", "\\\\").replace('"', '\\"')
        return f'"a/{plain}"', f'"b/{plain}"'
    return f"a/{path}", f"b/{path}"


# --- edits


def _edit_or_none(path: str, before: str, after: str, hunks: bytes) -> Edit | None:
    """The change as pairs of Before and After, where it can be said so; line ends and byte order marks follow the file."""
    if before.startswith(BOM) != after.startswith(BOM) or _all_crlf(before) != _all_crlf(after):
        return None
    diff = text_or_none(hunks)
    if diff is None or not before or not after or before.endswith("\n") != after.endswith("\n"):
        return None
    if before.startswith(BOM):
        before, after = before[1:], after[1:]
    if _all_crlf(before):
        before, after = before.replace("\r\n", "\n"), after.replace("\r\n", "\n")
    if not before.endswith("\n"):
        before, after = before + "\n", after + "\n"
    found = spans(diff)
    if not found or len(found) > PAIRS:
        return None
    pairs = []
    for pair in _pairs(_Lines(before), _Lines(after), found):
        if pair is None:
            return None
        pairs.append(pair)
    return Edit(path, tuple(pairs), 0)


def spans(diff: str) -> list[Span]:
    """The runs of changed lines in a unified diff's hunks, near ones joined."""
    found: list[Span] = []
    for span in _runs(diff):
        if found and span.start - found[-1].end <= NEAR_LINES:
            found[-1] = found[-1]._replace(end=span.end, until=span.until)
        else:
            found.append(span)
    return found


def _runs(diff: str) -> Iterator[Span]:
    old = new = 0
    start: tuple[int, int] | None = None
    for line in diff.split("\n"):
        mark = line[:1]
        if mark in ("-", "+"):
            start = start or (old, new)
            old += mark == "-"
            new += mark == "+"
            continue
        if mark == "\\":
            continue
        if start:
            yield Span(start[0], old, start[1], new)
            start = None
        if mark == "@" and (head := HUNK.match(line)):
            old = int(head[1]) - (head[2] != "0")
            new = int(head[3]) - (head[4] != "0")
        else:
            old, new = old + 1, new + 1
    if start:
        yield Span(start[0], old, start[1], new)


class _Lines:
    """A text and where each of its lines starts."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def cut(self, start: int, end: int) -> str:
        return self.text[self.starts[start] : self.starts[end]]

    def __len__(self) -> int:
        return len(self.starts) - 1


def _pairs(old: _Lines, new: _Lines, found: Sequence[Span]) -> Iterator[Pair | None]:
    """A pair for each span, grown until its before is there once in the file as the earlier pairs left it."""
    for span in found:
        if span.end > len(old) or span.until > len(new):
            yield None
            return
        now = "\n" + new.text[: new.starts[span.to]] + old.text[old.starts[span.start] :]
        yield _grown(old, new, span, now)


def _grown(old: _Lines, new: _Lines, span: Span, now: str) -> Pair | None:
    core, after = old.cut(span.start, span.end), new.cut(span.to, span.until)
    up = down = 0
    while up + down <= CONTEXT_LINES:
        above = new.cut(span.to - up, span.to)
        below = old.cut(span.end, span.end + down)
        before = above + core + below
        if before.strip() and _once("\n" + before, now):
            return Pair(before, above + after + below, 1, 0, 0)
        more_above, more_below = up < span.to, span.end + down < len(old)
        if more_above and (up <= down or not more_below):
            up += 1
        elif more_below:
            down += 1
        else:
            return None
    return None


def _once(block: str, text: str) -> bool:
    at = text.find(block)
    return at >= 0 and text.find(block, at + 1) < 0
