"""Foreign text as Markdown that can be read and do nothing: no mention, reference, link, image, HTML, command or suggestion.

Two kinds of readers have to be kept off: the renderer, which turns `@ada` in any text outside of code into a mention, and
programs that read the raw text line by line (`/merge`, `@bot rebase`, and `fixes #1` in the message of a squashed merge).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from split_ci.plain import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LANGUAGES = {
    "bash", "c", "cpp", "css", "diff", "go", "html", "ini", "java", "javascript", "js", "json", "kotlin", "makefile", "php",
    "py", "python", "rb", "ruby", "rust", "sh", "sql", "swift", "text", "toml", "ts", "typescript", "xml", "yaml", "yml",
}  # fmt: skip  # for colours alone; `suggestion`, `mermaid`, `math` and their like do something
_ACTIVE = r"""
      (?:(?:(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*|https?|ftp)://|(?:javascript|vbscript|data|mailto|xmpp):|www\.)[^\s`]*  # links
    | (?:(?<![\w.%+/-])[\w.%+/-]+)?@\w(?:[\w./-]*\w)?                     # mentions, addresses, owner/name@commit
    | (?:(?<![\w./-])[\w./-]+)?\#\d+\w* | \bGH-\d+\w*                      # references
    | (?:(?<![^\s`])[^\s`]+)?\$[^\s`]*                                  # mathematics
"""
_TOKEN = re.compile(
    rf"(?P<tick>`+)(?P<code>[^`\n]+)(?P=tick)|(?P<active>{_ACTIVE})|(?P<mark>[\\`*_\[\]<>&|~!])", re.IGNORECASE | re.VERBOSE
)
_JOINED = re.compile(r"@\w|#\d|\bGH-\d|://|\[(?:skip ci|ci skip|no ci|skip actions|actions skip)\]", re.IGNORECASE)
_START = re.compile(r"[#+\-=/]|\d+(?=[.)])")
_ENTRY = re.compile(r"( *)([-*+]|\d{1,4}[.)]) +(?=\S)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([^`]*)")
_RUN = re.compile(r"`+")
_BLANKS = re.compile(r"\n{3,}")
ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def code(text: str) -> str:
    """Text of one line as code: paths, commands. What a program could read as a command to it is taken apart."""
    line = " ".join(visible(text).split()).replace("<!--", "<! --") or " "
    return " ".join(map(_span, line.split(" "))) if _JOINED.search(line) else _span(line)


def _span(text: str) -> str:
    fence = "`" * (max((len(run) for run in _RUN.findall(text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def line(text: str, limit: int = 1000) -> str:
    """Foreign text as one line."""
    return _inline(" ".join(visible(cut(text, limit)).split()))


def prose(text: str, limit: int = 4000) -> str:
    """Foreign text as paragraphs and lists; code between fences stays code."""
    lines = visible(cut(text, limit).replace("\r\n", "\n")).expandtabs(4).split("\n")
    return _BLANKS.sub("\n\n", "\n".join(_blocks(lines))).strip("\n")


def cut(text: str, limit: int) -> str:
    """The text, or its start and a mark."""
    return text if len(text) <= limit else text[:limit] + " …"


def indented(text: str, by: str = "  ") -> str:
    """A block as a part of a list's entry: every line but the first stands under it."""
    return text.replace("\n", f"\n{by}").replace(f"\n{by}\n", "\n\n")


def _blocks(lines: list[str]) -> Iterator[str]:
    at = 0
    while at < len(lines):
        opened = _FENCE.fullmatch(lines[at])
        if opened:
            end = _end(lines, at + 1, opened[1])
            yield from ("", block(lines[at + 1 : end], opened[2]), "")
            at = end
        else:
            yield _line(lines[at])
        at += 1


def _line(text: str) -> str:
    """A line of a paragraph, or of a list, which is the one mark that stays one."""
    entry = _ENTRY.match(text)
    if entry is None:
        return _inline(text.strip())
    mark = entry[2] if entry[2][0].isdigit() else "-"
    return f"{'  ' if len(entry[1]) > 1 else ''}{mark} {_inline(text[entry.end() :].strip())}"


def _end(lines: list[str], at: int, fence: str) -> int:
    """The line that closes a fence; the last one where nothing does."""
    while at < len(lines):
        closing = lines[at].strip()
        if len(closing) >= len(fence) and not closing.strip(fence[0]):
            break
        at += 1
    return at


def block(lines: Sequence[str], info: str = "") -> str:
    """Code between fences. It is indented, since programs look for commands at the start of a line."""
    lines = [visible(each) for each in lines]
    if any(_JOINED.search(each) or "<!--" in each for each in lines):
        return "\n".join(code(each) for each in lines if each.strip())
    runs = (len(run) for each in lines for run in _RUN.findall(each))
    fence = "`" * max(3, max(runs, default=0) + 1)
    word = info.split(maxsplit=1)[0].lower() if info.split() else ""
    return "\n".join(f"  {each}" for each in (fence + (word if word in LANGUAGES else ""), *lines, fence))


def _inline(text: str) -> str:
    made, at = "", 0
    for found in _TOKEN.finditer(text):
        made += text[at : found.start()]
        at = found.end()
        if found["mark"]:
            made += ENTITIES.get(found[0], f"\\{found[0]}")
        else:
            made += " " if made.endswith("`") else ""  # two pieces of code in a row are two
            made += code(found["code"] or found["active"])
    made += text[at:]
    start = _START.match(made)
    if start is None:
        return made
    return f"{start[0]}\\{made[start.end() :]}" if start[0].isdigit() else f"\\{made}"
