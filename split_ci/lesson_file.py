"""A lesson's file, read: a little front matter and a paragraph. Scalars are taken as written, never as YAML guesses."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import yaml

from split_ci.frontmatter import BREAKS
from split_ci.lesson import AUDIENCES, MAX_BYTES, MAX_GLOBS, MAX_TEACHERS, TEACHERS, Audience, Lesson, lesson_faults
from split_ci.paths import path_fault
from split_ci.problems import Problem, problem

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS = ("for", "when", "taught-by", "taught", "forbid")
ID = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


class _Wrong(Exception):  # never leaves this module
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def parse_lesson(data: bytes, path: str) -> tuple[Lesson | None, tuple[Problem, ...]]:
    """The lesson in `specs/coaching/<id>.md`, or None, and what is wrong with it. Never raises for what the bytes hold."""
    try:
        lesson = _read(data, path)
    except _Wrong as wrong:
        return None, (problem("SP701", path, wrong.line, wrong.message, "split-ci explain SP701"),)
    faults = lesson_faults(lesson)
    return (None if faults else lesson), tuple(problem(code, path, 1, why) for code, why in faults)


def _read(data: bytes, path: str) -> Lesson:
    if len(data) > MAX_BYTES:
        raise _Wrong(1, f"larger than {MAX_BYTES} bytes")
    try:
        text = data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise _Wrong(1, "not UTF-8 text") from None
    start, marked, rest = text.partition("---\n")
    front, end, body = ("\n" + rest).partition("\n---\n")
    if start or not marked or not end:
        raise _Wrong(1, "there is no front matter between two lines `---`")
    return _lesson(_compose(front), " ".join(body.split()), _id(path))


def _id(path: str) -> str:
    name = path.rpartition("/")[2]
    stem = name.removesuffix(".md")
    if stem == name or not stem or len(stem) > 63 or stem[0] == "-" or not set(stem) <= ID:
        raise _Wrong(1, "the file name is not an id (a-z, 0-9 and -, at most 63) and `.md`")
    return stem


def _compose(front: str) -> yaml.Node | None:
    if any(c in front for c in BREAKS):
        raise _Wrong(1, "the front matter holds a character that ends a line for YAML and for no reader")
    try:
        for token in yaml.scan(front, Loader=yaml.SafeLoader):
            if isinstance(token, (yaml.AliasToken, yaml.AnchorToken, yaml.TagToken, yaml.DirectiveToken)):
                raise _Wrong(token.start_mark.line + 1, "anchors, aliases and tags are not allowed")
        return yaml.compose(front, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise _Wrong(mark.line + 1 if mark else 1, f"the front matter is not YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError):
        raise _Wrong(1, "the front matter is not YAML") from None


def _lesson(node: yaml.Node | None, text: str, stem: str) -> Lesson:
    top = _mapping(node, KEYS, "the front matter")
    if "for" not in top:
        raise _Wrong(1, "`for` is missing: implementer or architect")
    audience = _scalar(top["for"], "for")
    if audience not in AUDIENCES:
        raise _Wrong(_line(top["for"]), "`for` must be implementer or architect")
    when = _mapping(top["when"], ("paths", "implementers"), "when") if "when" in top else {}
    taught_by = _teachers(top["taught-by"]) if "taught-by" in top else ()
    times = sum(1 for key, _ in taught_by if key == "spec") or 1
    return Lesson(
        id=stem,
        audience=cast("Audience", audience),
        text=text,
        paths=_globs(when.get("paths")),
        implementers=_texts(when.get("implementers"), "when.implementers"),
        forbid=_scalar(top["forbid"], "forbid") if "forbid" in top else None,
        taught_by=taught_by,
        taught=_count(top["taught"]) if "taught" in top else times,
    )


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _mapping(node: yaml.Node | None, keys: Sequence[str], what: str) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise _Wrong(_line(node) if node else 1, f"{what} must be keys and values")
    found: dict[str, yaml.Node] = {}
    for key_node, value in node.value:
        key = _scalar(key_node, "a key")
        if key not in keys:
            raise _Wrong(_line(key_node), f"unknown key {key[:40]!r}: one of {', '.join(keys)}")
        if key in found:
            raise _Wrong(_line(key_node), f"the key {key!r} is there twice")
        found[key] = value
    return found


def _scalar(node: yaml.Node, what: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _Wrong(_line(node), f"{what} must be text")
    return str(node.value)


def _texts(node: yaml.Node | None, what: str) -> tuple[str, ...]:
    if node is None:
        return ()
    if not isinstance(node, yaml.SequenceNode):
        raise _Wrong(_line(node), f"{what} must be a list")
    if len(node.value) > MAX_GLOBS:
        raise _Wrong(_line(node), f"{what} has more than {MAX_GLOBS} entries")
    return tuple(_scalar(each, f"each of {what}") for each in node.value)


def _globs(node: yaml.Node | None) -> tuple[str, ...]:
    globs = _texts(node, "when.paths")
    for glob in globs:
        fault = path_fault(glob)
        if fault and node is not None:
            raise _Wrong(_line(node), f"when.paths: {glob[:60]!r} {fault}")
    return globs


def _count(node: yaml.Node) -> int:
    text = _scalar(node, "taught")
    if not text.isdecimal() or not 1 <= int(text[:9]) <= 999_999:
        raise _Wrong(_line(node), "taught must be a whole number from 1")
    return int(text)


def _teachers(node: yaml.Node) -> tuple[tuple[str, str], ...]:
    """`{spec, commit, pull}`, or a list of such."""
    each = node.value if isinstance(node, yaml.SequenceNode) else [node]
    if len(each) > MAX_TEACHERS:
        raise _Wrong(_line(node), f"taught-by has more than {MAX_TEACHERS} entries")
    found: list[tuple[str, str]] = []
    for one in each:
        mapping = _mapping(one, TEACHERS, "taught-by")
        found += [(key, _scalar(mapping[key], key)[:100]) for key in TEACHERS if key in mapping]
    return tuple(found)
