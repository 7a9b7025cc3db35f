"""Specs among each other: needs, circles, overlaps and the order of work. Values in, values out."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from split_ci import patch
from split_ci.change import Edit, Instruct, Patch, touched
from split_ci.paths import fold
from split_ci.problems import problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from split_ci.change import Change
    from split_ci.ports import Tree
    from split_ci.problems import Problem
    from split_ci.spec import Spec

LAST = 1 << 60  # of a file whose length doesn't matter


class Span(NamedTuple):
    """Lines of one file that a section rests on (`first` to `last`) and, among them, those it changes (`start` to `end`).

    Lines count from 1 in the file as the base holds it; an insertion before line n changes the lines n to n - 1. `sure` is
    false where a model decides; `line` is the section's, in the spec.
    """

    path: str
    first: int
    last: int
    start: int
    end: int
    line: int
    sure: bool = True

    def __str__(self) -> str:
        """As a message says it: `lines 10 to 12`."""
        if self.last == LAST:
            return "the whole file"
        return f"line {self.first}" if self.first == self.last else f"lines {self.first} to {self.last}"


def meets(one: Span, other: Span) -> bool:
    """Whether one changes what the other rests on: then the second of them to land would find something else."""
    return _changes_within(one, other) or _changes_within(other, one)


def _changes_within(one: Span, other: Span) -> bool:
    if one.start > one.end:  # an insertion
        return other.first < one.start <= other.last or (one.start, one.end) == (other.start, other.end)
    return one.start <= other.last and other.first <= one.end


# --- needs


def need_problems(specs: Sequence[Spec], landed: Collection[str]) -> Iterator[Problem]:
    """SP601, SP602 and SP604 of pending specs; `landed` are the ids in the landed folder."""
    known = {spec.id: spec for spec in specs}
    circles = circles_of({spec.id: [need for need in spec.needs if need in known] for spec in specs})
    for spec in specs:
        line = spec.lines.get("needs", 1)
        for need in spec.needs:
            if need in known:
                if spec.status == "ready" and known[need].status == "draft":
                    message = f"it needs `{need}`, which is still a draft: nothing happens until that is ready"
                    yield problem("SP604", spec.path, line, message, f"set `status: ready` in {known[need].path}")
            elif need not in landed:
                yield problem(
                    "SP601", spec.path, line, f"it needs `{need}`, and there is no such spec", _nearest(need, known, landed)
                )
        if spec.id in circles:
            said = " -> ".join(circles[spec.id])
            yield problem("SP602", spec.path, line, f"needs go in a circle: {said}", "take one of these needs out")


def _nearest(need: str, known: Iterable[str], landed: Iterable[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for a message

    close = get_close_matches(need, [*known, *landed], 1)
    return f"did you mean `{close[0]}`?" if close else "write that spec first, or take the need out"


def circles_of(needs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Each id that lies on a circle of needs -> that circle, from the id back to itself."""
    found: dict[str, list[str]] = {}
    done: set[str] = set()
    for root in needs:
        trail: list[str] = []
        place: dict[str, int] = {}
        stack = [(root, iter(needs[root]))] if root not in done else []
        while stack:
            node, rest = stack[-1]
            if node not in place:
                place[node] = len(trail)
                trail.append(node)
            step = next((need for need in rest if need not in done), None)
            if step is None:
                stack.pop()
                done.add(trail.pop())
                del place[node]
            elif step in place:
                circle = trail[place[step] :]
                for i, member in enumerate(circle):
                    found.setdefault(member, [*circle[i:], *circle[: i + 1]])
            else:
                stack.append((step, iter(needs[step])))
    return found


# --- overlaps


def spans(specs: Sequence[Spec], tree: Tree) -> dict[str, list[Span]]:
    """The spans of each spec (by id) in files that another one touches too; other files are not even read."""
    owners: dict[str, set[str]] = {}
    for spec in specs:
        for change in spec.changes:
            for path in touched(change):
                owners.setdefault(fold(path), set()).add(spec.id)
    shared = {key for key, ids in owners.items() if len(ids) > 1}
    lines = _Lines(tree)
    return {
        spec.id: [span for change in spec.changes for span in _spans_of(change, lines, shared) if fold(span.path) in shared]
        for spec in specs
    }


