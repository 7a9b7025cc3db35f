"""The block structure of CommonMark, as far as specs need it: headings, fences and paragraphs, and how deep they lie.

What GitHub shows is what is done, so everything that decides whether a line is a heading or a fence is here: quotations,
lists, lazy continuation, indented code, HTML blocks, link reference definitions, tabs. Inline markup is not.
A property test holds it equal to a CommonMark library.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Literal, NamedTuple

TAB = 4
MAX_DEPTH = 100  # containers in containers; marks further in are read as text, which no section can come from
HTML_NAMES = (
    "address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|fieldset|"
    "figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|nav|"
    "noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul"
)
ATTRIBUTE = r"""[ \t]+[A-Za-z_:][\w.:-]*(?:[ \t]*=[ \t]*(?:[^\s"'=<>`]+|'[^']*'|"[^"]*"))?"""
WHOLE_TAG = rf"(?:<[A-Za-z][A-Za-z0-9-]*(?:{ATTRIBUTE})*[ \t]*/?>|</[A-Za-z][A-Za-z0-9-]*[ \t]*>)[ \t]*$"


class Block(NamedTuple):
    r"""One heading, fence or paragraph, on the lines `line` to `end` (from 1).

    `text` is a heading's or paragraph's inline source, or a fence's content, every line of it ending in `\n`.
    `depth` counts the quotations and list items around it. `info` and `mark` (the opening run) are a fence's.
    """

    kind: Literal["heading", "fence", "paragraph"]
    line: int
    end: int
    depth: int
    text: str
    level: int = 0
    info: str = ""
    mark: str = ""
    closed: bool = True


def scan(text: str, first: int = 1) -> list[Block]:
    r"""The blocks of a Markdown text with `\n` line ends, in order; `first` is the number of its first line."""
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    scanner = _Scanner(first)
    for line in lines:
        scanner.feed(line)
    scanner.close_leaf()
    return scanner.blocks


class _Container:
    """A quotation, or a list item whose lines are indented by `needed` columns (0: a quotation)."""

    __slots__ = ("empty", "needed")

    def __init__(self, needed: int) -> None:
        self.needed = needed
        self.empty = True


class _Paragraph:
    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        self.line = line
        self.lines: list[str] = []


class _Fence:
    __slots__ = ("indent", "info", "line", "lines", "mark")

    def __init__(self, line: int, indent: int, mark: str, info: str) -> None:
        self.line = line
        self.indent = indent
        self.mark = mark
        self.info = info
        self.lines: list[str] = []


class _Html:
    __slots__ = ("ends",)

    def __init__(self, ends: str) -> None:
        self.ends = ends  # a pattern on a line; empty: a blank line ends it


class _Scanner:
    """Takes one line after the other; `open` are the containers around the leaf that is being read."""

    def __init__(self, first: int) -> None:
        self.blocks: list[Block] = []
        self.open: list[_Container] = []
        self.leaf: _Paragraph | _Fence | _Html | None = None
        self.line = first - 1
        self.rest = ""  # of the line, after what containers took
        self.col = 0  # the column at which it starts
        self.matched = 0  # how many of `open` go on in this line

    def feed(self, line: str) -> None:
        self.line += 1
        self.rest, self.col = line, 0
        self.matched = 0
        self._continue_containers()
        if self.matched == len(self.open) and self._continue_leaf():
            return
        while self._start():
            pass

    def close_leaf(self) -> None:
        leaf, self.leaf = self.leaf, None
        depth, end = len(self.open), self.line
        if isinstance(leaf, _Fence):
            self._add_fence(leaf, end, closed=False)
        elif isinstance(leaf, _Paragraph):
            taken, text = _text_of(leaf)
            if text:
                self.blocks.append(Block("paragraph", leaf.line + taken, leaf.line + len(leaf.lines) - 1, depth, text))

    def _add_fence(self, leaf: _Fence, end: int, *, closed: bool) -> None:
        text = "".join([*(f"{line}\n" for line in leaf.lines)])
        self.blocks.append(Block("fence", leaf.line, end, len(self.open), text, 0, leaf.info, leaf.mark, closed))

    def _continue_containers(self) -> None:
        for container in self.open:
            indent, at = _blanks(self.rest, self.col)
            blank = at == len(self.rest)
            if not container.needed:
                if indent > 3 or blank or self.rest[at] != ">":
                    return
                self._take_quote_mark(indent)
            elif container.empty if blank else indent < container.needed:
                return
            else:
                self._drop(min(indent, container.needed))
            self.matched += 1

    def _continue_leaf(self) -> bool:
        """Whether the line belongs to the fence or the HTML that is open."""
        leaf = self.leaf
        if isinstance(leaf, _Fence):
            if _closes(leaf, self.rest, self.col):
                self.leaf = None
                self._add_fence(leaf, self.line, closed=True)
            else:
                self._drop(min(leaf.indent, _blanks(self.rest, self.col)[0]))
                leaf.lines.append(self.rest)
            return True
        if isinstance(leaf, _Html):
            if not leaf.ends:
                if not self.rest.strip(" \t"):
                    self.leaf = None
            elif _pattern(leaf.ends).search(self.rest):
                self.leaf = None
            return True
        return False

    def _start(self) -> bool:
        """Starts what the rest of the line starts. True where that was a container, and there is more to look at."""
        indent, at = _blanks(self.rest, self.col)
        body = self.rest[at:]
        if not body:
            self._settle()
            self.leaf = None
            return False
        if indent > 3:
            if isinstance(self.leaf, _Paragraph):
                self._text(body)
            else:
                self._settle()
            return False
        first = body[0]
        if first == ">" and self.matched < MAX_DEPTH:
            self._settle(_Container(0))
            self._take_quote_mark(indent)
            return True
        if first in "#`~<=-_*+0123456789":
            if self._start_leaf(first, body, indent):
                return False
            if first in "-*+0123456789" and self.matched < MAX_DEPTH and self._start_item(body, indent):
                return True
        self._text(body)
        return False

    def _start_leaf(self, first: str, body: str, indent: int) -> bool:
        if first == "#":
            return self._start_heading(body)
        if first in "`~":
            return self._start_fence(first, body, indent)
        if first == "<":
            return self._start_html(body)
        if first in "=-" and self._underline(body):
            return True
        if first in "-_*" and _is_rule(body):
            self._settle()
            return True
        return False

    def _start_heading(self, body: str) -> bool:
        text = body.lstrip("#")
        level = len(body) - len(text)
        if level > 6 or (text and text[0] not in " \t"):
            return False
        text = text.strip(" \t")
        bare = text.rstrip("#")
        if bare != text and (not bare or bare[-1] in " \t"):
            text = bare.rstrip(" \t")
        self._settle()
        self.blocks.append(Block("heading", self.line, self.line, len(self.open), text, level))
        return True

    def _start_fence(self, mark: str, body: str, indent: int) -> bool:
        info = body.lstrip(mark)
        length = len(body) - len(info)
        if length < 3 or (mark == "`" and "`" in info):
            return False
        self._settle()
        self.leaf = _Fence(self.line, indent, mark * length, info.strip(" \t"))
        return True

    def _start_html(self, body: str) -> bool:
        ends = _html_end(body, interrupts=isinstance(self.leaf, _Paragraph))
        if ends is None:
            return False
        self._settle()
        if not ends or not _pattern(ends).search(body):
            self.leaf = _Html(ends)
        return True

    def _underline(self, body: str) -> bool:
        """Turns the paragraph that is open into a heading, where the line underlines it."""
        leaf = self.leaf
        mark = body.rstrip(" \t")
        if not isinstance(leaf, _Paragraph) or self.matched < len(self.open) or mark.strip(mark[0]):
            return False
        taken, text = _text_of(leaf)
        if not text:
            return False
        self.leaf = None
        level = 1 if mark[0] == "=" else 2
        self.blocks.append(Block("heading", leaf.line + taken, self.line, len(self.open), text, level))
        return True

    def _start_item(self, body: str, indent: int) -> bool:
        marker = _marker(body)
        if marker is None:
            return False
        width, number = marker
        rest, col = body[width:], self.col + indent + width
        blanks, at = _blanks(rest, col)
        blank = at == len(rest)
        interrupts = isinstance(self.leaf, _Paragraph) and self.matched == len(self.open)
        if (rest and not blanks) or (interrupts and (blank or number not in (None, 1))):
            return False
        padding = 1 if blank or blanks > 4 else blanks
        self._settle(_Container(indent + width + padding))
        self.rest, self.col = rest, col
        self._drop(blanks if blank else padding)
        return True

    def _settle(self, container: _Container | None = None) -> None:
        """Closes what did not go on in this line, and opens a container, if one is given."""
        self.close_unmatched()
        if self.leaf is not None:
            self.close_before()
        if self.open and (container or self.rest.strip(" \t")):
            self.open[-1].empty = False
        if container:
            self.open.append(container)
            self.matched += 1

    def close_unmatched(self) -> None:
        if self.matched < len(self.open):
            self.close_before()
            del self.open[self.matched :]

    def close_before(self) -> None:
        """Closes the leaf; the line that is being read is no part of it."""
        self.line -= 1
        self.close_leaf()
        self.line += 1

    def _text(self, body: str) -> None:
        """A line of a paragraph: of the one that is open (lazily, where containers are missing), or of a new one."""
        if not isinstance(self.leaf, _Paragraph):
            self._settle()
            self.leaf = _Paragraph(self.line)
        self.leaf.lines.append(body)

    def _take_quote_mark(self, indent: int) -> None:
        self._drop(indent)
        self.rest, self.col = self.rest[1:], self.col + 1
        self._drop(min(1, _blanks(self.rest, self.col)[0]))

    def _drop(self, columns: int) -> None:
        """Takes columns of blanks off the line; what is left of a tab stays as spaces."""
        if self.rest.startswith(" " * columns):
            self.rest, self.col = self.rest[columns:], self.col + columns
            return
        while columns > 0:
            if self.rest[0] == " ":
                width = 1
            else:
                width = TAB - self.col % TAB
                if width > columns:
                    self.rest = " " * (width - columns) + self.rest[1:]
                    self.col += columns
                    return
            self.rest = self.rest[1:]
            self.col += width
            columns -= width


def _blanks(text: str, col: int) -> tuple[int, int]:
    """The columns, and the characters, of the blanks at the start of a text that starts at a column."""
    if not text or text[0] not in " \t":
        return 0, 0
    start, at = col, 0
    for char in text:
        if char == " ":
            col += 1
        elif char == "\t":
            col += TAB - col % TAB
        else:
            break
        at += 1
    return col - start, at


def _closes(fence: _Fence, rest: str, col: int) -> bool:
    mark = fence.mark[0]
    if fence.mark not in rest:
        return False
    indent, at = _blanks(rest, col)
    body = rest[at:].rstrip(" \t")
    return indent < 4 and len(body) >= len(fence.mark) and not body.strip(mark)


def _is_rule(body: str) -> bool:
    marks = body.replace(" ", "").replace("\t", "")
    return len(marks) > 2 and not marks.strip(marks[0])


def _marker(body: str) -> tuple[int, int | None] | None:
    """The width of a list marker, and its number where it has one."""
    if body[0] in "-*+":
        return 1, None
    found = _pattern(r"([0-9]{1,9})[.)]").match(body)
    return (found.end(), int(found[1])) if found else None


def _html_end(body: str, *, interrupts: bool) -> str | None:
    """The pattern that ends the HTML block which a line starts (empty: a blank line); None where it starts none."""
    if _pattern(r"(?i)<(?:script|pre|style|textarea)(?:[ \t>]|$)").match(body):
        return r"(?i)</(?:script|pre|style|textarea)>"
    for start, end in (("<!--", "-->"), ("<?", r"\?>"), ("<![CDATA[", r"\]\]>")):
        if body.startswith(start):
            return end
    if _pattern(r"<![A-Za-z]").match(body):
        return ">"
    if _pattern(rf"(?i)</?(?:{HTML_NAMES})(?:[ \t]|/?>|$)").match(body):
        return ""
    if not interrupts and _pattern(WHOLE_TAG).match(body):
        return ""
    return None


def _text_of(paragraph: _Paragraph) -> tuple[int, str]:
    """How many lines at the start of a paragraph are link reference definitions, and the text after them."""
    text = "\n".join(paragraph.lines).rstrip(" \t")
    if not text.startswith("["):
        return 0, text
    from split_ci.definitions import end_of_definitions  # noqa: PLC0415 - few paragraphs begin like one

    at = end_of_definitions(text)
    return text.count("\n", 0, at), text[at:]


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
