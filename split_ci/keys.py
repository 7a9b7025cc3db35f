"""Typed access to the keys of a YAML mapping, such as a spec's front matter: what is wrong becomes a problem."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from split_ci.frontmatter import SAID
from split_ci.problems import problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from split_ci.frontmatter import Value
    from split_ci.problems import Problem

LOOKS_LIKE_A_NUMBER = r"[-+]?(?:0[xob][0-9a-fA-F_]+|\.?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|[0-9]+(?::[0-9]+)+)"
LOOKS_LIKE_A_DATE = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?"


class Keys:
    """Typed access to one mapping. What is wrong becomes a problem, and the answer is None."""

    def __init__(self, value: Value, path: str, problems: list[Problem], known: Iterable[str], where: str = "") -> None:
        self.path = path
        self.problems = problems
        self.where = where  # what the mapping belongs to, for messages: `limits.`
        self.value = value
        self.values = {k.text: v for k, v in value.pairs}
        self.lines = {k.text: k.line for k, _ in value.pairs}
        names = list(known)
        for key, _ in value.pairs:
            if key.text not in names:
                self._unknown(key, names)

    def _unknown(self, key: Value, names: list[str]) -> None:
        from difflib import get_close_matches  # noqa: PLC0415 - slow to import, and rarely needed

        close = get_close_matches(key.text, names, 1, 0.6)
        fix = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(names)}"
        self.say("SP109", key, f"unknown key `{self.where}{key.text}`", fix)

    def say(self, code: str, at: Value, message: str, fix: str) -> None:
        self.problems.append(problem(code, self.path, at.line, message, fix, at.column))

    def missing(self, name: str, fix: str) -> None:
        self.say("SP110", self.value, f"`{self.where}{name}` is missing", fix)

    def wrong(self, name: str, value: Value, wanted: str) -> None:
        self.say("SP111", value, f"`{self.where}{name}` is {SAID[value.kind]}, not {wanted}", f"write {wanted}")

    def text(self, name: str) -> str | None:
        """A non-empty text."""
        value = self.values.get(name)
        return None if value is None else self.as_text(name, value)

    def as_text(self, name: str, value: Value) -> str | None:
        if value.kind in ("list", "map"):
            self.wrong(name, value, "text")
            return None
        if value.kind == "null" and value.plain and not value.text:
            self.say("SP111", value, f"`{self.where}{name}` is empty", "write its value, or take the line away")
            return None
        trap = _trap(value)
        if trap:
            self.say(
                "SP108", value, f"`{self.where}{name}`: YAML reads `{value.text}` as {trap}", f'quote it: "{value.text}"'
            )
            return None
        if not value.text.strip():
            self.say("SP112", value, f"`{self.where}{name}` is empty", "write its value, or take the line away")
            return None
        return value.text

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of non-empty texts; empty where the key is not there."""
        return tuple(text for text, _ in self.texts_at(name))

    def texts_at(self, name: str) -> Iterator[tuple[str, Value]]:
        value = self.values.get(name)
        if value is None:
            return
        if value.kind != "list":
            self.wrong(name, value, "a list")
            return
        for item in value.items:
            text = self.as_text(name, item)
            if text is not None:
                yield text, item

    def flag(self, name: str) -> bool:
        """`true` or `false`; false where the key is not there."""
        value = self.values.get(name)
        if value is None:
            return False
        if value.kind == "bool" and value.text not in ("true", "false"):
            self.say(
                "SP108",
                value,
                f"`{self.where}{name}`: `{value.text}` is true or false to some readers only",
                "write `true` or `false`",
            )
        elif value.kind != "bool":
            self.wrong(name, value, "true or false")
        return value.text == "true" and value.kind == "bool"

    def whole(self, name: str, low: int, high: int) -> int | None:
        """A whole number in a range."""
        value = self.values.get(name)
        if value is None or not self._is_number(name, value, "a whole number"):
            return None
        if not re.fullmatch(r"-?(?:0|[1-9][0-9]*)", value.text):
            self.wrong(name, value, "a whole number") if value.kind == "float" else self._odd_number(name, value)
            return None
        if len(value.text) > 18 or not low <= int(value.text) <= high:
            self.say("SP112", value, f"`{self.where}{name}` is {value.text[:20]}", f"write a number from {low} to {high}")
            return None
        return int(value.text)

    def number(self, name: str, high: float) -> float | None:
        """A number over 0 and at most `high`."""
        value = self.values.get(name)
        if value is None or not self._is_number(name, value, "a number"):
            return None
        if not re.fullmatch(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", value.text):
            self._odd_number(name, value)
            return None
        if not 0 < float(value.text) <= high:
            self.say(
                "SP112", value, f"`{self.where}{name}` is {value.text[:20]}", f"write a number over 0 and up to {high:g}"
            )
            return None
        return float(value.text)

    def _is_number(self, name: str, value: Value, wanted: str) -> bool:
        if value.kind in ("int", "float"):
            return True
        if value.plain and value.kind == "text" and re.fullmatch(LOOKS_LIKE_A_NUMBER, value.text):
            self._odd_number(name, value)
        else:
            self.wrong(name, value, wanted)
        return False

    def _odd_number(self, name: str, value: Value) -> None:
        said = f"`{self.where}{name}`: `{value.text}` is not the same number to every reader of YAML"
        self.say("SP108", value, said, "write it in plain decimal digits")

    def inner(self, name: str, known: Iterable[str]) -> Keys | None:
        """A mapping below a key."""
        value = self.values.get(name)
        if value is None:
            return None
        if value.kind != "map":
            self.wrong(name, value, "a mapping")
            return None
        return Keys(value, self.path, self.problems, known, f"{self.where}{name}.")


def _trap(value: Value) -> str | None:
    """What YAML, of one version or another, makes of a plain scalar that is meant as text."""
    if not value.plain:
        return None
    if value.kind == "bool":
        return "true" if value.text.lower() in ("yes", "true", "on") else "false"
    if value.kind == "null":
        return "nothing"
    if value.kind == "date" or re.fullmatch(LOOKS_LIKE_A_DATE, value.text):
        return "a date"
    if value.kind in ("int", "float") or re.fullmatch(LOOKS_LIKE_A_NUMBER, value.text):
        return "a number"
    return "a key of its own" if value.text == "=" else None
