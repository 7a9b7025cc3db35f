"""The inverse of `spec.py`: values written as the text of a spec, so that reading it gives the same values again.

Whatever a path, a commit message or a file holds stays what it is: it can't close its fence, open a heading, end the
front matter or be changed by an editor that strips blanks.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from split_ci.invisible import hidden, invisibles
from split_ci.paths import literal, path_fault
from split_ci.spec import Create, Delete, Edit, Instruct, Move, Patch, Replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from split_ci.spec import Change, Pair

TITLE_CHARACTERS = 72
ID_CHARACTERS = 50
BARE = re.compile(r"[A-Za-z][A-Za-z0-9 ,_./()'+-]*[A-Za-z0-9.)]")  # YAML reads it as a string as it stands
NOT_BARE = frozenset(("yes", "no", "on", "off", "true", "false", "null", "y", "n"))
SPOILED = re.compile(r"[ \t\f\v\u00a0\u3000]$|[\x00\f\v\r\x1c-\x1f\x85\u2028\u2029]", re.MULTILINE)
ADDRESS = r"<[\w.+%-]+@[\w.-]+>|<https?://[^<>\s]+>"
PROSE = re.compile(rf"(?: {{0,3}}(?:[-*+] |\d{{1,9}}[.)] )?[A-Za-z0-9(\"'\u00c0-\uffff](?:[^<]|{ADDRESS})*)?")
NAMED = {"\\": "\\\\", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
RESERVED_IDS = frozenset(("readme", "template", "landed", "coaching"))


def scalar(text: str) -> str:
    """A YAML scalar that reads as exactly this string: bare where that is safe, else in double quotes."""
    if BARE.fullmatch(text) and text.lower() not in NOT_BARE:
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """A string in YAML's double quotes; what can't be seen is escaped."""
    return '"' + "".join(_yaml_character(c) for c in text) + '"'


def _yaml_character(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else _code_point(character)


def _code_point(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is not UTF-8
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x80:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def flow(texts: Iterable[str]) -> str:
    """A YAML list on one line."""
    return "[" + ", ".join(quoted(text) for text in texts) + "]"


def one_line(text: str, characters: int = TITLE_CHARACTERS) -> str:
    """A text as one visible line of at most so many characters, cut between words where it must be cut."""
    seen = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(seen) <= characters:
        return seen
    cut = seen[: characters - 1]
    at = cut.rfind(" ")
    return (cut[:at] if at > characters // 2 else cut).rstrip(" ,;:-") + "…"


def slug(title: str) -> str:
    """A spec id made of a title's letters and digits; `change` where it has none."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = "-".join(re.findall(r"[a-z0-9]+", plain.replace("'", "")))
    if len(words) > ID_CHARACTERS:
        at = words.rfind("-", 0, ID_CHARACTERS + 1)
        words = words[: at if at > 0 else ID_CHARACTERS]
    return f"{words}-spec" if words in RESERVED_IDS or path_fault(f"{words}.md") else words or "change"


def code_span(text: str) -> str:
    """A text as an inline code span, whatever backticks and outer blanks it has."""
    tick = "`" * _shortest_absent([len(run) for run in re.findall("`+", text)], 1)
    pad = " " if text[:1] in "` " or text[-1:] in "` " else ""
    return f"{tick}{pad}{text}{pad}{tick}"


def _shortest_absent(lengths: Sequence[int], least: int) -> int:
    return next(n for n in range(least, least + len(lengths) + 1) if n not in lengths)


def fence(text: str, info: str = "") -> str:
    """A fenced block that holds a text of whole lines; `escaped` where an editor or another hook could spoil the text."""
    if needs_escapes(text):
        text, info = escape(text), f"{info} escaped".strip()
    runs = [len(run) for run in re.findall(r"^[ \t]*(`{3,})", text, re.MULTILINE)]
    ticks = "`" * (max(runs, default=2) + 1)
    return f"{ticks}{info}\n{text}{ticks}\n"


def needs_escapes(text: str) -> bool:
    """Whether a text holds blanks at a line's end, carriage returns, control or invisible characters."""
    return SPOILED.search(text) is not None or "\ufeff" in text or (hidden(text) and any(invisibles(text)))


