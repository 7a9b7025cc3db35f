"""What the `rules` reviewer looks for: one function each, from a ground of facts to findings."""

from __future__ import annotations

import re
import time
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

from split_ci.frozen import frozen_paths, is_frozen
from split_ci.paths import matches, out_of_reach, path_fault, protected
from split_ci.problems import CODES
from split_ci.references import dangling, is_prose, lines_naming
from split_ci.spec import Instruct, touched
from split_ci.text_rules import added_remarks
from split_ci.verdict import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from split_ci.changeset import Changed
    from split_ci.edit import Applied
    from split_ci.lesson import Lesson
    from split_ci.ports import Case
    from split_ci.verdict import Cause

PLAIN = ("100644", "100755")
MAX_QUOTE = 400
FORBID_SECONDS = 2.0  # for one lesson and result: past it the review is incomplete
WINDOW = 1_000  # characters of a line that a `forbid` sees at once

SKIPS = re.compile(
    r"@(?:pytest\.mark\.)?(?:skip|xfail)|@unittest\.(?:skip|expectedFailure)|\bpytest\.(?:skip|xfail)\(|\bself\.skipTest\("
    r"|\b(?:it|describe|test|context)\.(?:skip|only|todo)\b|\bx(?:it|describe|test)\(|@(?:Disabled|Ignore)\b|\bt\.Skip\w*\("
    r"|#\[ignore|\b(?:sys|os)\._?exit\(0\)|collect_ignore|--deselect"
)
TEST_NAME = re.compile(
    r"^\s*(?:async\s+)?def\s+(test\w*)|^\s*(?:it|test|describe)\(\s*([\"'`].*?[\"'`])|^\s*func\s+(Test\w*)"
)


class Ground:
    """What the checks know of a case. `whole` turns false where something could not be looked at."""

    def __init__(self, case: Case, applied: Applied, specs: str, protected: Sequence[str]) -> None:
        self.case = case
        self.drifted = {path for section in applied.left if not isinstance(section, Instruct) for path in touched(section)}
        self.written = {path: file for path, file in applied.files.items() if path not in self.drifted}
        self.specs = specs
        self.protected = protected
        self.whole = True
        self.waived = frozenset(c for c in case.spec.waive if c in CODES and CODES[c].waivable)

    @cached_property
    def changed(self) -> dict[str, Changed]:
        return {change.path: change for change in self.case.changed}

    @cached_property
    def named(self) -> frozenset[str]:
        return frozenset(path for change in self.case.spec.changes for path in touched(change))

    @cached_property
    def frozen(self) -> tuple[str, ...]:
        return frozen_paths(self.case.spec, self.written, lambda path: self.case.before.entry(path) is not None)

    def by_a_model(self) -> list[Changed]:
        return [change for change in self.case.changed if change.by != "exact"]

    def finding(
        self, path: str, line: int, message: str, rule: str, *, cause: Cause | None = None, quote: str = ""
    ) -> Finding:
        """A finding with a quote that stands in the file: the line's own text where none is given."""
        file = None if quote else self.case.after.read(path)
        if file is not None:
            quote, line = _quotable(file.data, line)
        return Finding(path, line, message, quote[:MAX_QUOTE], cause or self.cause(path), rule)

    def cause(self, path: str) -> Cause:
        change = self.changed.get(path)
        wholly_exact = not self.by_a_model()
        return "spec" if wholly_exact or (change is not None and change.by == "exact") else "implementer"


def _quotable(data: bytes, line: int) -> tuple[str, int]:
    text = text_of(data)
    lines = [] if text is None else text.split("\n")
    if 0 < line <= len(lines) and lines[line - 1].strip():
        return lines[line - 1].rstrip("\r"), line
    return next(((each.rstrip("\r"), n) for n, each in enumerate(lines, 1) if each.strip()), ("", 1))


def text_of(data: bytes) -> str | None:
    """A file's text; None where it is not UTF-8 or holds a NUL."""
    try:
        return None if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        return None


def added_lines(ground: Ground, change: Changed) -> Iterator[tuple[int, str]]:
    """(number, text) of the lines that a file has more often than it had."""
    after = text_of(change.file.data) if change.file else None
    if after is None:
        return
    was = ground.case.before.read(change.path)
    known = Counter((text_of(was.data) or "").split("\n")) if was and change.was else Counter()
    for number, line in enumerate(after.split("\n"), 1):
        known[line] -= 1
        if known[line] < 0:
            yield number, line.rstrip("\r")


def scope(ground: Ground) -> Iterator[Finding]:
    """Every changed path is one that the spec names; nothing else is changed."""
    for change in ground.case.changed:
        why = _out_of_scope(ground, change)
        if why:
            yield ground.finding(change.path, 1, why, "scope", cause=None if change.path in ground.named else "implementer")
    for path in ground.written:
        if path not in ground.changed:
            yield ground.finding(
                path, 1, "an exact section writes this, and the result doesn't have it", "scope", cause="implementer"
            )


def _out_of_scope(ground: Ground, change: Changed) -> str | None:
    path, spec = change.path, ground.case.spec
    fault = path_fault(path)
    if fault:
        return f"the path {fault}"
    if out_of_reach(path, ground.specs):
        return "this is out of reach for every spec"
    if change.by == "exact":
        return None
    if path not in ground.named and not any(matches(glob, path) for glob in spec.allow):
        return "the spec does not name this path, in no section and not under `allow`"
    return "a model changed a protected path" if protected(path, ground.protected) else _odd_mode(ground.case, path)


