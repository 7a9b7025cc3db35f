"""A light reading of shell commands: enough to say that one can't be read, or can only pass. Nothing is run."""

from __future__ import annotations

import re
from itertools import pairwise

ALWAYS = frozenset(
    ["true", ":", "echo", "printf", "pwd", "sleep", "/bin/true", "/usr/bin/true", "/bin/echo", "/usr/bin/echo"]
)
COMPLEX = frozenset(
    [
        "if",
        "then",
        "elif",
        "else",
        "fi",
        "for",
        "while",
        "until",
        "do",
        "done",
        "case",
        "esac",
        "function",
        "select",
        "{",
        "}",
        "((",
        "[[",
        "!",
        "time",
        "coproc",
    ]
)
OPERATORS = ("&&", "||", ";;", ";", "|&", "|", "&", "\n")


def command_fault(command: str) -> str | None:
    """Why a shell could not read a command, where that is certain: open quotes, an operator with nothing beside it."""
    if "\0" in command:
        return "it holds a NUL"
    if "<<" in command or re.search(r"(?<![\w-])case(?![\w-])", command):
        return None
    scan = _Scan(command)
    open_ = scan.command("")
    if open_:
        return f"{open_} is never closed"
    return _operator_fault(scan.words) if not scan.nested else None


def _operator_fault(words: list[str]) -> str | None:
    meaning = [w for w in words if w != "\n"]
    if not meaning:
        return None
    if meaning[0] in ("&&", "||", "|", "|&", ";", "&"):
        return f"it starts with `{meaning[0]}`"
    if meaning[-1] in ("&&", "||", "|", "|&"):
        return f"it ends with `{meaning[-1]}`"
    for one, two in pairwise(words):
        if one in OPERATORS and two in ("&&", "||", "|", "|&", ";", "&") and one != "\n":
            return f"there is nothing between `{one}` and `{two}`"
    return None


def always_passes(command: str) -> bool:
    """Whether a command can only exit 0: `true`, `echo ok`, `exit 0`, `make || true`, or nothing at all."""
    scan = _Scan(command)
    if "<<" in command or scan.command("") or scan.nested:
        return False
    lists = _split(scan.words, (";", "\n", "&"))
    if not lists:
        return True
    if any(words[:1] == ["set"] and any(re.match(r"-\w*e|errexit|pipefail", word) for word in words[1:]) for words in lists):
        return all(_passes(words) for words in lists)
    for words in lists:
        if words[0] == "exit" and not _joined(words):
            return _passes(words)
    return scan.ends_in_background or _passes(lists[-1])


def _joined(words: list[str]) -> bool:
    return any(word in ("&&", "||", "|", "|&") for word in words)


def _passes(words: list[str]) -> bool:
    """Whether a list of commands joined by `&&`, `||` and `|` can only exit 0."""
    passes = True
    operator = "&&"
    at = 0
    while at <= len(words):
        end = next((i for i in range(at, len(words)) if words[i] in ("&&", "||")), len(words))
        one = _simple(_split(words[at:end], ("|", "|&"))[-1:])
        passes = (passes and one) if operator == "&&" else (passes or one)
        if end < len(words):
            operator = words[end]
        at = end + 1
    return passes


def _simple(commands: list[list[str]]) -> bool:
    words = [w for w in commands[0] if not re.match(r"[0-9]*>(?:&[0-9]|/dev/null)\Z", w)] if commands else []
    if not words:
        return True
    if any(word.lstrip("0123456789").startswith((">", "<")) for word in words) or words[0] in COMPLEX:
        return False
    if words[0] in ("exit", "return"):
        return words[1:] in ([], ["0"])
    return words[0] in ALWAYS and not (words[0] in ("sleep", "printf") and len(words) < 2)


def _split(words: list[str], marks: tuple[str, ...]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word in marks:
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


class _Scan:
    """Splits a command into words and operators, quotes taken off; `nested` says that there was more to it than that."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.words: list[str] = []
        self.word: list[str] | None = None
        self.nested = False
        self.depth = 0

    @property
    def ends_in_background(self) -> bool:
        meaning = [w for w in self.words if w != "\n"]
        return bool(meaning) and meaning[-1] == "&"

    def command(self, until: str) -> str:
        """Reads up to a closing mark; the answer names what is never closed, or is empty."""
        self.depth += 1
        text = self.text
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
        return {"": "", ")": "a parenthesis", "`": "a backquote"}[until]

    def _piece(self, char: str) -> str:
        if char == "\\":
            self._add(self.text[self.at + 1 : self.at + 2].replace("\n", ""))
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
        elif char == "(":
            self.nested = True
            self.at += 1
            return self.command(")")
        else:
            self._plain(char)
        return ""

    def _plain(self, char: str) -> None:
        operator = next((o for o in OPERATORS if self.text.startswith(o, self.at)), None)
        if operator == "&" and self.word and self.word[-1:] == [">"]:
            operator = None
        if operator:
            self._flush()
            if self.depth == 1:
                self.words.append(operator)
            self.at += len(operator)
            return
        if char in " \t":
            self._flush()
        elif char in "<>" and self.word and not "".join(self.word).isdigit():
            self._flush()
            self._add(char)
        else:
            self._add(char)
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
            self.word = [] if self.word is None else self.word
            self.word.extend(text or [""])

    def _flush(self) -> None:
        if self.word is not None and self.depth == 1:
            self.words.append("".join(self.word))
            self.word = None
