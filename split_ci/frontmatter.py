"""YAML front matter, read so that nothing means something else than it looks: values with their lines, problems as values.

Built from the parser's events and not from its objects: only events show anchors, aliases, tags, doubled keys and
how a scalar was written. The same reading serves specs, lessons and the configuration.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from split_ci.problems import problem

if TYPE_CHECKING:
    from split_ci.problems import Problem

MAX_BYTES = 64 * 1024
MAX_DEPTH = 16
MARK = "---"
BREAKS = "\r\x85\u2028\u2029"  # what ends a line for YAML, and a comment with it, and for hardly anybody who reads the file

Kind = Literal["text", "bool", "null", "int", "float", "date", "list", "map"]
SAID = {"text": "text", "bool": "true or false", "null": "nothing", "int": "a number", "float": "a number",
        "date": "a date", "list": "a list", "map": "a mapping"}  # fmt: skip
KINDS: dict[str, Kind] = {"str": "text", "bool": "bool", "null": "null", "int": "int", "float": "float", "timestamp": "date"}


class Value(NamedTuple):
    """One YAML value where it stands. `text` is a scalar as written; `items` a list's values; `pairs` a mapping's.

    `plain` is true for a scalar without quotes or block marks: only such ones can look like something else.
    """

    kind: Kind
    line: int
    column: int
    text: str = ""
    plain: bool = False
    items: tuple[Value, ...] = ()
    pairs: tuple[tuple[Value, Value], ...] = ()


class FrontMatter(NamedTuple):
    """A file's front matter (None where it could not be read) and where the body starts.

    `body` is the text after the closing mark, `body_line` the number of its first line.
    """

    value: Value | None
    problems: tuple[Problem, ...]
    body: str
    body_line: int


def read(text: str, path: str) -> FrontMatter:
    r"""The front matter of a text with `\n` line ends: what stands between a first line `---` and the next one."""
    first, _, rest = text.partition("\n")
    if first.rstrip(" \t") != MARK:
        return FrontMatter(None, (problem("SP103", path, 1, *_absent(text)),), text, 1)
    head, found, body = _cut(rest)
    if not found:
        said = "the front matter that line 1 opens is never closed"
        return FrontMatter(None, (problem("SP103", path, 1, said, "write `---` on a line of its own after it"),), "", 2)
    value, problems = parse(head, path, 2)
    return FrontMatter(value, problems, body, 3 + head.count("\n"))


def _absent(text: str) -> tuple[str, str]:
    if text.startswith("\ufeff"):
        return "the file starts with a byte order mark", "save it as UTF-8 without one"
    if text.lstrip().startswith(MARK):
        return "the front matter does not start on line 1", "take away what stands before the first `---`"
    return "the first line is not `---`", "start the file with front matter: `---`, `title: …`, `accept: …`, `---`"


def _cut(rest: str) -> tuple[str, bool, str]:
    """Everything before the closing mark, whether there is one, and everything after it."""
    closing = re.search(r"(?m)^---[ \t]*$", rest)
    if not closing:
        return rest, False, ""
    return rest[: closing.start()], True, rest[closing.end() + 1 :]


def parse(text: str, path: str, first: int = 1) -> tuple[Value | None, tuple[Problem, ...]]:
    """A YAML mapping as a value; `first` is the number of the text's first line. None where it is not YAML at all."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        said = f"the front matter is over {MAX_BYTES // 1024} KiB"
        return None, (problem("SP104", path, first, said, "move what people read to `## Why`"),)
    hidden = _hidden_break(text)
    if hidden:
        said, line = hidden
        return None, (problem("SP105", path, first + line, said, "end the line there, or take it away"),)
    import yaml  # noqa: PLC0415 - a spec that has none shall not pay for it

    reader = _Reader(path, first)
    try:
        value = reader.document(text)
    except yaml.YAMLError as error:
        reader.say("SP105", *_yaml_fault(error, text))
        return None, tuple(reader.problems)
    if value is not None and value.kind != "map":
        reader.problems.append(
            problem(
                "SP111",
                path,
                value.line,
                f"the front matter is {SAID[value.kind]}, not a mapping",
                "write `key: value` lines",
            )
        )
        value = None
    return value, tuple(reader.problems)


def _hidden_break(text: str) -> tuple[str, int] | None:
    """What is wrong, and on which line from 0, where YAML would end a line that is shown as one."""
    at = min((found for found in map(text.find, BREAKS) if found >= 0), default=-1)
    if at < 0:
        return None
    from split_ci.invisible import name  # noqa: PLC0415 - only for a message

    what = "a carriage return" if text[at] == "\r" else name(text[at])
    return f"the front matter holds {what}, where a line ends for YAML and for no reader", text.count("\n", 0, at)


