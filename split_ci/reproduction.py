"""The spec that reproduces a change: written, read back, applied to its base, and compared before anyone sees it."""

from __future__ import annotations

from hashlib import new as new_hash
from typing import TYPE_CHECKING, NamedTuple

from split_ci import writing
from split_ci.edit import apply_exact
from split_ci.errors import Refused
from split_ci.inverse import moves, removals, text_or_none, ways
from split_ci.overlay import Overlay
from split_ci.ports import Entry
from split_ci.problems import CODES
from split_ci.references import dangling, is_prose, lines_naming
from split_ci.rules import judge
from split_ci.spec import parse_spec, touched

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from split_ci.inverse import Delta
    from split_ci.path_rules import Place
    from split_ci.ports import File
    from split_ci.spec import Exact, Spec

    Mentions = Callable[[Collection[str]], Mapping[str, list[tuple[int, str]]]]

ALONE = "commit the other paths by themselves, then split-ci new --from HEAD"
MOST_BYTES = 8 * 1024 * 1024  # of a spec
MOST_HEAD_BYTES = 60_000  # of its front matter, which may have 64 KiB
NAMED_FAULTS = 5


class Origin(NamedTuple):
    """Where a change comes from: what the spec says of it, and the commit that it starts from."""

    name: str  # for messages
    base: str
    title: str
    why: str


def refuse(faults: Iterable[str], name: str) -> None:
    """Raises Refused with the first faults, where there are any; `name` is what holds them."""
    said = list(faults)
    if said:
        more = f"; and {len(said) - NAMED_FAULTS} more" if len(said) > NAMED_FAULTS else ""
        raise Refused(f"{name} holds what a spec can't say: {'; '.join(said[:NAMED_FAULTS])}{more}", hint=ALONE)


def shown(path: str) -> str:
    """A path as one line of a message."""
    return path if path.isprintable() else ascii(path)[1:-1]


def _text(after: Overlay, path: str) -> str:
    file = after.file(path)
    return (text_or_none(file.data) or "") if file else ""


def _blob_id(data: bytes, algorithm: str) -> str:
    return new_hash(algorithm, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


class Reproduction:
    """Writes the spec, reads it back, and takes the next way for each path that did not come out as it must."""

    def __init__(self, path: str, origin: Origin, deltas: Sequence[Delta], place: Place) -> None:
        self.path = path
        self.origin = origin
        self.place = place
        self.first: list[Exact] = [*removals(deltas), *moves(deltas)]
        self.ways = {delta.path: ways(delta) for delta in deltas if delta.new is not None}
        self.chosen = dict.fromkeys(self.ways, 0)
        self.wanted: Mapping[str, Entry | None] = {}

    def proved(self, wanted: Mapping[str, Entry | None], algorithm: str, mentions: Mentions) -> Spec:
        """The spec that makes every path what it must be, and nothing else. `mentions` gives the base's lines that may name
        gone paths; `algorithm` is the repository's. Raises Refused.
        """
        self.wanted = wanted
        while True:
            spec = self.read(self.data(()))
            made = apply_exact(spec.changes, self.place.tree, self.path).files
            wrong = self.wrong(made, algorithm)
            if not wrong:
                return self.waived(spec, dangles=self.dangles(made, mentions))
            for path in wrong:
                if self.chosen.get(path, 0) + 1 >= len(self.ways.get(path, ())):
                    raise Refused(f"{self.origin.name}: {shown(path)} would not come out byte for byte")
                self.chosen[path] += 1

    def wrong(self, made: Mapping[str, File | None], algorithm: str) -> list[str]:
        """The paths that are not what they must be."""
        wrong = [path for path in made if path not in self.wanted]
        for path, wanted in self.wanted.items():
            file = made.get(path)
            if path not in made or wanted != (file and Entry(file.mode, _blob_id(file.data, algorithm))):
                wrong.append(path)
        return wrong

    def dangles(self, made: Mapping[str, File | None], mentions: Mentions) -> bool:
        """Whether the result names what it takes away, as the reviewer will see it (SP415)."""
        after = Overlay(self.place.tree)
        after.put(made)
        gone = {path for path in made if after.mode(path) is None}
        if not gone:
            return False
        ours = {path: lines_naming(text, gone) for path in made if (text := _text(after, path))}
        return self._any_dangling(ours, gone, after) or self._any_dangling(
            {path: found for path, found in mentions(gone).items() if path not in made}, gone, after
        )

    def _any_dangling(self, lines: Mapping[str, list[tuple[int, str]]], gone: Collection[str], after: Overlay) -> bool:
        folder = self.place.specs + "/"
        kept = {path: found for path, found in lines.items() if found and not path.startswith(folder) and not is_prose(path)}
        return any(dangling(kept, gone, lambda path: after.mode(path) is not None, lambda path: _text(after, path)))

    def read(self, data: bytes) -> Spec:
        if len(data) > MOST_BYTES:
            raise Refused(f"{self.origin.name}: its spec would have {len(data):,} bytes: at most {MOST_BYTES:,}")
        parsed = parse_spec(data, self.path)
        if parsed.spec is None:
            raise Refused(f"{self.origin.name}: {parsed.problems[0].message}")
        return parsed.spec

    def waived(self, spec: Spec, *, dangles: bool) -> Spec:
        """The spec with the waivable problems that fire written into its front matter."""
        judged = judge(spec, self.place)
        codes = sorted({p.code for p in judged.problems if CODES[p.code].waivable} | ({"SP415"} if dangles else set()))
        if codes:
            spec = self.read(self.data(codes))
            judged = judge(spec, self.place)
        refuse((f"{p.message} ({p.code})" for p in judged.problems if p.severity == "error"), self.origin.name)
        return spec

    def data(self, waive: Sequence[str]) -> bytes:
        """The text of the spec, each path written the way that is chosen for it now."""
        body = [change for path in sorted(self.ways) for change in self.ways[path][self.chosen[path]]]
        changes = [*self.first, *body]
        fields = [("title", writing.scalar(self.origin.title)), ("status", "ready")]
        named = dict.fromkeys(path for change in changes for path in touched(change))
        protected = [path for path in named if self.place.is_protected(path)]
        if protected:
            fields.append(("protected", writing.flow(protected)))
        if waive:
            fields.append(("waive", "[" + ", ".join(waive) + "]"))
        head = writing.front_matter(fields, self.accept(sum(len(value.encode()) for _, value in fields)))
        return writing.document(head, self.origin.why, map(writing.section, changes))

    def accept(self, used: int) -> list[str]:
        """A criterion for each path, as many as the front matter has room for."""
        lines: list[str] = []
        folders = {folder for path, wanted in self.wanted.items() if wanted for folder in _folders(path)}
        for path, wanted in sorted(self.wanted.items()):
            if wanted is None and path in folders:
                continue  # a folder now
            line = writing.missing_line(path) if wanted is None else writing.blob_line(path, wanted.oid, wanted.mode)
            used += len(line.encode()) + 5
            if lines and used > MOST_HEAD_BYTES:
                break
            lines.append(line)
        return lines


def _folders(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