def escape(text: str) -> str:
    """A text with C escapes for backslashes and for everything that `needs_escapes` is about."""
    hit = {at for at, _ in invisibles(text)} if hidden(text) else set()
    hit.update(found.start() for found in SPOILED.finditer(text))
    hit.update(found.start() for found in re.finditer("[\\\\\ufeff]", text))
    parts: list[str] = []
    done = 0
    for at in sorted(hit):
        parts += text[done:at], NAMED.get(text[at]) or _code_point(text[at])
        done = at + 1
    return "".join(parts) + text[done:]


def prose(text: str) -> str:
    """Foreign words as a paragraph where they are plainly that, else as a fenced block."""
    lines = [_visible(line.rstrip()) for line in re.split(r"\r\n|[\n\r\x85\u2028\u2029]", text.strip())]
    joined = "\n".join(lines) + "\n"
    if "```" not in text and "~~~" not in text and all(PROSE.fullmatch(line) for line in lines):
        return joined
    return fence(joined.replace("\ufeff", "\\ufeff"), "text")


def _visible(line: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else _code_point(c) for c in line)


def section(change: Change) -> str:
    """One section under `## Changes`."""
    if isinstance(change, Edit):
        return f"### Edit {code_span(change.path)}\n" + "".join(_pair(pair, language(change.path)) for pair in change.pairs)
    if isinstance(change, Create | Replace):
        return _whole(type(change).__name__, change.path, change.text, executable=change.executable)
    if isinstance(change, Patch):
        return "### Patch\n" + fence(change.diff, "diff")
    return _without_fence(change)


def _without_fence(change: Delete | Move | Instruct) -> str:
    if isinstance(change, Delete):
        return f"### Delete {code_span(change.path)}\n"
    if isinstance(change, Move):
        return f"### Move {code_span(change.source)} to {code_span(change.target)}\n"
    return f"### Instruct {', '.join(map(code_span, change.paths))}\n{change.prose.strip()}\n"


def _pair(pair: Pair, info: str) -> str:
    times = f" ({pair.count} times)" if pair.count != 1 else ""
    return f"Before{times}:\n{fence(pair.before, info)}After:\n{fence(pair.after, info)}"


def _whole(verb: str, path: str, text: str, *, executable: bool) -> str:
    """Create or Replace: what a fence can't say by itself stands in the heading."""
    flags = " (executable)" if executable else ""
    crlf = verb == "Create" and text.count("\r\n") == text.count("\n") == text.count("\r") > 0
    if text and not text.endswith("\n"):
        flags += " (no final newline)"
        text += "\n"
    if crlf:
        flags += " (crlf)"
        text = text.replace("\r\n", "\n")
    return f"### {verb} {code_span(path)}{flags}\n{fence(text, language(path))}"


def language(path: str) -> str:
    """A fence's info string for a path: its ending, where that is one."""
    _, dot, ending = path.rpartition("/")[2].rpartition(".")
    if not dot or not re.fullmatch("[A-Za-z0-9]{1,10}", ending) or ending.lower() == "escaped":
        return ""
    return ending.lower()


def front_matter(fields: Sequence[tuple[str, str]], accept: Sequence[str]) -> str:
    """The block at the top: keys with their values as YAML already, then the criteria, one line each."""
    keys = "".join(f"{key}: {value}\n" for key, value in fields)
    return f"---\n{keys}accept:\n" + "".join(f"  - {line}\n" for line in accept) + "---\n"


def blob_line(path: str, blob: str, mode: str) -> str:
    """The criterion that a path holds exactly this."""
    return f'blob: {{path: {quoted(path)}, id: "{blob}", mode: "{mode}"}}'


def missing_line(path: str) -> str:
    """The criterion that nothing is at a path."""
    return f"missing: {quoted(literal(path))}"


def document(head: str, why: str, sections: Iterable[str], checklist: str = "") -> bytes:
    """A whole spec file."""
    tail = f"\n## Review checklist\n{checklist}" if checklist else ""
    return "".join((head, "\n## Why\n", why, "\n## Changes\n\n", "\n".join(sections), tail)).encode()