def _odd_mode(case: Case, path: str) -> str | None:
    was, now = case.before.entry(path), case.after.entry(path)
    if now is not None and now.mode not in PLAIN:
        return "a model made something that is not a plain file"
    if now is not None and now.mode == "100755" and (was is None or was.mode != "100755"):
        return "a model made this executable"
    return None


def landed(ground: Ground) -> Iterator[Finding]:
    """The result carries its own spec, unchanged, to the folder of landed ones."""
    spec, after = ground.case.spec, ground.case.after
    home = f"{spec.path.rpartition('/')[0] or ground.specs}/landed/{spec.id}.md"
    file = after.read(home)
    if file is None or file.data != spec.data:
        yield Finding(home, 1, "the result doesn't hold its spec here, unchanged", "", "environment", "landed")
    if after.entry(spec.path) is not None:
        yield Finding(spec.path, 1, "the result still holds its spec here", _first_line(spec.data), "environment", "landed")


def _first_line(data: bytes) -> str:
    return data.split(b"\n", 1)[0].decode(errors="replace")


def frozen(ground: Ground) -> Iterator[Finding]:
    """No model changed the spec, what exact sections wrote, or what the criteria run."""
    mine = ground.by_a_model()
    if not mine:
        return
    for change in mine:
        if is_frozen(change.path, ground.frozen, ground.case.spec):
            yield ground.finding(change.path, 1, "a model changed a frozen file", "frozen", cause="implementer")


def references(ground: Ground) -> Iterator[Finding]:
    """Lines that still name what is gone. Whoever changed none of a file left its lines there."""
    case = ground.case
    gone = {change.path for change in case.changed if change.file is None and case.after.entry(change.path) is None}
    if not gone:
        return
    if case.mentions is None:
        ground.whole = False
        return
    lines = {path: found for path, found in case.mentions.items() if path not in ground.changed}
    for change in case.changed:
        text = text_of(change.file.data) if change.file else None
        if text:
            lines[change.path] = lines_naming(text, gone)
    lines = {path: found for path, found in lines.items() if found and not _may_outlive(path, ground.specs)}
    for each in dangling(lines, gone, lambda path: case.after.entry(path) is not None, lambda path: _text_at(case, path)):
        message = f"this names {each.target}, which is gone"
        yield ground.finding(each.path, each.line, message, "SP415", quote=each.text.strip())


def _may_outlive(path: str, specs: str) -> bool:
    return path.startswith(f"{specs}/") or is_prose(path)


def _text_at(case: Case, path: str) -> str:
    file = case.after.read(path)
    return (text_of(file.data) or "") if file else ""


def forbidden(ground: Ground) -> Iterator[Finding]:
    """Added lines that a lesson forbids, at no cost of tokens."""
    promoted = [lesson for lesson in ground.case.lessons if lesson.forbid]
    if not promoted:
        return
    for change in ground.case.changed:
        mine = [each for each in promoted if not each.paths or any(matches(g, change.path) for g in each.paths)]
        if mine:
            added = list(added_lines(ground, change))
            for lesson in mine:
                yield from _forbidden_by(ground, lesson, change.path, added)


def _forbidden_by(ground: Ground, lesson: Lesson, path: str, added: Sequence[tuple[int, str]]) -> Iterator[Finding]:
    pattern = re.compile(lesson.forbid or "")
    end = time.monotonic() + FORBID_SECONDS
    for number, line in added:
        if any(pattern.search(line, at, at + WINDOW) for at in range(0, max(1, len(line)), WINDOW // 2)):
            yield ground.finding(path, number, f"a lesson forbids this: {lesson.text}", lesson.id)
            return
        if time.monotonic() > end:
            ground.whole = False
            return


def hidden_text(ground: Ground) -> Iterator[Finding]:
    """Characters that a reader can't see, and secrets, in what a model added."""
    for change in ground.by_a_model():
        added = list(added_lines(ground, change))
        text = "\n".join(line for _, line in added)
        for remark in added_remarks(text, change.path):
            if remark.code in ("SP412", "SP413"):
                yield ground.finding(change.path, added[remark.line][0], remark.message, remark.code, cause="implementer")


def tests(ground: Ground) -> Iterator[Finding]:
    """Tests that a model deleted or skipped."""
    for change in ground.by_a_model():
        was = ground.case.before.read(change.path) if change.was else None
        before = text_of(was.data) if was else ""
        after = text_of(change.file.data) if change.file else ""
        lost = sorted(_test_names(before or "") - _test_names(after or ""))
        if lost:
            some = ", ".join(lost[:5]) + (" …" if len(lost) > 5 else "")
            yield ground.finding(change.path, 1, f"a model deleted tests: {some}", "tests", cause="implementer")
        for number, line in added_lines(ground, change):
            if SKIPS.search(line):
                yield ground.finding(
                    change.path, number, "a model added a skip or an early end", "tests", cause="implementer"
                )


def _test_names(text: str) -> set[str]:
    found = (TEST_NAME.match(line) for line in text.split("\n") if "est" in line or "it(" in line or "describe(" in line)
    return {next(filter(None, each.groups())) for each in found if each}


CHECKS: tuple[Callable[[Ground], Iterator[Finding]], ...] = (
    scope, landed, frozen, references, forbidden, hidden_text, tests,
)  # fmt: skip