class _Lines:
    """Where texts are in files, each file read once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._texts: dict[str, str] = {}

    def find(self, path: str, before: str) -> Iterator[int]:
        """The lines (from 1) at which a text of whole lines begins."""
        if path not in self._texts:
            file = self._tree.read(path)
            self._texts[path] = "\n" + file.data.decode("utf-8", "replace").replace("\r\n", "\n") + "\n" if file else ""
        text = self._texts[path]
        at, line = text.find("\n" + before) if before else -1, 1
        since = 0
        while at >= 0:
            line += text.count("\n", since, at)
            yield line
            since, at = at, text.find("\n" + before, at + len(before))


def _spans_of(change: Change, lines: _Lines, shared: Collection[str]) -> Iterator[Span]:
    if isinstance(change, Edit):
        if fold(change.path) in shared:
            yield from _edit_spans(change, lines)
    elif isinstance(change, Patch):
        yield from _patch_spans(change)
    else:
        sure = not isinstance(change, Instruct)
        for path in touched(change):
            yield Span(path, 1, LAST, 1, LAST, change.line, sure)


def _edit_spans(edit: Edit, lines: _Lines) -> Iterator[Span]:
    """Where the base holds the texts; one that an earlier section makes lies within that section's own span."""
    for pair in edit.pairs:
        old, new = pair.before.split("\n")[:-1], pair.after.split("\n")[:-1]
        for first in lines.find(edit.path, pair.before):
            yield _span(edit.path, first, old, new, pair.line)


def _span(path: str, first: int, old: Sequence[object], new: Sequence[object], line: int) -> Span:
    """The span of old lines that become new ones: what both begin and end with is rested on, and not changed."""
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    last = first + len(old) - 1
    return Span(path, first, last, first + head, last - tail, line)


def _common(old: Sequence[object], new: Sequence[object]) -> int:
    return next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))


def _patch_spans(change: Patch) -> Iterator[Span]:
    """The hunks of each file that stays where it is; any other as a whole, but for one of which only the mode changes."""
    parts = patch.parse(change.diff)
    for part in () if isinstance(parts, patch.PatchFault) else parts:
        if part.verb == "change":
            for hunk in part.hunks:
                first = hunk.start if hunk.before else hunk.start + 1
                yield _span(part.old, first, hunk.before, hunk.after, change.line)
        else:
            for path in dict.fromkeys((part.old, part.new)):
                yield Span(path, 1, LAST, 1, LAST, change.line)


def overlap_problems(specs: Sequence[Spec], tree: Tree) -> Iterator[Problem]:
    """SP603: ready specs that change the same lines with no order between them; at most one for each spec and file."""
    ready = [spec for spec in specs if spec.status == "ready"]
    orders = _orders(ready)
    number = {spec.id: i for i, spec in enumerate(ready)}
    found = spans(ready, tree)
    for bucket in _buckets(found).values():
        said: set[int] = set()
        for one, mine, other, theirs in _unordered(bucket, orders, number):
            for me, span, you, yours in ((one, mine, other, theirs), (other, theirs, one, mine)):
                if me not in said:
                    said.add(me)
                    yield _overlap(ready[me], span, ready[you], yours)


def _overlap(spec: Spec, span: Span, other: Spec, theirs: Span) -> Problem:
    there = f"{other.path}:{theirs.line}"
    message = f"it changes {span} of `{span.path}`, and {there} changes {theirs}, with no order between them"
    fix = f"write `needs: [{other.id}]` here, or `needs: [{spec.id}]` there, not both; or change other lines"
    return problem("SP603", spec.path, span.line, message, fix)


def _buckets(found: Mapping[str, Sequence[Span]]) -> dict[str, list[tuple[Span, str]]]:
    buckets: dict[str, list[tuple[Span, str]]] = {}
    for owner, own in found.items():
        for span in own:
            buckets.setdefault(fold(span.path), []).append((span, owner))
    for bucket in buckets.values():
        bucket.sort(key=lambda row: (row[0].first, row[0].last))
    return buckets


