"""The body of a spec: its prose, and the sections under `## Changes` read into changes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from split_ci import escapes, patch
from split_ci.blocks import Block, scan
from split_ci.change import Create, Delete, Edit, Instruct, Move, Pair, Patch, Replace
from split_ci.problems import problem

if TYPE_CHECKING:
    from split_ci.change import Change
    from split_ci.problems import Problem

VERBS = ("Edit", "Create", "Replace", "Delete", "Move", "Patch", "Instruct")
FORMS = {
    "Edit": "Edit `path`",
    "Create": "Create `path`",
    "Replace": "Replace `path`",
    "Delete": "Delete `path`",
    "Move": "Move `path` to `path`",
    "Patch": "Patch",
    "Instruct": "Instruct `path`",
}
OTHER_WORDS = {
    "add": "Create", "new": "Create", "write": "Create", "change": "Edit", "modify": "Edit", "update": "Edit",
    "ask": "Instruct", "overwrite": "Replace", "remove": "Delete", "rename": "Move", "diff": "Patch", "apply": "Patch",
}  # fmt: skip
FLAGS = {"Create": ("executable", "no final newline", "crlf"), "Replace": ("executable", "no final newline")}
LABEL = r"(Before|After)(?: \(([1-9][0-9]{0,5}) times?\))?:\Z"
LABEL_LIKE = r"(?i)\W*(?:before|befor|bevore|after|aftr|old|new|original|search|find|replace|with|from|to|was|now)\b"


class Body(NamedTuple):
    changes: tuple[Change, ...]
    why: str
    checklist: str
    problems: tuple[Problem, ...]


class Heading(NamedTuple):
    """The heading of a section, taken apart."""

    verb: str
    paths: tuple[str, ...]
    flags: frozenset[str]


def read_body(text: str, path: str, first: int) -> Body:
    """The body of a spec (the text after its front matter, whose first line has the number `first`)."""
    reader = _Reader(text, path, first)
    reader.read()
    return Body(tuple(reader.changes), reader.prose("why"), reader.prose("review checklist"), tuple(reader.problems))


class _Section(NamedTuple):
    heading: Heading
    line: int
    blocks: list[Block]
    end: int  # its last line


class _Reader:
    def __init__(self, text: str, path: str, first: int) -> None:
        self.path = path
        self.first = first
        self.lines = text.split("\n")
        self.blocks = scan(text, first)
        self.changes: list[Change] = []
        self.problems: list[Problem] = []
        self.failed = False

    def say(self, code: str, line: int, message: str, fix: str, column: int = 1) -> None:
        self.problems.append(problem(code, self.path, line, message, fix, column))
        self.failed = True

    def prose(self, title: str) -> str:
        """The text below an H2 of a title, up to the next H1 or H2."""
        tops = [b for b in self.blocks if b.kind == "heading" and b.level < 3 and not b.depth]
        ends = [b.line for b in tops[1:]] + [self.first + len(self.lines)]
        return "\n\n".join(
            self._raw(top.end + 1, end - 1)
            for top, end in zip(tops, ends, strict=False)
            if top.level == 2 and top.text.strip().lower() == title
        )

    def _raw(self, line: int, last: int) -> str:
        return "\n".join(self.lines[line - self.first : last - self.first + 1]).strip()

    def read(self) -> None:
        inside = False
        at = 0
        while at < len(self.blocks):
            block = self.blocks[at]
            at += 1
            if self._misplaced(block, inside=inside):
                continue
            if block.kind == "heading" and block.level < 3 and not block.depth:
                inside = block.level == 2 and block.text == "Changes"
            elif inside and block.kind == "heading" and block.level == 3 and not block.depth:
                at = self._section(block, at)
            elif inside and block.kind == "fence":
                self.say("SP124", block.line, "a fence before the first section", "put it into a section")
        if not self.changes and not self.problems:
            self._nothing()

    def _nothing(self) -> None:
        fix = "write a section below it, such as ### Edit `path`"
        for block in self.blocks:
            if block.kind == "heading" and block.text.strip().lower() in ("changes", "change", "the changes"):
                if block.level == 2 and block.text == "Changes" and not block.depth:
                    self.say("SP120", block.line, "there is nothing under `## Changes`", fix)
                else:
                    self.say("SP120", block.line, "this heading is not `## Changes`", "write it exactly so")
                return
        self.say(
            "SP120", self.first, "there is no section `## Changes`", f"write that heading, and {fix.removeprefix('write ')}"
        )

    def _misplaced(self, block: Block, *, inside: bool) -> bool:
        """Reports a heading that looks like a section where none is read; `inside` is under `## Changes`."""
        if block.kind != "heading" or not re.match(rf"(?:{'|'.join(VERBS)}) +`", block.text):
            return False
        if block.depth:
            said, fix = "a section inside a list or a quotation is not read", "start the heading at the start of a line"
        elif not inside:
            said, fix = "this section is not under `## Changes`", "move it there, with three `#`"
        elif block.level != 3:
            said, fix = f"a section's heading is of level 3, this one of {block.level}", f"write ### {block.text}"
        else:
            return False
        self.say("SP121", block.line, said, fix)
        return True

    def _section(self, block: Block, at: int) -> int:
        """Reads one section; the answer is the index of the first block after it."""
        end = at
        while end < len(self.blocks) and not self._ends(self.blocks[end]):
            end += 1
        last = self.blocks[end].line - 1 if end < len(self.blocks) else self.first + len(self.lines) - 1
        heading = self._heading(block)
        blocks = self.blocks[at:end]
        self.failed = heading is None
        for inner in blocks:
            self._misplaced(inner, inside=True)
            if inner.kind == "fence" and not inner.closed:
                self.say(
                    "SP127",
                    inner.line,
                    "the fence that opens here is not closed",
                    f"write {inner.mark} on a line of its own below it",
                )
        if heading is not None:
            change = self._change(_Section(heading, block.line, blocks, last))
            if change is not None and not self.failed:
                self.changes.append(change)
        return end

    def _ends(self, block: Block) -> bool:
        return block.kind == "heading" and block.level <= 3 and not block.depth

    def _heading(self, block: Block) -> Heading | None:
        word = re.match(r"[^\s`(]*", block.text)
        verb = word[0] if word else ""
        if verb not in VERBS:
            close = _meant(verb)
            fix = f"did you mean ### {FORMS[close]}?" if close else f"write one of {', '.join(VERBS)}"
            self.say("SP121", block.line, f"### {block.text}: this is not one of the verbs", fix)
            return None
        found = _taken_apart(verb, block.text[len(verb) :])
        if isinstance(found, str):
            also = "".join(f" ({flag})" for flag in FLAGS.get(verb, ()))
            fix = f"write ### {FORMS[verb]}" + (f", and after it what fits of{also}" if also else "")
            self.say("SP122", block.line, f"### {block.text}: {found}", fix)
            return None
        return found

    def _change(self, section: _Section) -> Change | None:
        verb, line = section.heading.verb, section.line
        if verb == "Instruct":
            return self._instruct(section)
        for block in section.blocks:
            if block.kind == "fence" and block.depth:
                self.say("SP126", block.line, "a fence inside a list or a quotation", "start it at the start of a line")
        blocks = [b for b in section.blocks if not b.depth]
        if verb == "Edit":
            return self._edit(section.heading.paths[0], blocks, line)
        if verb in ("Delete", "Move"):
            for fence in (b for b in blocks if b.kind == "fence"):
                self.say("SP124", fence.line, f"`{verb}` takes no fence", "take it away, or write a section for it")
            paths = section.heading.paths
            return Delete(paths[0], line) if verb == "Delete" else Move(paths[0], paths[1], line)
        fence_ = self._one_fence(verb, blocks, line)
        if fence_ is None:
            return None
        return self._patch(fence_, line) if verb == "Patch" else self._whole(section.heading, fence_, line)

    def _instruct(self, section: _Section) -> Change | None:
        prose = self._raw(section.line + 1, section.end)
        if not prose:
            self.say(
                "SP132",
                section.line,
                "`Instruct` says nothing",
                "write what to do, and how a reader will know that it is right",
            )
        return Instruct(section.heading.paths, prose, section.line)

    def _one_fence(self, verb: str, blocks: list[Block], line: int) -> Block | None:
        fences = [b for b in blocks if b.kind == "fence"]
        if not fences:
            self.say(
                "SP125",
                line,
                f"`{verb}` has no fence",
                "write the whole text into one" if verb != "Patch" else "put the diff into one",
            )
            return None
        for fence in fences[1:]:
            self.say(
                "SP124",
                fence.line,
                f"`{verb}` takes one fence, this is another",
                "make a fence that holds fences longer than they are",
            )
        return fences[0]

    def _patch(self, fence: Block, line: int) -> Change | None:
        data = self._bytes(fence)
        if data is None:
            return None
        diff = data.decode("utf-8", "surrogateescape")
        parts = patch.parse(diff)
        if isinstance(parts, patch.PatchFault):
            self.say(parts.code, fence.line + parts.line, parts.message, parts.fix)
        return Patch(diff, line, fence.line)

    def _whole(self, heading: Heading, fence: Block, line: int) -> Change | None:
        text = self._text(fence)
        if text is None:
            return None
        if "crlf" in heading.flags:
            if "\r" in text:
                self.say("SP122", line, "`(crlf)` and a `\\r` in the text", "say one of the two")
            text = text.replace("\n", "\r\n")
        if "no final newline" in heading.flags:
            text = text.removesuffix("\n").removesuffix("\r") if "crlf" in heading.flags else text.removesuffix("\n")
        kind = Create if heading.verb == "Create" else Replace
        return kind(heading.paths[0], text, "executable" in heading.flags, line, fence.line)

    def _edit(self, path: str, blocks: list[Block], line: int) -> Change | None:
        pairs: list[Pair] = []
        before: tuple[Block, int] | None = None
        for number, block in enumerate(blocks):
            if block.kind == "fence":
                above = blocks[number - 1] if number else None
                label = re.match(LABEL, above.text) if above and above.kind == "paragraph" else None
                if label is None:
                    self._unlabelled(block, above)
                elif label[1] == "Before":
                    if before:
                        self._no_after(before[0])
                    before = (block, int(label[2] or 1))
                elif before is None or label[2]:
                    said = "this `After:` has no `Before:`" if before is None else "`After` takes no number"
                    self.say(
                        "SP125" if before is None else "SP123",
                        block.line,
                        said,
                        "write `Before:` and a fence, then `After:` and a fence",
                    )
                else:
                    self._pair(pairs, before, block)
                    before = None
            elif block.kind == "paragraph":
                self._label_alone(block, blocks[number + 1] if number + 1 < len(blocks) else None)
        if before:
            self._no_after(before[0])
        if not pairs and not self.failed:
            self.say("SP125", line, "`Edit` has no fences", "write `Before:` and a fence, then `After:` and a fence")
        return Edit(path, tuple(pairs), line)

    def _no_after(self, before: Block) -> None:
        inside = next((n for n, text in enumerate(before.text.split("\n")) if re.match(LABEL, text)), None)
        if inside is None:
            self.say("SP125", before.line, "this `Before:` has no `After:`", "write `After:` and a fence below it")
            return
        at = before.line + 1 + inside
        self.say("SP125", before.line, f"the fence of this `Before:` is still open at line {at}", "close it above `After:`")

    def _label_alone(self, block: Block, below: Block | None) -> None:
        if re.match(LABEL, block.text) and (below is None or below.kind != "fence"):
            self.say("SP125", block.line, f"there is no fence below `{block.text}`", "write one, directly below")

    def _unlabelled(self, fence: Block, above: Block | None) -> None:
        if above is not None and above.kind == "paragraph":
            last = above.text.rsplit("\n", 1)[-1].strip()
            if re.match(LABEL, last):
                self.say("SP123", above.end, f"`{last}` is not a paragraph of its own", "leave an empty line above it")
                return
            if (
                "\n" not in above.text
                and len(last) <= 40
                and (last.endswith((":", ":**", ":*")) or re.match(LABEL_LIKE, last))
            ):
                self.say("SP123", above.line, f"`{last}` is not a label", "write `Before:`, `Before (3 times):` or `After:`")
                return
        self.say("SP124", fence.line, "a fence without a label", "write `Before:` or `After:` above it, or take it away")

    def _pair(self, pairs: list[Pair], before: tuple[Block, int], after: Block) -> None:
        old, new = self._text(before[0]), self._text(after)
        if old == "":
            self.say("SP130", before[0].line, "`Before` is empty", "repeat a line as an anchor, in both; or use `Replace`")
        elif old is not None and old == new:
            self.say(
                "SP131",
                after.line,
                "`After` is the same as `Before`",
                "write what shall be there instead, or take the pair away",
            )
        pairs.append(Pair(old or "", new or "", before[1], before[0].line, after.line))

    def _text(self, fence: Block) -> str | None:
        data = self._bytes(fence)
        if data is None:
            return None
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            line = fence.line + 1 + data.count(b"\n", 0, error.start)
            self.say("SP128", line, "the escapes of this fence make bytes that are not UTF-8", r"write characters as \uHHHH")
            return None

    def _bytes(self, fence: Block) -> bytes | None:
        if fence.info.split()[-1:] != ["escaped"]:
            return fence.text.encode()
        data = escapes.decode(fence.text)
        if isinstance(data, escapes.EscapeFault):
            self.say("SP128", fence.line + data.line, data.message, f"write one of {escapes.ALLOWED}", data.column)
            return None
        return data


def _meant(word: str) -> str | None:
    """The verb that a word most likely stands for."""
    from difflib import get_close_matches  # noqa: PLC0415 - slow to import, and rarely needed

    known = OTHER_WORDS.get(word.lower())
    return known or next(iter(get_close_matches(word.capitalize(), VERBS, 1, 0.6)), None)


def _taken_apart(verb: str, rest: str) -> Heading | str:
    """What stands in a heading after its verb, or what is wrong with it."""
    paths: list[str] = []
    between = {"Move": r"[ \t]+to[ \t]+", "Instruct": r"[ \t]*,[ \t]*"}.get(verb)
    wanted = {"Patch": 0, "Move": 2, "Instruct": 1000}.get(verb, 1)
    while len(paths) < wanted:
        lead = re.match(between if paths and between else r"[ \t]+", rest)
        span = _span(rest[lead.end() :]) if lead else None
        if lead is None or span is None:
            break
        paths.append(span[0])
        rest = rest[lead.end() + span[1] :]
    if len(paths) < min(wanted, 1 if verb == "Instruct" else wanted):
        return "it names no path" if not paths else "it names one path only"
    if len(set(paths)) < len(paths):
        return "it names a path twice"
    flags = _flags(rest)
    if flags is None:
        return f"`{rest.strip()}` is too much"
    odd = sorted(flags - set(FLAGS.get(verb, ())))
    return f"`({odd[0]})` does not go with `{verb}`" if odd else Heading(verb, tuple(paths), frozenset(flags))


def _span(text: str) -> tuple[str, int] | None:
    """The content of the code span at the start of a text, and its length; as CommonMark reads it."""
    opening = re.match(r"`+", text)
    if not opening:
        return None
    for run in re.finditer(r"`+", text[opening.end() :]):
        if len(run[0]) == len(opening[0]):
            content = text[opening.end() : opening.end() + run.start()]
            if content.startswith(" ") and content.endswith(" ") and content.strip(" "):
                content = content[1:-1]
            return (content, opening.end() + run.end()) if content.strip() else None
    return None


def _flags(rest: str) -> set[str] | None:
    """The words in the parentheses at the end of a heading; None where there is something else."""
    found: set[str] = set()
    for part in re.findall(r"\(([^()]*)\)|([^\s(][^(]*)", rest):
        if part[1]:
            return None
        found.update(word.strip() for word in part[0].split(","))
    return found if re.fullmatch(r"(?:[ \t]*\([^()]*\))*[ \t]*", rest) else None
