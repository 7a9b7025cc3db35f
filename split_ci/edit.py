"""Exact sections applied to a snapshot: values in, values out. The one engine of check, implement, gate and review."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from split_ci import patch
from split_ci.change import Create, Delete, Edit, Instruct, Move, Replace
from split_ci.overlay import Overlay
from split_ci.problems import Problem, problem
from split_ci.tree import File

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.change import Change, Exact, Pair, Patch
    from split_ci.overlay import PathFault
    from split_ci.ports import Tree

MAX_BYTES = 8 * 1024 * 1024  # of a file that sections write
BOM = b"\xef\xbb\xbf"
PLAIN, EXECUTABLE = "100644", "100755"
SHOWN = 5


class Applied(NamedTuple):
    """What exact sections made of a tree.

    `files`: every path whose content, mode or existence differs from the tree, with its end state (None: no longer there).
    `moved`: target -> source for files moved without a later change. `edits`: how many exact edits took: pairs of an
    Edit, files of a Patch, one for any other section. `problems`: why a section did not take (code SP3xx, or SP2xx for
    what is in the way), on the line of the section, its pair or its hunk; a section that failed left no trace, `left`
    holds those sections, and `reasons` the problems of each of them.
    """

    files: Mapping[str, File | None]
    moved: Mapping[str, str]
    edits: int
    problems: tuple[Problem, ...]
    left: tuple[Change, ...]
    reasons: tuple[tuple[Problem, ...], ...] = ()


class LineModel(NamedTuple):
    """A UTF-8 file as sections see it.

    `text` has its line ends as they are, no byte order mark, and always a final line end; `final` says whether the file
    has one. `crlf` is true where every line end is a carriage return and a line feed: only such a file has plain
    fences matched and written with these.
    """

    text: str
    bom: bool
    crlf: bool
    final: bool

    def ends(self, text: str) -> str:
        """A fence's text as this file holds it. A text that writes its own carriage returns is taken literally."""
        return text.replace("\n", "\r\n") if self.crlf and "\r" not in text else text

    def data(self) -> bytes:
        """The file's bytes: the mark is there as it was, and a missing final newline stays missing."""
        text = self.text
        if not self.final:
            text = text.removesuffix("\r\n" if self.crlf and text.endswith("\r\n") else "\n")
        return (BOM if self.bom else b"") + text.encode()


def line_model(data: bytes) -> LineModel | None:
    """The line model of a file's bytes; None where it is not UTF-8. `line_model(data).data() == data`, always."""
    bom = data.startswith(BOM)
    try:
        text = data[3:].decode() if bom else data.decode()
    except UnicodeDecodeError:
        return None
    count = data.count(b"\r\n")
    crlf = count > 0 and count == data.count(b"\n")
    final = not text or text.endswith("\n")
    return LineModel(text if final else text + ("\r\n" if crlf else "\n"), bom, crlf, final)


def occurrences(text: str, wanted: str, most: int) -> list[int]:
    """Where whole lines stand in a text of ended lines: offsets, overlapping ones too; `most` + 1 at most."""
    found: list[int] = []
    at = 0 if text.startswith(wanted) else _next(text, wanted, 0)
    while at >= 0 and len(found) <= most:
        found.append(at)
        at = _next(text, wanted, at)
    return found


def _next(text: str, wanted: str, at: int) -> int:
    found = text.find("\n" + wanted, at)
    return found + 1 if found >= 0 else -1


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


class _Step(NamedTuple):
    """What one section changes."""

    files: Mapping[str, File | None]
    edits: int = 1
    moved: Mapping[str, str] = {}


def apply_exact(changes: Sequence[Change], tree: Tree, spec_path: str = "") -> Applied:
    """Applies the exact sections in order, each to what the earlier ones made; Instruct sections are passed over."""
    overlay = Overlay(tree)
    edits = 0
    left: list[Change] = []
    reasons: list[tuple[Problem, ...]] = []
    for change in changes:
        if isinstance(change, Instruct):
            continue
        section = _Section(overlay, spec_path)
        step = section.apply(change)
        if step is None or section.problems:
            left.append(change)
            reasons.append(tuple(section.problems))
        else:
            overlay.put(step.files, step.moved)
            edits += step.edits
    files = overlay.changes()
    moved = {target: source for target, source in overlay.moved().items() if target in files}
    return Applied(files, moved, edits, tuple(p for group in reasons for p in group), tuple(left), tuple(reasons))


