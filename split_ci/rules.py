"""The rules of a spec against a tree: paths, protection, exact edits, text. Values in, values out."""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from split_ci import patch
from split_ci.change import Create, Edit, Instruct, Patch, Replace
from split_ci.edit import apply_exact
from split_ci.path_rules import path_problems
from split_ci.paths import path_fault
from split_ci.problems import CODES, problem
from split_ci.text_rules import added_remarks, prose_remarks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from split_ci.change import Change
    from split_ci.path_rules import Place
    from split_ci.ports import Tree
    from split_ci.problems import Problem
    from split_ci.results import CriterionResult
    from split_ci.spec import Spec
    from split_ci.text_rules import Remark


SIDES = (attrgetter("before"), attrgetter("after"))


class Judged(NamedTuple):
    """What is wrong with a spec, and what its front matter waives (shown in the pull request)."""

    problems: tuple[Problem, ...]
    waived: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        return all(p.severity != "error" for p in self.problems)


def judge(spec: Spec, place: Place, parse_problems: Iterable[Problem] = ()) -> Judged:
    """Everything that one spec alone shows against a tree, sorted by line; `parse_problems` come from `parse_spec`."""
    found = [*parse_problems, *path_problems(spec, place)]
    if not any(p.code in ("SP201", "SP202", "SP205", "SP208") for p in found):  # else the tree is not asked for these paths
        found += apply_exact(spec.changes, place.tree, spec.path).problems
    found += _text_problems(spec, place)
    return waive(spec, found)


def waive(spec: Spec, found: Iterable[Problem]) -> Judged:
    """Takes out what the front matter waives, where a code may be waived at all."""
    problems: list[Problem] = []
    waived: list[Problem] = []
    for one in found:
        (waived if one.code in spec.waive and CODES[one.code].waivable else problems).append(one)
    problems.sort(key=lambda p: (p.line, p.column, p.code))
    return Judged(tuple(dict.fromkeys(problems)), tuple(waived))


# --- text


def _text_problems(spec: Spec, place: Place) -> Iterator[Problem]:
    lines: list[str] = []
    for change in spec.changes:
        for start, text, found in _remarks(change, place):
            for remark in found:
                lines = lines or spec.data.decode("utf-8", "replace").split("\n")
                line = _line_in_spec(lines, start, text.split("\n"), remark.line)
                yield problem(remark.code, spec.path, line, remark.message, remark.fix, remark.column)


def _line_in_spec(lines: list[str], start: int, text: list[str], offset: int) -> int:
    """The line of the spec (from 1) that shows a text's line, at or below `start`; `start` where an escape hides it."""
    wanted = text[offset]
    shown = [at for at in range(start, len(lines)) if lines[at].rstrip("\r").endswith(wanted)]
    aligned = [at for at in shown if at - offset >= start and lines[at - offset].rstrip("\r").endswith(text[0])]
    return (aligned or shown or [start - 1])[0] + 1


def _remarks(change: Change, place: Place) -> Iterator[tuple[int, str, Iterator[Remark]]]:
    """(line of the spec below which a text is found, the text, what is wrong with it)."""
    if isinstance(change, Edit):
        for pair in change.pairs:
            yield pair.after_line, pair.after, added_remarks(pair.after, change.path, Lines(partial(str, pair.before)))
    elif isinstance(change, Create):
        yield change.text_line, change.text, added_remarks(change.text, change.path)
    elif isinstance(change, Replace):
        path = change.path
        yield change.text_line, change.text, added_remarks(change.text, path, Lines(partial(_text_at, place.tree, path)))
    elif isinstance(change, Patch):
        for path, text, before in patched_texts(change.diff):
            yield change.text_line, text, added_remarks(text, path, before)
    elif isinstance(change, Instruct):
        yield change.line, change.prose, prose_remarks(change.prose)


class Lines:
    """The lines of a text that was there already; fetched and split only when one is asked for."""

    def __init__(self, text: Callable[[], str]) -> None:
        self._text = text
        self._lines: frozenset[str] | None = None

    def __contains__(self, line: object) -> bool:
        if self._lines is None:
            self._lines = frozenset(self._text().replace("\r\n", "\n").split("\n"))
        return line in self._lines


def _text_at(tree: Tree, path: str) -> str:
    file = tree.read(path) if path_fault(path) is None else None
    return file.data.decode("utf-8", "replace") if file else ""


def patched_texts(diff: str) -> Iterator[tuple[str, str, frozenset[str]]]:
    """(path, the new side of its hunks, the lines of the old side) for each file of a unified diff that holds hunks."""
    parts = patch.parse(diff)
    for part in () if isinstance(parts, patch.PatchFault) else parts:
        if part.hunks:
            old, new = (b"".join(line for hunk in part.hunks for line in side(hunk)) for side in SIDES)
            yield part.new, new.decode("utf-8", "replace"), frozenset(old.decode("utf-8", "replace").split("\n"))


# --- criteria, run on the base (`--prove`)


PROOF_FIXES = {
    "SP504": "make it fail without the change, or mark it `guard: true`",
    "SP505": "install what it needs under `prepare:` in .split-ci.yaml, or say under `red:` how it must fail",
    "SP506": "mend that first, or take `guard: true` away",
}


def proof_problems(spec: Spec, results: Iterable[CriterionResult]) -> Iterator[Problem]:
    """SP504, SP505 and SP506: what running the criteria on the base said against them."""
    lines = {criterion.id: criterion.line for criterion in spec.accept}
    for result in results:
        if result.code:
            message = f"{result.id} (`{result.run[:80]}`): {result.reason}"
            yield problem(result.code, spec.path, lines.get(result.id, 1), message, _proof_fix(result))


def _proof_fix(result: CriterionResult) -> str:
    """How to mend what a criterion said on the base."""
    why = f"{result.reason}\n{result.base.broken if result.base else ''}"
    if "`prepare` failed" in why:
        return "mend that command under `prepare:` in .split-ci.yaml"
    if "a test is missing" in why:
        return "mend the path, or make the test with `Create`"
    return PROOF_FIXES.get(result.code, "")
