"""Judgements on text: placeholders, secrets, invisible characters, and instructions that lean on what can't be seen.

Each is asked in two steps. The first, over whole texts, looks for words without which nothing can be wrong and compiles no
pattern; only where one is found are lines looked at one by one.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from split_ci.invisible import hidden, invisibles, name

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from re import Pattern


class Remark(NamedTuple):
    """One thing wrong with a text; `line` counts from 0 within it, `column` from 1."""

    code: str
    line: int
    message: str
    fix: str
    column: int = 1


def added_remarks(text: str, path: str, before: Container[str] = ()) -> Iterator[Remark]:
    """What is wrong with text that is added to a file. Lines (without their ends) in `before` were there already."""
    if hidden(text):
        yield from _invisible(text, before)
    lowered = text.lower()
    if any(word in lowered for word in SECRET_WORDS):
        yield from _secrets(text, before)
    if any(word in lowered for word in PLACEHOLDER_WORDS):
        yield from _placeholders(text, path, before)


def prose_remarks(text: str) -> Iterator[Remark]:
    """What is wrong with the prose of an Instruct section."""
    if hidden(text):
        yield from _invisible(text, ())
    lowered = text.lower()
    if any(word in lowered for word in SECRET_WORDS):
        yield from _secrets(text, ())
    if any(word in lowered for word in LEANING_WORDS):
        yield from _leaning(text)


_patterns: dict[str, Pattern[str]] = {}


def _pattern(source: str) -> Pattern[str]:
    if source not in _patterns:
        import re  # noqa: PLC0415 - compiled at the first need, which most specs never have

        _patterns[source] = re.compile(source, re.IGNORECASE | re.VERBOSE)
    return _patterns[source]


# --- invisible characters


def _invisible(text: str, before: Container[str]) -> Iterator[Remark]:
    line, start = 0, 0
    seen: set[tuple[int, str]] = set()
    for at, character in invisibles(text):
        line += text.count("\n", start, at)
        start = at
        opening = text.rfind("\n", 0, at) + 1
        end = text.find("\n", at)
        if text[opening : end if end >= 0 else len(text)] in before or (line, character) in seen:
            continue
        seen.add((line, character))
        yield Remark(
            "SP413", line, f"an invisible character, {name(character)}",
            "write it as an escape of the language, or leave it out", at - opening + 1,
        )  # fmt: skip


# --- secrets

SECRET_WORDS = (
    "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "xapp-", "aiza",
    "k_live_", "k_test_", "sk-", "hf_", "npm_", "pypi-", "private key", "eyj", "sg.", "hooks.slack.com", "://",
    "passw", "secret", "token", "api_key", "apikey", "api-key", "access_key", "accesskey", "credential", "dop_v1_",
    "ya29.", "age-secret-key-", "accountkey=",
)  # fmt: skip
SECRETS = (
    ("an AWS access key", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ("a GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    ("a GitLab token", r"\bglpat-[\w-]{20,}"),
    ("a Slack token", r"\b(?:xox[abeoprs]-[\w-]{10,}|xapp-\d-[\w-]{10,})|hooks\.slack\.com/services/T\w+/B\w+/\w{16,}"),
    ("a Google key", r"\bAIza[\w-]{35}|\bya29\.[\w-]{20,}"),
    ("a Stripe key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    ("a model provider's key", r"\bsk-(?:ant-|proj-|svcacct-|or-|admin-)[\w-]{20,}|\bsk-[A-Za-z0-9]{32,}"),
    ("a Hugging Face token", r"\bhf_[A-Za-z0-9]{30,}"),
    ("a registry token", r"\b(?:npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,})"),
    ("a SendGrid key", r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    ("a DigitalOcean token", r"\bdop_v1_[0-9a-f]{64}"),
    ("an age key", r"\bAGE-SECRET-KEY-1[0-9A-Z]{40,}"),
    ("an Azure key", r"\bAccountKey=[A-Za-z0-9+/]{60,}"),
    ("a private key", r"-----BEGIN[ ](?:[A-Z0-9]+[ ]){0,3}PRIVATE[ ]KEY(?:[ ]BLOCK)?-----"),
    ("a signed web token", r"(?:(?<![\w-])eyJ[\w-]{10,}|\beyJ[\w-]{10,500})\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    (
        "a password in an address",
        r"\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@'\"<>{}$*]*:(?P<password>[^\s/:@'\"<>{}$*]{3,})@[\w.-]+",
    ),
)
ASSIGNED = r"""
    (?:passw(?:or)?d|passwd|secret|token|api[_-]?key|access[_-]?key|credentials?|auth[_-]?key)[\w-]{0,20}
    ["']?\s{0,4}(?:=>|:=|=|:)\s{0,4}["'](?P<value>[^\s"'\\]{12,200})["']
"""
BITS_A_CHARACTER = 3.4  # words and identifiers lie below, random letters and digits above
EXAMPLES = ("pass", "password", "pwd", "secret", "user", "token", "example", "changeme", "xxx")


def _secrets(text: str, before: Container[str]) -> Iterator[Remark]:
    for number, line in enumerate(text.split("\n")):
        if line in before or len(line) < 12 or not any(word in line.lower() for word in SECRET_WORDS):
            continue
        found = _secret(line)
        if found:
            kind, column = found
            yield Remark("SP412", number, f"this looks like {kind}", "name an environment variable in its place", column)


def _secret(line: str) -> tuple[str, int] | None:
    for kind, source in SECRETS:
        found = _pattern(source).search(line)
        if found and not _is_example(found.groupdict().get("password")):
            return kind, found.start() + 1
    found = _pattern(ASSIGNED).search(line)
    if found and _random(found["value"]):
        return "a secret that is written out", found.start("value") + 1
    return None


def _is_example(password: str | None) -> bool:
    return password is not None and password.strip("<>[]().").lower() in EXAMPLES


def _random(value: str) -> bool:
    """Whether a value looks drawn at random: letters and digits mixed, no words between separators, much information."""
    if not any(c.isdigit() for c in value) or not any(c.isalpha() for c in value) or any(c in value for c in "{}$<>()"):
        return False
    from math import log2  # noqa: PLC0415

    shares = [value.count(c) / len(value) for c in set(value)]
    return -sum(share * log2(share) for share in shares) >= BITS_A_CHARACTER


# --- placeholders

PLACEHOLDER_WORDS = (
    "...",
    "\u2026",
    "unchanged",
    "existing",
    "omitted",
    "elided",
    "rest of",
    "remain",
    "your code",
    "goes here",
)
COMMENT = r"^\s*(?:\#+|//+|/\*+|\*|<!--|--|;+|%+|\"\"\"|'''|\(\*|\{/?\*|\{\#|REM\b)"
WHAT = r"(?:code|file|functions?|class|methods?|contents?|implementation|body|logic|lines|imports|tests|section|text)"
PLACEHOLDER = rf"""
    (?:\.\.\.|\u2026)\s*[(\[]?\s*(?:the\s+)?(?:rest|remaining|remainder|existing|unchanged|previous|omitted|same|other\s+{WHAT}|more\s+{WHAT}
       |code|snip|and\s+so\s+on|keep|as\s+before|implementation|your|continues?|truncated)\b
  | \b(?:rest|remaining|remainder|existing|unchanged|omitted|same\s+as\s+(?:before|above)|as\s+before|(?:other|more)\s+{WHAT})\b[^.]{{0,40}}(?:\.\.\.|\u2026)
  | \b(?:the\s+)?(?:rest|remainder)\s+(?:of\s+(?:the\s+|this\s+|your\s+)?(?:\w+\s+){{0,2}}{WHAT}\s+)?(?:is\s+|are\s+|stays?\s+|remains?\s+|here\s*|goes\s+here)?
       (?:unchanged|the\s+same|as\s+(?:before|is|it\s+was)|omitted|untouched)\b
  | \b(?:existing|original|previous|remaining)\s+{WHAT}\s+(?:here|goes\s+here|(?:is\s+|are\s+)?(?:unchanged|omitted)|(?:remains?|stays?)(?:\s+(?:unchanged|the\s+same|here))?)\s*[\])*\-/>.]*$
  | \b(?:{WHAT}|unchanged)\s+(?:is\s+|are\s+)?(?:omitted|elided|unchanged)(?:\s+for\s+(?:brevity|clarity))?\s*[\])*\-/>.]*$
  | \bomitted\s+for\s+(?:brevity|clarity)\b
  | \b(?:your|rest\s+of\s+(?:the\s+|your\s+)?)\s*{WHAT}\s+(?:goes\s+)?here\b
  | \bkeep\s+(?:the\s+)?(?:existing|rest|remaining|original)\b[^.]{{0,20}}(?:{WHAT}|as\s+is|unchanged)\s*[\])*\-/>.]*$