class _Section:
    """Applies one section to an overlay without changing it; what is wrong is collected in `problems`."""

    def __init__(self, overlay: Overlay, spec_path: str) -> None:
        self.overlay = overlay
        self.spec_path = spec_path
        self.problems: list[Problem] = []

    def apply(self, change: Exact) -> _Step | None:
        step = self._apply(change)
        if step is None:
            return None
        for path, file in step.files.items():
            if file is not None and len(file.data) > MAX_BYTES and path not in step.moved:
                said = f"`{path}` would have {len(file.data):,} bytes, at most {MAX_BYTES:,} are written"
                self.say("SP309", change.line, said, "make the file smaller, or leave it out")
        return step

    def _apply(self, change: Exact) -> _Step | None:
        if isinstance(change, Edit):
            return self._edit(change)
        if isinstance(change, Create):
            return self._create(change)
        if isinstance(change, Replace):
            return self._replace(change)
        if isinstance(change, Delete):
            return _Step({change.path: None}) if self._file(change.path, change.line) else None
        return self._move(change) if isinstance(change, Move) else self._patch(change)

    def say(self, code: str, line: int, message: str, fix: str) -> None:
        self.problems.append(problem(code, self.spec_path, line, message, fix))

    def _blocked(self, fault: PathFault | None, line: int) -> bool:
        if fault is not None:
            self.say(fault.code, line, fault.message, fault.fix)
        return fault is not None

    def _file(self, path: str, line: int) -> File | None:
        """The plain file at a path."""
        if self._blocked(self.overlay.fault(path, there=True), line):
            return None
        return self.overlay.file(path)

    def _lines(self, path: str, line: int) -> tuple[File, LineModel] | None:
        file = self._file(path, line)
        model = line_model(file.data) if file else None
        if file is None:
            return None
        if model is None:
            self.say(
                "SP305", line, f"`{path}` is not UTF-8 text", "such a file can be moved, deleted or patched, not edited"
            )
            return None
        return file, model

    def _edit(self, change: Edit) -> _Step | None:
        found = self._lines(change.path, change.line)
        if found is None:
            return None
        file, model = found
        for pair in change.pairs:
            model = self._pair(change.path, model, pair)
        new = File(model.data(), file.mode)
        if new == file and not self.problems:
            self.say(
                "SP307", change.line, f"nothing would change in `{change.path}`", "take the section away, or mend `After`"
            )
        return _Step({change.path: new}, len(change.pairs))

    def _pair(self, path: str, model: LineModel, pair: Pair) -> LineModel:
        before, after = model.ends(pair.before), model.ends(pair.after)
        if not before:
            self.say("SP130", pair.line, "`Before` is empty", "repeat a line as an anchor, in both")
            return model
        places = occurrences(model.text, before, max(pair.count, SHOWN))
        overlap = any(two - one < len(before) for one, two in pairwise(places))
        if not places:
            self._absent(path, model, pair)
        elif len(places) != pair.count or overlap:
            self._miscounted(path, model, pair, places)
        else:
            return model._replace(text=_replaced(model.text, places, len(before), after))
        return model

    def _absent(self, path: str, model: LineModel, pair: Pair) -> None:
        from split_ci.nearest import nearest  # noqa: PLC0415 - only failures need it

        after = model.ends(pair.after)
        telling = after.count("\n") * 2 >= pair.before.count("\n")  # a line or two of many would be there anyway
        done = occurrences(model.text, after, 1) if after and telling else []
        if self._was_there(path, model, pair):
            clause, fix = "an earlier section or pair changed it", "write `Before` as that leaves the text"
        elif len(done) == 1:
            clause, fix = (
                f"that of `After` is, at line {_line(model.text, done[0])}",
                "take the pair away if it is done already",
            )
        else:
            clause = nearest(model.text if model.data() else "", pair.before)
            fix = f"copy the lines from `{path}` as they are"
        self.say("SP301", pair.line, f"the text of `Before` is not in `{path}`: {clause}", fix)

    def _was_there(self, path: str, model: LineModel, pair: Pair) -> bool:
        """Whether the text is in the file as the tree has it."""
        origin = self.overlay.origin(path) or path
        base = self.overlay.base(origin)
        was = line_model(base.data) if base is not None else None
        return was is not None and was.text != model.text and bool(occurrences(was.text, was.ends(pair.before), 1))

    def _miscounted(self, path: str, model: LineModel, pair: Pair, places: list[int]) -> None:
        count = len(places)
        more = count > max(pair.count, SHOWN)
        numbers = ", ".join(str(_line(model.text, at)) for at in places[:SHOWN]) + (", …" if count > SHOWN else "")
        often = f"more than {count - 1} times" if more else _times(count)
        said = f"the text of `Before` is in `{path}` {often} (line{'s' if count > 1 else ''} {numbers})"
        if count == pair.count:
            said, fix = f"{said}, and overlaps itself", "add a line of context"
        elif count < pair.count:
            said, fix = f"{said}, not {_times(pair.count)}", f"write `Before{f' ({count} times)' if count > 1 else ''}:`"
        else:
            said, fix = f"{said}, not {_times(pair.count)}", "add a line of context"
            fix += f", or write `Before ({count} times):`" if not more else ""
        self.say("SP302", pair.line, said, fix)

    def _create(self, change: Create) -> _Step | None:
        if self._blocked(self.overlay.fault(change.path, there=False), change.line):
            return None
        return _Step({change.path: File(change.text.encode(), EXECUTABLE if change.executable else PLAIN)})

    def _replace(self, change: Replace) -> _Step | None:
        found = self._lines(change.path, change.line)
        if found is None:
            return None
        file, model = found
        text = model.ends(change.text)
        mark = BOM if model.bom and not text.startswith("\ufeff") else b""
        new = File(mark + text.encode(), EXECUTABLE if change.executable else file.mode)
        if new == file:
            self.say(
                "SP307", change.line, f"nothing would change in `{change.path}`", "take the section away, or mend its text"
            )
        return _Step({change.path: new})

    def _move(self, change: Move) -> _Step | None:
        file = self._file(change.source, change.line)
        target = self.overlay.target_fault(change.source, change.target) if file else None
        if file is None or self._blocked(target, change.line):
            return None
        return _Step({change.source: None, change.target: file}, 1, {change.target: change.source})

    def _patch(self, change: Patch) -> _Step | None:
        start = change.text_line or change.line
        parts = patch.parse(change.diff)
        if isinstance(parts, patch.PatchFault):
            self.say(parts.code, start + parts.line, parts.message, parts.fix)
            return None
        gone = {part.old: None for part in parts if part.verb in ("delete", "move")}
        files: dict[str, File | None] = dict(gone)
        moved: dict[str, str] = {}
        rest = self.overlay.trial()
        rest.put(gone)
        for part in parts:
            new = self._part(part, rest, start)
            if new is not None:
                files[part.new] = new
                rest.put({part.new: new})
                if part.verb == "move" and new == self.overlay.file(part.old):
                    moved[part.new] = part.old
        if not self.problems and all(self.overlay.file(path) == file for path, file in files.items()):
            self.say("SP307", change.line, "nothing would change", "take the section away")
        return _Step(files, len(parts), moved)

    def _part(self, part: patch.Part, rest: Overlay, start: int) -> File | None:
        """The new file of one part of a patch; None for a deletion, and where it does not fit."""
        line = start + part.line
        if part.verb not in ("change", "delete") and self._blocked(rest.fault(part.new, there=False), line):
            return None
        file = File(b"") if part.verb == "create" else self._file(part.old, line)
        if file is None:
            return None
        data = patch.apply_hunks(file.data, part.hunks)
        if isinstance(data, patch.Misfit):
            said = f"a hunk does not fit `{part.old}`: {data.message}"
            self.say("SP306", start + data.line, said, "make the diff again, against the base")
            return None
        if part.verb == "delete":
            if data:
                said = f"the diff deletes `{part.old}` and leaves lines of it"
                self.say("SP306", line, said, "make the diff again, against the base")
            return None
        return File(data, part.mode or file.mode)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _replaced(text: str, places: list[int], length: int, after: str) -> str:
    parts: list[str] = []
    at = 0
    for place in places:
        parts += (text[at:place], after)
        at = place + length
    return "".join([*parts, text[at:]])