def _orders(specs: Sequence[Spec]) -> list[int]:
    """For each spec, as bits, the specs that needs order before or after it (in a circle: all, that is another problem)."""
    number = {spec.id: i for i, spec in enumerate(specs)}
    needs = {spec.id: [need for need in spec.needs if need in number] for spec in specs}
    circles = circles_of(needs)
    before = [1 << i for i in range(len(specs))]
    sequence = [node for node in _sequence(needs) if node not in circles]
    for node in sequence:
        for need in needs[node]:
            before[number[node]] |= before[number[need]]
    after = [1 << i for i in range(len(specs))]
    for node in reversed(sequence):
        for need in needs[node]:
            after[number[need]] |= after[number[node]]
    everything = (1 << len(specs)) - 1
    return [everything if spec.id in circles else before[i] | after[i] for i, spec in enumerate(specs)]


def _sequence(needs: Mapping[str, Sequence[str]]) -> list[str]:
    """The ids, each after what it needs, else as they came; circles are cut at some place."""
    out: list[str] = []
    state: dict[str, int] = {}
    for root in needs:
        stack = [root]
        while stack:
            node = stack[-1]
            if state.get(node, 0) == 0:
                state[node] = 1
                stack.extend(need for need in reversed(needs[node]) if not state.get(need))
            else:
                stack.pop()
                if state[node] == 1:
                    state[node] = 2
                    out.append(node)
    return out


def _unordered(
    bucket: Sequence[tuple[Span, str]], orders: Sequence[int], number: Mapping[str, int]
) -> Iterator[tuple[int, Span, int, Span]]:
    """Pairs of one file that meet and have no order: for each span the first such one among those that began before it."""
    live: dict[int, list[Span]] = {}  # spans that reach the line where we are, by spec
    ends: list[tuple[int, int]] = []  # a heap of their last lines
    mask = 0
    for span, owner in bucket:
        me = number[owner]
        while ends and ends[0][0] < span.first - 1:
            _, gone = heappop(ends)
            live[gone] = [other for other in live[gone] if other.last >= span.first - 1]
            if not live[gone]:
                mask &= ~(1 << gone)
        pair = _first_meeting(span, live, mask & ~orders[me])
        if pair:
            yield me, span, *pair
        live.setdefault(me, []).append(span)
        heappush(ends, (span.last, me))
        mask |= 1 << me


def _first_meeting(span: Span, live: Mapping[int, Sequence[Span]], candidates: int) -> tuple[int, Span] | None:
    while candidates:
        you = (candidates & -candidates).bit_length() - 1
        candidates &= candidates - 1
        for theirs in live[you]:
            if _certain(span, theirs) and meets(span, theirs):
                return you, theirs
    return None


def _certain(one: Span, other: Span) -> bool:
    """Whether both change lines that are known: where a model chooses the lines of a file, only the whole file is."""
    return (one.sure and other.sure) or (one.sure != other.sure and one.last == other.last == LAST)


# --- order


def overlaps(specs: Sequence[Spec], tree: Tree) -> dict[str, list[str]]:
    """Each spec's id -> the ids of others that change what it rests on, sorted; where a model chooses, any line may be."""
    pairs: dict[str, set[str]] = {spec.id: set() for spec in specs}
    for bucket in _buckets(spans(specs, tree)).values():
        live: list[tuple[Span, str]] = []
        for span, owner in bucket:
            live = [row for row in live if row[0].last >= span.first - 1]
            for theirs, other in live:
                if other != owner and other not in pairs[owner] and meets(span, theirs):
                    pairs[owner].add(other)
                    pairs[other].add(owner)
            live.append((span, owner))
    return {owner: sorted(others) for owner, others in pairs.items()}


def order(specs: Sequence[Spec], overlapping: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Waves of ids: each spec after all that it needs, and after what overlaps it and comes first (by needs, else by id).

    `overlapping` is what `overlaps` gives. Specs on a circle of needs, or that need such a one, are in no wave.
    """
    by_id = sorted(specs, key=lambda spec: spec.id)
    known = {spec.id for spec in by_id}
    needs = {spec.id: [need for need in spec.needs if need in known] for spec in by_id}
    stuck = set(circles_of(needs))
    wave: dict[str, int] = {}
    for node in _sequence(needs):
        if node in stuck or any(need in stuck for need in needs[node]):
            stuck.add(node)
            continue
        earlier = [*needs[node], *(other for other in overlapping.get(node, ()) if other in wave)]
        wave[node] = max((wave[other] + 1 for other in earlier), default=0)
    waves: list[list[str]] = [[] for _ in range(max(wave.values(), default=-1) + 1)]
    for node in sorted(wave):
        waves[wave[node]].append(node)
    return waves