"""  # noqa: E501
LONE = r"^\s*(?:(?:\#|//|--|;|%|/\*|<!--)[ ]?)?(?:\.\.\.|\u2026|\[\s*(?:\.\.\.|\u2026)\s*\])\s*(?:\*/|-->)?\s*$"
MOST_WORDS = 12  # of a line of prose that says nothing but this
PROSE = (".md", ".markdown", ".rst", ".txt", ".adoc", ".org", ".tex", ".html")
DATA = (".yml", ".yaml", ".pyi", ".out", ".log", ".snap", ".json", ".csv", ".svg", ".po", ".ipynb", ".diff", ".patch")
QUOTES = ('"""', "'''")
STUBS = ("Protocol", "@overload", "@abstractmethod", "@abc.", "ABC", "TYPE_CHECKING", "@typing.overload")


def _placeholders(text: str, path: str, before: Container[str]) -> Iterator[Remark]:
    lines = text.split("\n")
    above = _Above(lines)
    for number, line in enumerate(lines):
        if line in before or len(line) > 1000:
            continue
        lowered = line.lower()
        if not any(word in lowered for word in PLACEHOLDER_WORDS):
            continue
        if lowered.lstrip().startswith("...  "):  # a doctest goes on
            continue
        lone = _pattern(LONE).match(line)
        if _stands_in(line, path) or (lone and not _may_stand_alone(above.of(number), line, path, before)):
            said = line.strip()
            yield Remark(
                "SP411", number, f"`{said[:60]}` stands where text should be",
                "write the text out in full: what is here is what will be in the file", len(line) - len(line.lstrip()) + 1,
            )  # fmt: skip


