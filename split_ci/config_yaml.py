"""YAML read into values that know their lines. No aliases, no tags, no key twice: what a reader sees is what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import yaml
from yaml import events

from split_ci.config import FILE
from split_ci.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEEPEST = 8
KINDS = {"str": "text", "int": "a number", "float": "a number", "bool": "true or false", "null": "nothing"}


class Item(NamedTuple):
    """A value as it stands in the file. `kind` is text, a number, true or false, nothing, a date, a list or a mapping.

    Scalars keep the text that was written; `line` is where the value starts, `at` where its key does.
    """

    kind: str
    value: Any
    line: int
    at: int


def fault(line: int, message: str) -> NoReturn:
    raise UsageError(f"{FILE}:{line}: {message}")


def read_items(data: bytes) -> Mapping[str, Item] | None:
    """The mapping that the file holds; None where it holds nothing. Raises UsageError for the first thing that is wrong."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        fault(data.count(b"\n", 0, error.start) + 1, "not UTF-8 text: save the file as UTF-8")
    try:
        return _Reader(text.removeprefix("\ufeff")).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        fault(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}")
    except yaml.reader.ReaderError as error:
        bad = yaml.reader.Reader.NON_PRINTABLE.search(text)
        fault(text.count("\n", 0, bad.start()) + 1 if bad else 1, f"not YAML: {error.reason}")


class _Reader:
    def __init__(self, text: str) -> None:
        self._loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)

    def _next(self) -> Any:  # noqa: ANN401 - PyYAML's events, whose marks are typed as optional
        event = self._loader.get_event()
        if isinstance(event, events.AliasEvent) or getattr(event, "anchor", None):
            fault(event.start_mark.line + 1, "YAML anchors and aliases are not allowed: write the value out")
        if getattr(event, "tag", None) is not None:
            fault(event.start_mark.line + 1, f"the YAML tag {event.tag} is not allowed: write the plain value")
        return event

    def document(self) -> Mapping[str, Item] | None:
        event = self._next()
        while isinstance(event, events.StreamStartEvent):
            event = self._next()
        if isinstance(event, events.StreamEndEvent):
            return None
        item = self._item(self._next(), 0, 0)
        self._next()
        after = self._next()
        if not isinstance(after, events.StreamEndEvent):
            fault(after.start_mark.line + 1, "a second YAML document: keep one")
        if item.kind == "nothing":
            return None
        if item.kind != "a mapping":
            fault(item.line, f"the file holds {item.kind}: it must hold 'key: value' lines")
        value: Mapping[str, Item] = item.value
        return value

    def _item(self, event: Any, depth: int, at: int) -> Item:  # noqa: ANN401
        line = event.start_mark.line + 1
        at = at or line
        if depth > DEEPEST:
            fault(line, f"nested more than {DEEPEST} deep")
        if isinstance(event, events.MappingStartEvent):
            return Item("a mapping", self._mapping(depth), line, at)
        if isinstance(event, events.SequenceStartEvent):
            return Item("a list", self._list(depth), line, at)
        return Item(self._kind(event), event.value, line, at)

    def _kind(self, event: events.ScalarEvent) -> str:
        tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        return KINDS.get(tag.rpartition(":")[2], "a date")

    def _list(self, depth: int) -> list[Item]:
        found = []
        while not isinstance(event := self._next(), events.SequenceEndEvent):
            found.append(self._item(event, depth + 1, 0))
        return found

    def _mapping(self, depth: int) -> dict[str, Item]:
        found: dict[str, Item] = {}
        while not isinstance(event := self._next(), events.MappingEndEvent):
            key = self._item(event, depth + 1, 0)
            if key.kind != "text" or key.value == "<<":
                fault(key.line, f"a key must be plain text, not {'a merge' if key.value == '<<' else key.kind}")
            if key.value in found:
                fault(key.line, f"the key {key.value!r} is there twice (first in line {found[key.value].at}): keep one")
            found[key.value] = self._item(self._next(), depth + 1, key.line)
        return found
