"""What a reviewing model reads: every changed file in full at the head, numbered, the difference marked, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci.brief import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from split_ci.changeset import Changed
    from split_ci.ports import Case, File

PAGE_BYTES = 120_000
LONGEST_LINE = 20_000  # characters; a longer one is not shown, and so its file can't be approved
REMOVED_SHOWN = 400  # lines of a removed stretch


class Line(NamedTuple):
    """A line as it is shown. `counts`: it is one of the file at the head, for the receipt."""

    text: str
    counts: bool = True


class Sheet(NamedTuple):
    """A file, or the part of one that fits a page. `shown` counts the head's lines in it; `title` says what it is."""

    path: str
    title: str
    text: str
    shown: int


class Page(NamedTuple):
    """What one call shows."""

    sheets: tuple[Sheet, ...]


def pages(case: Case, page_bytes: int = PAGE_BYTES) -> list[Page]:
    """All changed files, in their order, on as few pages as they fit. A file that fits one page is never split."""
    found: list[Page] = []
    current: list[Sheet] = []
    room = page_bytes
    for sheet in (sheet for change in case.changed for sheet in _sheets(change, case, page_bytes)):
        size = len(sheet.text.encode()) + len(sheet.title) + 64
        if current and size > room:
            found.append(Page(tuple(current)))
            current, room = [], page_bytes
        current.append(sheet)
        room -= size
    return [*found, Page(tuple(current))]


def total_lines(change: Changed, case: Case) -> int:
    """How many lines of a file there are to be shown. Content that only moved, and is no text, has none."""
    file = change.file
    if file is None or (_text(file) is None and _moved(change, case)):
        return 0
    return file.data.count(b"\n") + (not file.data.endswith(b"\n") and bool(file.data))


def _sheets(change: Changed, case: Case, page_bytes: int) -> Iterator[Sheet]:
    name = quoted(change.path)
    old = case.before.read(change.path)
    if change.file is None:
        yield Sheet(change.path, f"file {name}, deleted", "", 0)
        return
    text = _text(change.file)
    if text is None:
        why = "moved here, no text, unchanged" if _moved(change, case) else "not text, and not shown"
        yield Sheet(change.path, f"file {name}, {why}", "", 0)
        return
    notes = "".join(_notes(change, old))
    parts = list(_parts(list(numbered(_text(old) or "" if old else "", text)), page_bytes))
    for number, lines in enumerate(parts, 1):
        part = f", part {number} of {len(parts)}" if len(parts) > 1 else ""
        yield Sheet(
            change.path,
            f"file {name}{notes}{part}",
            "".join(line.text for line in lines),
            sum(line.counts for line in lines),
        )


def _notes(change: Changed, old: File | None) -> Iterator[str]:
    assert change.file is not None
    if old is None:
        yield ", new"
    if change.file.mode == "120000":
        yield ", a symlink to what follows"
    elif change.file.mode == "100755":
        yield ", executable"
    if old is not None and old.mode != change.file.mode:
        yield f" (mode was {old.mode})"
    if change.file.data and not change.file.data.endswith(b"\n"):
        yield ", no final newline"
    yield f", written by {change.by}"


def _moved(change: Changed, case: Case) -> bool:
    """Whether a file's very content was at the base under a path that is gone now."""
    entry = case.after.entry(change.path)
    return entry is not None and any(
        other.file is None and (was := case.before.entry(other.path)) is not None and was.oid == entry.oid
        for other in case.changed
    )


def _text(file: File) -> str | None:
    try:
        return None if b"\0" in file.data else file.data.decode()
    except UnicodeDecodeError:
        return None


def _parts(lines: Sequence[Line], page_bytes: int) -> Iterator[list[Line]]:
    part: list[Line] = []
    room = page_bytes
    for line in lines:
        size = len(line.text.encode())
        if part and size > room:
            yield part
            part, room = [], page_bytes
        part.append(line)
        room -= size
    yield part


def numbered(old: str, new: str) -> Iterator[Line]:
    """Every line of the new text with its number, new ones marked, removed ones between them without a number."""
    before, after = old.split("\n"), new.split("\n")
    if before[-1] == "":
        before.pop()
    if after[-1] == "":
        after.pop()
    width = len(str(len(after)))
    number = 0
    for removed, added, same in _steps(before, after):
        for line in removed[:REMOVED_SHOWN]:
            yield Line(f"- {'':>{width}} | {line[:LONGEST_LINE]}\n", counts=False)
        if len(removed) > REMOVED_SHOWN:
            yield Line(f"- {'':>{width}} | and {len(removed) - REMOVED_SHOWN} more removed lines\n", counts=False)
        for sign, lines in (("+", added), (" ", same)):
            for line in lines:
                number += 1
                whole = len(line) <= LONGEST_LINE
                said = line if whole else f"[a line of {len(line)} characters, not shown]"
                yield Line(f"{sign} {number:>{width}} | {said}\n", counts=whole)


def _steps(before: list[str], after: list[str]) -> Iterator[tuple[list[str], list[str], list[str]]]:
    """(removed, added, same) stretches, in order. What is alike at both ends is not compared again."""
    from difflib import SequenceMatcher  # noqa: PLC0415

    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    yield [], [], after[:head]
    middle_before, middle_after = before[head : len(before) - tail], after[head : len(after) - tail]
    for tag, a, b, c, d in SequenceMatcher(None, middle_before, middle_after).get_opcodes():
        if tag == "equal":
            yield [], [], middle_after[c:d]
        else:
            yield middle_before[a:b], middle_after[c:d], []
    yield [], [], after[len(after) - tail :]