class _TooDeep(Exception):
    pass


class _Reader:
    """Turns the events of one document into a value."""

    def __init__(self, path: str, first: int) -> None:
        self.path = path
        self.first = first
        self.problems: list[Problem] = []
        self.depth = 0

    def say(self, code: str, message: str, fix: str, line: int, column: int = 1) -> None:
        self.problems.append(problem(code, self.path, self.first + line, message, fix, column))

    def document(self, text: str) -> Value | None:
        import yaml  # noqa: PLC0415

        loader_type: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        loader = loader_type(text)
        try:
            return self._document(loader)
        except _TooDeep:
            return None
        finally:
            loader.dispose()

    def _document(self, loader: Any) -> Value | None:  # noqa: ANN401 - PyYAML's C loader has no types
        value: Value | None = None
        while loader.check_event():
            event = loader.peek_event()
            name = type(event).__name__
            if name in ("ScalarEvent", "SequenceStartEvent", "MappingStartEvent", "AliasEvent"):
                if value is not None:
                    self.say(
                        "SP105",
                        "the front matter holds a second document",
                        "take away the `...` line",
                        event.start_mark.line,
                    )
                    return None
                value = self._value(loader)
            else:
                loader.get_event()
        return value or Value("map", self.first, 1)

    def _value(self, loader: Any) -> Value:  # noqa: ANN401
        event = loader.get_event()
        name = type(event).__name__
        line, column = event.start_mark.line, event.start_mark.column + 1
        if name == "AliasEvent":
            self.say("SP107", f"an alias (`*{event.anchor}`)", "write the value out", line, column)
            return Value("null", self.first + line, column, "~")
        if event.anchor is not None:
            self.say("SP107", f"an anchor (`&{event.anchor}`)", "take it away and write the value out", line, column)
        if event.tag is not None:
            self.say("SP107", f"a tag (`{event.tag}`)", "take it away", line, column)
        if name == "ScalarEvent":
            return self._scalar(loader, event)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.say("SP104", f"the front matter is nested over {MAX_DEPTH} deep", "write it flat", line, column)
            raise _TooDeep
        try:
            return self._list(loader, line, column) if name == "SequenceStartEvent" else self._map(loader, line, column)
        finally:
            self.depth -= 1

    def _scalar(self, loader: Any, event: Any) -> Value:  # noqa: ANN401
        import yaml  # noqa: PLC0415

        line, column = self.first + event.start_mark.line, event.start_mark.column + 1
        plain = event.style is None or event.style == ""
        if not plain:
            return Value("text", line, column, event.value)
        tag = loader.resolve(yaml.ScalarNode, event.value, (True, False)) if event.tag is None else ""
        return Value(KINDS.get(tag.rpartition(":")[2], "text"), line, column, event.value, plain=True)

    def _list(self, loader: Any, line: int, column: int) -> Value:  # noqa: ANN401
        items: list[Value] = []
        while type(loader.peek_event()).__name__ != "SequenceEndEvent":
            items.append(self._value(loader))
        loader.get_event()
        return Value("list", self.first + line, column, items=tuple(items))

    def _map(self, loader: Any, line: int, column: int) -> Value:  # noqa: ANN401
        pairs: list[tuple[Value, Value]] = []
        seen: dict[str, int] = {}
        while type(loader.peek_event()).__name__ != "MappingEndEvent":
            key, value = self._value(loader), self._value(loader)
            if key.kind in ("list", "map"):
                self.say("SP105", "a key is a list or a mapping", "write a word", key.line - self.first, key.column)
            elif key.plain and key.text == "<<":
                self.say("SP107", "a merge key (`<<`)", "write the keys out", key.line - self.first, key.column)
            elif key.text in seen:
                said = f"`{key.text}` is there twice (lines {seen[key.text]} and {key.line})"
                self.say("SP106", said, "keep one of them", key.line - self.first, key.column)
            else:
                seen[key.text] = key.line
                pairs.append((key, value))
        loader.get_event()
        return Value("map", self.first + line, column, pairs=tuple(pairs))


def _yaml_fault(error: Any, text: str) -> tuple[str, str, int, int]:  # noqa: ANN401 - PyYAML's errors have no types
    """What the parser says, a fix, and where (line from 0, column from 1)."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    fix = "quote the value, or mend the indentation"
    if mark is None:
        at = getattr(error, "position", 0)
        at = at if isinstance(at, int) else 0
        return "the front matter holds a character that YAML does not allow", "take it away", text.count("\n", 0, at), 1
    said = (getattr(error, "problem", None) or getattr(error, "context", None) or "not YAML").replace("\n", " ")
    return f"the front matter is not YAML: {said}", fix, min(mark.line, text.count("\n")), mark.column + 1