def _stands_in(line: str, path: str) -> bool:
    """Whether a line says that something else belongs here: in a comment, or, in prose, as the whole of the line."""
    stripped = line.strip()
    if path.lower().endswith(PROSE) and (stripped.startswith(("*", "-", ";", "%")) or len(stripped.split()) > MOST_WORDS):
        return False
    if _pattern(COMMENT).match(line) or stripped.startswith(("...", "\u2026", "[", "(")):
        return _pattern(PLACEHOLDER).search(line) is not None
    for mark in (" # ", " // ", " /* ", "<!-- "):
        at = line.find(mark)
        if at >= 0 and _pattern(PLACEHOLDER).search(line, at):
            return True
    return _pattern(PLACEHOLDER).fullmatch(stripped.rstrip(".")) is not None


class _Above:
    """What stands above a line; each line is looked at once, so lines are asked for from the top down."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._seen = 0
        self.nearest = ""  # the next line above that is neither blank nor a comment
        self.fences = 0
        self._quotes = dict.fromkeys(QUOTES, 0)

    def of(self, number: int) -> _Above:
        for line in self._lines[self._seen : number]:
            stripped = line.lstrip()
            if stripped and not stripped.startswith("#"):
                self.nearest = line
            self.fences += stripped.startswith(("```", "~~~"))
            for quotes in QUOTES:
                self._quotes[quotes] += line.count(quotes)
        self._seen = number
        return self

    @property
    def in_string(self) -> bool:
        return any(count % 2 for count in self._quotes.values())

    @cached_property
    def stubs(self) -> bool:
        return any(word in line for line in self._lines for word in STUBS)


def _may_stand_alone(above: _Above, line: str, path: str, before: Container[str]) -> bool:
    """Whether dots alone on a line are meant: a body or a doctest in Python, a mark of YAML, a sample in prose."""
    name = path.lower()
    if above.nearest.lstrip().startswith((">>>", "...", "$ ")):
        return True
    if name.endswith(PROSE):
        return line.startswith(("    ", "\t")) or above.fences % 2 == 1
    if line.strip() not in ("...", "\u2026"):
        return False
    if name.endswith(DATA):
        return True
    return name.endswith((".py", ".pyx")) and _is_body(above, before)


def _is_body(above: _Above, before: Container[str]) -> bool:
    """Whether dots are a body in Python: below a docstring or a header, but not one whose body they take the place of."""
    code = above.nearest.partition("  #")[0].rstrip()
    if code.endswith(QUOTES) or above.in_string:
        return True
    return code.endswith(":") and (above.nearest not in before or above.stubs)


# --- instructions that lean on what can't be seen

LEANING_WORDS = (
    "discussed", "like before", "as before", "last time", "previous", "earlier", "as usual", "the usual", "we said",
    "i said", "you know", "mentioned", "agreed", "conversation", "chat", "told you", "as always", "talked about",
    "our call", "our meeting", "you remember", "yesterday", "like we did", "as we did", "above-mentioned", "you already",
)  # fmt: skip
LEANING = r"""
    \b(?:
      as\s+(?:we\s+|i\s+|you\s+)?(?:have\s+|had\s+|'ve\s+)?(?:just\s+|already\s+|previously\s+|earlier\s+)?(?:discussed|agreed|mentioned|talked\s+about|said)
    | (?:we|i|you)\s+(?:have\s+|had\s+)?(?:just\s+|already\s+)?(?:discussed|agreed\s+on|talked\s+about)
    | (?:like|as)\s+(?:we\s+did\s+)?(?:before|last\s+time)(?!\s+the\b|\s+a\b|\s+it\b|\s+you\b)
    | (?:like|as)\s+(?:we|i)\s+(?:did|said|told\s+you)
    | (?:see|as|like|from)\s+(?:in\s+)?(?:the\s+|our\s+|this\s+|that\s+|my\s+)?(?:(?:above|earlier|previous|last)\s+)?(?:chat|conversation|discussion|thread|message|call|meeting)(?:\s+above)?
    | (?:our|the|this)\s+(?:earlier|previous|last)\s+(?:chat|conversation|discussion|message|call|meeting|session)
    | (?:in|do|follow|apply)\s+the\s+usual(?:\s+(?:way|thing|style|steps|manner))?
    | the\s+usual\s+(?:way|thing|things|style|steps|manner|suspects)
    | as\s+(?:usual|always)
    | (?:as|like|what|which|where|that)\s+you\s+(?:already\s+)?(?:know|remember)
    | you\s+know\s+(?:what|how|which|the)
    | (?:i|we)\s+(?:already\s+)?told\s+you
    | (?:as|what)\s+(?:was\s+)?(?:agreed|discussed)
    | (?:mentioned|discussed|described|said)\s+(?:earlier|before|previously|yesterday|last\s+time)
    )\b
"""  # noqa: E501


def _leaning(text: str) -> Iterator[Remark]:
    for number, line in enumerate(text.split("\n")):
        found = _pattern(LEANING).search(line)
        if found:
            yield Remark(
                "SP414", number, f"`{found[0]}` leans on what the reader of the spec can't see",
                "write out what is meant, or name the file that says it", found.start() + 1,
            )  # fmt: skip
