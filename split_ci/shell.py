"""A light reading of shell commands: their words and operators, and whether one can be read at all. Nothing is run."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

OPERATORS = ("&&", "||", ";;", ";", "|&", "|", "&", "\n")
DEEPEST = 100  # substitutions in each other
TOO_DEEP = f"more than {DEEPEST} levels"
CONNECTIVES = ("&&", "||", "|", "|&")
BRACKETS = ("[", "[[")  # commands
MEANT = "*?["  # what stands for names of files, unless it is quoted


class Token(NamedTuple):
    """A word, quotes taken off, or an operator. `raw` is the word as it was written, from the character `at`.

    `fixed`: a word that is always the same; neither variables nor commands nor names of files go into it.
    """

    text: str
    at: int
    raw: str = ""
    fixed: bool = True

    @property
    def operator(self) -> bool:
        return not self.raw


def tokens(command: str) -> list[Token] | None:
    """A command's words and operators, parentheses among them; None where no shell can read it, or it holds a document
    (`<<`), which isn't read here.
    """
    scan = Scan(command)
    return None if command_fault(command) or "<<" in command or scan.command("") else scan.tokens


def command_fault(command: str) -> str | None:
    """Why a shell could not read a command, where that is certain: open quotes, an operator with nothing beside it."""
    if "\0" in command:
        return "it holds a NUL"
    if "<<" in command or re.search(r"(?<![\w-])case(?![\w-])", command):
        return None
    scan = Scan(command)
    open_ = scan.command("")
    if open_:
        return f"it nests {open_}" if open_ == TOO_DEEP else f"{open_} is never closed"
    return _operator_fault(scan.tokens) if not scan.nested else None


def _operator_fault(found: list[Token]) -> str | None:
    said = [one.text if one.operator else "" for one in found]
    meaning = [text for text in said if text != "\n"]
    if not meaning:
        return None
    if meaning[0] in (*CONNECTIVES, ";", "&"):
        return f"it starts with `{meaning[0]}`"
    if meaning[-1] in CONNECTIVES:
        return f"it ends with `{meaning[-1]}`"
    for one, two in pairwise(said):
        if one and two in (*CONNECTIVES, ";", "&") and one != "\n":
            return f"there is nothing between `{one}` and `{two}`"
    return None


class Scan:
    """Splits a command into words and operators, quotes taken off; `nested` says that there was more to it than that."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.tokens: list[Token] = []
        self.word: list[str] | None = None
        self.nested = False
        self.depth = 0
        self._began = 0  # where the word begins
        self._fixed = True
        self._groups = 0  # open parentheses around commands

    def command(self, until: str) -> str:
        """Reads up to a closing mark; the answer names what is never closed, or is empty."""
        self.depth += 1
        text = self.text
        if self.depth > DEEPEST:
            return TOO_DEEP
        while self.at < len(text):
            char = text[self.at]
            if char == until:
                self.at += 1
                self.depth -= 1
                return ""
            open_ = self._piece(char)
            if open_:
                return open_
        self._flush()
        return {"": "a parenthesis" if self._groups else "", ")": "a parenthesis", "`": "a backquote"}[until]

    def _piece(self, char: str) -> str:
        if char == "\\":
            if self.text[self.at + 1 : self.at + 2] != "\n":
                self._add(self.text[self.at + 1 : self.at + 2])
            self.at += 2
        elif char == "'":
            return self._single()
        elif char == '"':
            return self._double()
        elif char in "$`" or (char in "<>" and self.text[self.at + 1 : self.at + 2] == "("):
            return self._substitution()
        elif char == "#" and self.word is None:
            end = self.text.find("\n", self.at)
            self.at = end if end >= 0 else len(self.text)
        elif char == "(" and self.depth > 1:
            self.at += 1
            return self.command(")")
        elif char == "(" or (char == ")" and self._groups and self.depth == 1):
            self.nested = True
            self._groups += 1 if char == "(" else -1
            self._operator(char)
        else:
            self._plain(char)
        return ""

    def _operator(self, operator: str) -> None:
        self._flush()
        if self.depth == 1:
            self.tokens.append(Token(operator, self.at))
        self.at += len(operator)

    def _plain(self, char: str) -> None:
        operator = next((o for o in OPERATORS if self.text.startswith(o, self.at)), None)
        if operator == "&" and self.word and self.word[-1:] == [">"]:
            operator = None
        if operator:
            self._operator(operator)
            return
        if char in " \t":
            self._flush()
        else:
            if char in "<>" and self.word and not "".join(self.word).isdigit():
                self._flush()
            self._add(char)
            self._fixed = self._fixed and char not in MEANT
        self.at += 1

    def _single(self) -> str:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            return "a single quote"
        self._add(self.text[self.at + 1 : end])
        self.at = end + 1
        return ""

    def _double(self) -> str:
        self._add("")
        self.at += 1
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == '"':
                self.at += 1
                return ""
            if char == "\\":
                self._add(self.text[self.at + 1 : self.at + 2])
                self.at += 2
            elif char in "$`":
                open_ = self._substitution(quoted=True)
                if open_:
                    return open_
            else:
                self._add(char)
                self.at += 1
        return "a double quote"

    def _substitution(self, *, quoted: bool = False) -> str:
        """`$x`, `${…}`, `$(…)`, `$((…))`, `$'…'`, backquotes and `<(…)`."""
        opening = self.text[self.at : self.at + 2]
        self._add("$")
        self._fixed = self._fixed and self.depth > 1
        if opening[0] == "`":
            self.at += 1
            return self.command("`")
        self.at += 2 if opening in ("$(", "<(", ">(", "${", "$'") else 1
        if opening in ("$(", "<(", ">("):
            return self.command(")")
        if opening == "${":
            return self._braces(quoted=quoted)
        if opening == "$'":
            found = re.compile(r"(?:[^'\\]|\\.)*'", re.DOTALL).match(self.text, self.at)
            if not found:
                return "a single quote"
            self.at = found.end()
        return ""

    def _braces(self, *, quoted: bool) -> str:
        """The rest of `${…}`; within double quotes, what quotes mean in there differs from shell to shell."""
        depth = 1
        while self.at < len(self.text) and depth:
            char = self.text[self.at]
            depth += (char == "{") - (char == "}")
            if char in "'\"" and not quoted:
                self.at = max(self.text.find(char, self.at + 1), self.at)
            self.at += 2 if char == "\\" else 1
        return "a brace" if depth else ""

    def _add(self, text: str) -> None:
        if self.depth == 1:
            if self.word is None:
                self.word, self._began, self._fixed = [], self.at, True
            self.word.extend(text or [""])

    def _flush(self) -> None:
        if self.word is not None and self.depth == 1:
            text, fixed = "".join(self.word), self._fixed
            self.tokens.append(Token(text, self._began, self.text[self._began : self.at], fixed or text in BRACKETS))
            self.word = None
