"""The configuration's YAML as values that know their lines, by the reader that serves specs and lessons too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from split_ci.errors import UsageError
from split_ci.frontmatter import SAID, parse
from split_ci.settings import FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.frontmatter import Value


class Item(NamedTuple):
    """A value as it stands in the file. `kind` is text, a number, true or false, nothing, a date, a list or a mapping.

    `value` is a scalar's text as written, a list of items, or items by key; `line` is where the value starts, `at` its key.
    """

    kind: str
    value: Any
    line: int
    at: int


def fault(line: int, message: str) -> NoReturn:
    raise UsageError(f"{FILE}:{line}: {message}", hint="mend that line, then split-ci doctor")


def read_items(data: bytes) -> Mapping[str, Item]:
    """The mapping that the file holds. Raises UsageError for the first thing that is wrong with it as YAML."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        fault(data.count(b"\n", 0, error.start) + 1, "not UTF-8 text: save the file as UTF-8")
    value, problems = parse(text.removeprefix("\ufeff").replace("\r\n", "\n"), FILE)
    for problem in sorted(problems, key=lambda problem: problem.line):
        fault(problem.line, f"{problem.message}: {problem.fix}".replace("the front matter", "the file"))
    assert value is not None
    found: Mapping[str, Item] = _item(value, value.line).value
    return found


def _item(value: Value, at: int) -> Item:
    if value.kind == "map":
        for key, _ in value.pairs:
            if key.kind != "text":
                fault(key.line, f"the key {key.text} is {SAID[key.kind]} to YAML: write a name")
        return Item(SAID["map"], {key.text: _item(each, key.line) for key, each in value.pairs}, value.line, at)
    if value.kind == "list":
        return Item(SAID["list"], [_item(each, each.line) for each in value.items], value.line, at)
    return Item(SAID[value.kind], value.text, value.line, at)
