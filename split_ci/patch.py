"""git's unified diffs, read strictly and applied without fuzz: bytes in, bytes out."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

MODES = ("100644", "100755")
Verb = Literal["create", "change", "delete", "move", "copy"]
QUOTED = {"a": b"\a", "b": b"\b", "f": b"\f", "n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v", "\\": b"\\", '"': b'"'}


class Hunk(NamedTuple):
    r"""One hunk: where it starts in the old file (from 1; 0 in an empty one), its lines without marks.

    Lines end in `\n`, but for one that lacks its final newline. `tail` says whether the last line is context.
    """

    start: int
    before: tuple[bytes, ...]
    after: tuple[bytes, ...]
    tail: bool
    line: int


class Part(NamedTuple):
    """What a diff does to one file. `mode` is the new mode, where the diff names one; `line` is within the diff."""

    verb: Verb
    old: str
    new: str
    mode: str | None
    hunks: tuple[Hunk, ...]
    line: int


class PatchFault(NamedTuple):
    """Why a diff can't be read (SP129), or is of a kind that is not applied (SP308); `line` is within the diff."""

    code: str
    line: int
    message: str
    fix: str


def patch_paths(diff: str) -> tuple[tuple[str, Verb], ...]:
    """Every path that a diff names and what it does there, as (path, verb); a move names both. Empty for a faulty diff."""
    parts = parse(diff)
    if isinstance(parts, PatchFault):
        return ()
    return tuple((path, part.verb) for part in parts for path in dict.fromkeys((part.old, part.new)))


def parse(diff: str) -> tuple[Part, ...] | PatchFault:
    r"""The parts of a diff as `git diff` writes it. `diff` has `\n` line ends; bytes that are not UTF-8 are surrogates."""
    return _Reader(diff).parts()


