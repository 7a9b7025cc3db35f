"""Front matter: traps are told, never guessed; nothing deep or large gets to a parser that recurses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from split_ci.frontmatter import Value, parse, read
from split_ci.keys import Keys

if TYPE_CHECKING:
    from split_ci.problems import Problem


def keys(text: str, *known: str) -> tuple[Keys, list[Problem]]:
    value, problems = parse(text, "f")
    found = list(problems)
    return Keys(value or Value("map", 1, 1), "f", found, known or ("k",)), found


TRAPS = {
    "yes": "true", "no": "false", "NO": "false", "On": "true", "off": "false", "true": "true", "False": "false", "~": "nothing",
    "null": "nothing", "Null": "nothing", "1": "a number", "-1": "a number", "+1": "a number", "1.5": "a number", "1.": "a number",
    ".5": "a number", "1e3": "a number", "1E-3": "a number", "010": "a number", "0o10": "a number", "0x1F": "a number",
    "0b1": "a number", "1_000": "a number", "12:30": "a number", "12:30:45": "a number", ".inf": "a number", ".NaN": "a number",
    "2026-01-02": "a date", "2026-1-2": "a date", "2026-01-02T03:04:05Z": "a date", "=": "a key of its own",
}  # fmt: skip


@pytest.mark.parametrize(("text", "read_as"), TRAPS.items(), ids=TRAPS.keys())
def test_a_trap_is_told_and_its_quoted_twin_is_text(text: str, read_as: str) -> None:
    plain, problems = keys(f"k: {text}\n")
    assert plain.text("k") is None
    assert [(p.code, p.message, p.fix) for p in problems] == [
        ("SP108", f"`k`: YAML reads `{text}` as {read_as}", f'quote it: "{text}"')
    ]
    quoted, problems = keys(f'k: "{text}"\n')
    assert quoted.text("k") == text
    assert problems == []


@pytest.mark.parametrize(
    "text", ["y", "n", "nope", "1st", "v1.0.0", "1.2.3", "a:b", "12-30", "e3", "0xg", "x=1", "deadbeef", "-", "café"]
)
def test_what_only_looks_odd_is_text(text: str) -> None:
    found, problems = keys(f"k: {text}\n")
    assert (found.text("k"), problems) == (text, []) if text != "-" else problems


def test_blocks_and_flow_are_read_with_their_lines() -> None:
    value, problems = parse("a:\n  - b\n  - {c: 'd'}\ne: |\n  x\n  y\n", "f", 10)
    assert problems == ()
    assert value is not None
    (a, items), (e, block) = value.pairs
    assert (a.line, e.line) == (10, 13)
    assert [(item.kind, item.line, item.column) for item in items.items] == [("text", 11, 5), ("map", 12, 5)]
    assert (block.text, block.plain) == ("x\ny\n", False)


FAULTS = {
    "a tab": ("a:\n\tb: c\n", 2, "SP105"),
    "a control character": ("a: b\nc: \x07\n", 2, "SP105"),
    "a surplus colon": ("a: b\nc: d: e\n", 2, "SP105"),
    "a second document": ("a: b\n...\nc: d\n", 3, "SP105"),
    "a key that is a list": ("a: b\n[c]: d\n", 2, "SP105"),
    "a line that only YAML ends": ("a: b\n# c \u2028d: e\n", 2, "SP105"),
    "another such line": ("a: b\n# c \x85d: e\n", 2, "SP105"),
    "a paragraph": ("# c \u2029d: e\n", 1, "SP105"),
    "a carriage return": ("# c \rd: e\n", 1, "SP105"),
    "a directive": ("%YAML 3.0\n---\na: b\n", 1, "SP105"),
    "a key twice, below": ("a:\n  b: c\n  b: d\n", 3, "SP106"),
    "a key twice, once in quotes": ("a: b\n'a': d\n", 2, "SP106"),
    "an anchor that nobody uses": ("a: &x b\n", 1, "SP107"),
    "a tag that changes nothing": ("a: !!str b\n", 1, "SP107"),
    "an alias to nothing": ("a: *x\n", 1, "SP107"),
    "nested maps": ("".join(f"{' ' * n}a:\n" for n in range(40)), 17, "SP104"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "code"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_has_its_line(text: str, line: int, code: str) -> None:
    _, problems = parse(text, "f")
    assert [(p.code, p.line) for p in problems] == [(code, line)]


BOMB = "a: &a [x, x]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20))


def test_an_alias_bomb_is_told_and_never_grows() -> None:
    value, problems = parse(BOMB, "f")
    assert {p.code for p in problems} == {"SP107"}
    assert len(repr(value)) < 20_000


@pytest.mark.parametrize("mark", ["[", "{", "- ", "? ", "[{a: "])
def test_deep_nests_end_early(mark: str) -> None:
    _, problems = parse(f"k: {mark * 20_000}" if mark not in ("- ", "? ") else mark * 20_000, "f")
    assert [p.code for p in problems] in (["SP104"], ["SP105"])


def test_the_body_starts_after_the_closing_mark() -> None:
    found = read("--- \na: b\n---\t\n---\nx\n", "f")
    assert (found.body, found.body_line, found.problems) == ("---\nx\n", 4, ())
    assert read("---\n---\n", "f").body_line == 3
    assert read("---\n---\n", "f").value == Value("map", 2, 1)
    assert read("----\na: b\n---\n", "f").value is None


@pytest.mark.parametrize(("text", "whole", "number"), [("3", 3, 3.0), ("0.5", None, 0.5), ("100", 100, 100.0), ("101", None, None), ("'3'", None, None),
                                                     ("true", None, None), ("9" * 400, None, None)])  # fmt: skip
def test_numbers(text: str, whole: int | None, number: float | None) -> None:
    found, problems = keys(f"k: {text}\n")
    assert found.whole("k", 1, 100) == whole
    assert len(problems) == (whole is None)
    assert found.number("k", 100) == number