class _Faulty(Exception):
    def __init__(self, fault: PatchFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


AGAIN = "paste what `git diff` prints, unchanged"


class _Reader:
    def __init__(self, diff: str) -> None:
        self.lines = diff.split("\n")
        if self.lines[-1] == "":
            self.lines.pop()
        self.at = 0

    def parts(self) -> tuple[Part, ...] | PatchFault:
        found: list[Part] = []
        try:
            while self.at < len(self.lines):
                if self.lines[self.at].strip() or not found:
                    found.append(self._part())
                else:
                    self.at += 1
            self._check(found)
        except _Faulty as faulty:
            return faulty.fault
        return tuple(found)

    def _check(self, parts: list[Part]) -> None:
        if not parts:
            raise _Faulty(PatchFault("SP129", 1, "the diff is empty", AGAIN))
        read, written = set[str](), set[str]()
        for part in parts:
            reads = part.verb in ("change", "delete", "move")
            if (reads and part.old in read) or (part.verb != "delete" and part.new in written):
                twice = part.old if reads and part.old in read else part.new
                raise _Faulty(PatchFault("SP129", part.line, f"`{twice}` is in the diff twice", "make one diff of it"))
            if reads:
                read.add(part.old)
            if part.verb != "delete":
                written.add(part.new)

    def _fail(self, message: str, fix: str = AGAIN, code: str = "SP129") -> _Faulty:
        return _Faulty(PatchFault(code, min(self.at, len(self.lines) - 1) + 1, message, fix))

    def _part(self) -> Part:
        line = self.at + 1
        header = self.lines[self.at] if self.lines else ""
        if not header.startswith("diff --git "):
            raise self._fail("this line is not `diff --git a/… b/…`")
        self.at += 1
        extended = self._extended()
        here, self.at = self.at, line - 1  # what is wrong with names is told on the header's line
        old, new = self._names(header, extended)
        self.at = here
        self._refuse(extended)
        hunks = self._hunks() if self._file_lines(old, new, extended) else ()
        verb = _verb(extended)
        mode = extended.get("new mode") or extended.get("new file mode")
        if not hunks and verb == "change" and mode is None:
            raise self._fail(f"nothing is said about `{new}`")
        return Part(verb, old, new, mode, hunks, line)

    def _extended(self) -> dict[str, str]:
        """The header lines between `diff --git` and `---`, by their keyword."""
        found: dict[str, str] = {}
        while self.at < len(self.lines):
            match = re.match(EXTENDED, self.lines[self.at])
            if not match:
                break
            found[match[1]] = match[2]
            self.at += 1
        return found

    def _refuse(self, extended: dict[str, str]) -> None:
        """Kinds of patches that are read, and not applied."""
        for key in ("old mode", "new mode", "new file mode", "deleted file mode"):
            if extended.get(key, MODES[0]) not in MODES:
                self.at -= 1
                kind = {"120000": "a symlink", "160000": "a submodule"}.get(extended[key], f"a file of mode {extended[key]}")
                raise self._fail(f"the diff changes {kind}", "only plain files can be changed", "SP308")
        line = self.lines[self.at] if self.at < len(self.lines) else ""
        if line.startswith(("GIT binary patch", "Binary files ")):
            raise self._fail(
                "a binary patch", "move or delete binary files; their content can't be written in a spec", "SP308"
            )

    def _names(self, header: str, extended: dict[str, str]) -> tuple[str, str]:
        for verb in ("rename", "copy"):
            if f"{verb} from" in extended or f"{verb} to" in extended:
                if not (f"{verb} from" in extended and f"{verb} to" in extended):
                    raise self._fail(f"`{verb} from` and `{verb} to` belong together")
                return self._bare(extended[f"{verb} from"]), self._bare(extended[f"{verb} to"])
        name = self._common(header[len("diff --git ") :])
        return name, name

    def _bare(self, text: str) -> str:
        return self._unquoted(text) if text.startswith('"') else text

    def _common(self, text: str) -> str:
        """The one name in `a/NAME b/NAME`."""
        first, second = (self._bare(half) for half in _halves(text))
        if (first[:2], second[:2]) != ("a/", "b/") or first[2:] != second[2:] or not first[2:]:
            raise self._fail("the two names are not `a/NAME b/NAME`", "make it with `git diff`, with its prefixes")
        return first[2:]

    def _unquoted(self, text: str) -> str:
        """A name in git's C-style quotes."""
        out = bytearray()
        if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
            raise self._fail(f"the name {text} is not quoted as git does it")
        for match in re.finditer(r'\\([0-3][0-7]{2})|\\([abfnrtv\\"])|([^\\"])|(.)', text[1:-1], re.DOTALL):
            octal, simple, plain, bad = match.groups()
            if bad:
                raise self._fail(f"the name {text} is not quoted as git does it")
            if octal:
                out.append(int(octal, 8))
            else:
                out += QUOTED[simple] if simple else plain.encode("utf-8", "surrogateescape")
        return out.decode("utf-8", "surrogateescape")

    def _file_lines(self, old: str, new: str, extended: dict[str, str]) -> bool:
        """Reads `---` and `+++`, which must say what the header says. False where there are none."""
        if self.at >= len(self.lines) or not self.lines[self.at].startswith("--- "):
            return False
        wanted_old = "/dev/null" if "new file mode" in extended else f"a/{old}"
        wanted_new = "/dev/null" if "deleted file mode" in extended else f"b/{new}"
        for mark, wanted in (("--- ", wanted_old), ("+++ ", wanted_new)):
            line = self.lines[self.at] if self.at < len(self.lines) else ""
            if not line.startswith(mark) or self._bare(line[4:].removesuffix("\t")) != wanted:
                raise self._fail(f"this line is not `{mark}{wanted}`")
            self.at += 1
        return True

    def _hunks(self) -> tuple[Hunk, ...]:
        hunks: list[Hunk] = []
        while self.at < len(self.lines) and self.lines[self.at].startswith("@@"):
            hunks.append(self._hunk())
        if not hunks:
            raise self._fail("there is no hunk (`@@ … @@`) here")
        return tuple(hunks)

    def _hunk(self) -> Hunk:
        head = re.match(
            r"@@ -([0-9]{1,9})(?:,([0-9]{1,9}))? \+([0-9]{1,9})(?:,([0-9]{1,9}))? @@(?: |$)", self.lines[self.at]
        )
        if not head:
            raise self._fail("this line is not `@@ -l,n +l,n @@`")
        line = self.at + 1
        self.at += 1
        left, right = (int(head[n] if head[n] is not None else 1) for n in (2, 4))
        before: list[bytes] = []
        after: list[bytes] = []
        mark = " "
        while left or right:
            if self.at >= len(self.lines):
                raise self._fail(f"the hunk of line {line} ends too early: its counts say more lines")
            mark, text = self.lines[self.at][:1] or " ", (self.lines[self.at][1:] + "\n").encode("utf-8", "surrogateescape")
            left, right = left - (mark != "+"), right - (mark != "-")
            if mark not in " +-" or left < 0 or right < 0:
                raise self._fail(f"the hunk of line {line} does not hold as many lines as its counts say")
            self.at += 1
            if self.at < len(self.lines) and self.lines[self.at].startswith("\\ "):
                text = text[:-1]
                self.at += 1
            if mark != "+":
                before.append(text)
            if mark != "-":
                after.append(text)
        return Hunk(int(head[1]), tuple(before), tuple(after), mark == " ", line)


EXTENDED = (
    r"(old mode|new mode|deleted file mode|new file mode|copy from|copy to|rename from|rename to|"
    r"similarity index|dissimilarity index|index) (.*)"
)


def _verb(extended: dict[str, str]) -> Verb:
    if "new file mode" in extended:
        return "create"
    if "deleted file mode" in extended:
        return "delete"
    if "rename to" in extended:
        return "move"
    return "copy" if "copy to" in extended else "change"


def _halves(text: str) -> tuple[str, str]:
    """The two names of a header; git quotes a name that holds odd characters, and not one that holds blanks."""
    quoted = re.match(r'"(?:[^"\\]|\\.)*"', text)
    if quoted:
        return quoted[0], text[quoted.end() + 1 :]
    if text.endswith('"') and ' "' in text:
        return text[: text.index(' "')], text[text.index(' "') + 1 :]
    half = len(text) // 2
    first, second = text[:half], text[half + 1 :]
    return (first, second) if first.startswith("a/") and second.startswith("b/") else ("a/", "b/")


class Misfit(NamedTuple):
    """A hunk that does not fit; `line` is its line in the diff."""

    line: int
    message: str


def apply_hunks(data: bytes, hunks: tuple[Hunk, ...]) -> bytes | Misfit:
    """A file's new content: every hunk fits at the line that it states, or each stands exactly once after the one before.

    Plain hunks (without a carriage return) follow a file whose every line end is a carriage return and a line feed.
    """
    lines = data.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    if b"\n" in data and data.count(b"\n") == data.count(b"\r\n"):
        hunks = _with_returns(hunks)
    stated = _stated(lines, hunks)
    places = stated if stated is not None else _searched(lines, hunks)
    if isinstance(places, Misfit):
        return places
    out: list[bytes] = []
    at = 0
    for hunk, place in zip(hunks, places, strict=True):
        out += lines[at:place]
        out += hunk.after
        at = place + len(hunk.before)
    return b"".join(out + lines[at:])


def _with_returns(hunks: tuple[Hunk, ...]) -> tuple[Hunk, ...]:
    if any(b"\r" in line for hunk in hunks for line in hunk.before + hunk.after):
        return hunks
    return tuple(hunk._replace(before=_returned(hunk.before), after=_returned(hunk.after)) for hunk in hunks)


def _returned(lines: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return tuple(line[:-1] + b"\r\n" if line.endswith(b"\n") else line for line in lines)


def _stated(lines: list[bytes], hunks: tuple[Hunk, ...]) -> list[int] | None:
    """The indexes of the lines that the hunks state; None where one of them does not fit there."""
    places: list[int] = []
    at = 0
    for hunk in hunks:
        place = max(hunk.start - 1, 0)
        if place < at or not _fits(lines, hunk, place):
            return None
        places.append(place)
        at = place + len(hunk.before)
    return places


def _fits(lines: list[bytes], hunk: Hunk, place: int) -> bool:
    """Whether a hunk fits at an index. As in git, one without context below ends the file, one from line 1 starts it."""
    end = place + len(hunk.before)
    if end > len(lines) or (not hunk.tail and end < len(lines)) or (hunk.start <= 1 and place):
        return False
    return tuple(lines[place:end]) == hunk.before


def _searched(lines: list[bytes], hunks: tuple[Hunk, ...]) -> list[int] | Misfit:
    """The only places where hunks fit, one after the other, in a file that is not the one they were made from."""
    places: list[int] = []
    at = 0
    for hunk in hunks:
        if not hunk.before:
            return Misfit(hunk.line, "it has no line of context, and the file is not empty")
        found = _fitting(lines, hunk, at)
        if not found:
            return Misfit(hunk.line, f"its old lines (from line {hunk.start}) are not there")
        if len(found) > 1:
            shown = ", ".join(str(place + 1) for place in found[:5])
            return Misfit(
                hunk.line, f"its old lines are not at line {hunk.start}, and more than once elsewhere (lines {shown})"
            )
        places.append(found[0])
        at = found[0] + len(hunk.before)
    return places


def _fitting(lines: list[bytes], hunk: Hunk, at: int) -> list[int]:
    """Where a hunk fits, from an index on; at most six places."""
    if hunk.start <= 1 or not hunk.tail:
        place = 0 if hunk.start <= 1 else len(lines) - len(hunk.before)
        return [place] if place >= at and _fits(lines, hunk, place) else []
    text, key = b"\n" + b"".join(lines[at:]), b"\n" + b"".join(hunk.before)
    found: list[int] = []
    start, line = 0, at
    while len(found) < 6 and (next_ := text.find(key, start)) >= 0:
        line += text.count(b"\n", start, next_)
        if _fits(lines, hunk, line):
            found.append(line)
        start, line = next_ + 1, line + 1
    return found
