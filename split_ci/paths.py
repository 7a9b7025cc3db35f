"""Paths: one validator for every reader and writer, globs, and what is protected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.invisible import hidden
from split_ci.protection import PROTECTED, Shapes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from re import Pattern

MAX_NAME = 255
MAX_PATH = 4096

OUT_OF_REACH: tuple[str, ...] = ("specs/**", ".split-ci.yaml")  # for every spec; the folder is the configuration's

DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$", *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³")]
)
IGNORABLE = dict.fromkeys(
    [0x00AD, 0x034F, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10), 0xFEFF]
)  # code points that HFS+ and its kin pass over when they compare names


def path_fault(path: str) -> str | None:
    """Why a path may not be used, in a few words; None where it may. Purely by its text: no tree is read.

    Refuses absolute paths, `..`, `.`, empty components, backslashes, drive letters, control and invisible characters,
    every spelling of `.git` (case, trailing dots and blanks, HFS-ignorable code points, short names and streams of NTFS),
    Windows device names, components over 255 bytes and paths over 4,096.
    """
    if not path:
        return "is empty"
    if path[0] == "/":
        return "is absolute"
    if path[0] == "~" and (path == "~" or path[1] == "/"):
        return "begins with a home folder"
    if path[1:2] == ":" and path[0].isalpha():
        return "begins with a drive letter"
    if "\\" in path:
        return "holds a backslash"
    return _character_fault(path) or _names_fault(path)


def _character_fault(path: str) -> str | None:
    if path.isascii():
        return None if path.isprintable() else "holds a control character"
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "is not UTF-8"
    if not all(map(_shown, path)) or hidden(path):
        return "holds an invisible character"
    return f"is longer than {MAX_PATH} bytes" if size > MAX_PATH else None


def _shown(character: str) -> bool:
    return character.isprintable()


def _names_fault(path: str) -> str | None:
    if len(path) > MAX_PATH:
        return f"is longer than {MAX_PATH} bytes"
    for name in path.split("/"):
        fault = _name_fault(name)
        if fault:
            return fault
    return None


def _name_fault(name: str) -> str | None:
    fault = None
    if not name:
        fault = "ends in a slash, or has two of them in a row"
    elif not name.strip(". "):
        fault = f"holds the component `{name}`"
    elif _is_dot_git(name):
        fault = "names git's own folder"
    elif ":$" in name or name[0] == ":":
        fault = "names a stream of a file"
    elif name[0] == " " or name[-1] == " ":
        fault = "holds a blank at the edge of a component"
    elif "~" in name and _is_short_name(name):
        fault = "is a short name of NTFS"
    elif name.split(".", 1)[0].split(":", 1)[0].rstrip(" ").lower() in DEVICES:
        fault = "names a device of Windows"
    elif len(name.encode()) > MAX_NAME:
        fault = f"holds a component of more than {MAX_NAME} bytes"
    return fault


def _is_dot_git(name: str) -> bool:
    key = _fold_text(name).replace("\u0131", "i").replace("i\u0307", "i").split(":", 1)[0].rstrip(". ")
    return key == ".git" or (key.startswith("git~") and key[4:].isdigit())


def _is_short_name(name: str) -> bool:
    stem, _, extension = name.partition(".")
    start, _, number = stem.rpartition("~")
    return 1 <= len(start) <= 6 and number.isdigit() and len(stem) <= 8 and len(extension) <= 3 and "." not in extension


def fold(path: str) -> str:
    """A key under which two paths fall together that a case-blind or normalising file system can't tell apart."""
    key = _fold_text(path)
    if key[-1:] in (".", " ") or "./" in key or " /" in key:
        key = "/".join(name.rstrip(". ") or name for name in key.split("/"))
    return key


def _fold_text(text: str) -> str:
    if text.isascii():
        return text.lower()
    from unicodedata import normalize  # noqa: PLC0415 - most paths are ASCII

    return normalize("NFKC", normalize("NFD", normalize("NFKC", text.translate(IGNORABLE)).casefold()))


def matches(glob: str, path: str) -> bool:
    """Whether a glob matches a whole path: `*` and `?` within a component, `**` across components, `[...]`.

    It always matches the path that is spelled as it is: a file's name may hold these too, as `[id].js`.
    """
    if glob == path:
        return True
    pattern = _globs.get(glob)
    if pattern is None:
        pattern = _globs[glob] = _translate(glob)
    return not isinstance(pattern, str) and pattern.match(path) is not None


def literal(path: str) -> str:
    """The glob that matches this path and no other."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)


def is_glob(text: str) -> bool:
    """Whether a text holds what only a glob would: `*`, `?` or `[`."""
    return any(c in text for c in "*?[")


_globs: dict[str, Pattern[str] | str] = {}


def _translate(glob: str) -> Pattern[str] | str:
    if not is_glob(glob):
        return glob
    import re  # noqa: PLC0415 - plain names need none

    parts = [""]  # what stands between the `**`
    for name in glob.split("/"):
        if name != "**":
            parts[-1] += _translate_name(name) + "/"
        elif parts[-1] or len(parts) == 1:
            parts.append("")
    first, *between = parts
    if not between:
        return re.compile(first.removesuffix("/") + r"\Z")
    last = "(?:[^/]+/)*" + between.pop().removesuffix("/") if between[-1] else "(?s:.+)" + between.pop()
    # a part in the middle matches at its first place or not at all (atomic), so that no glob takes ages
    return re.compile(first + "".join(f"(?>(?:[^/]+/)*?{part})" for part in between) + last + r"\Z")


def _translate_name(name: str) -> str:
    pieces, at = [""], 0
    while at < len(name):
        c = name[at]
        at += 1
        if c == "*":
            pieces.append("")
        elif c == "?":
            pieces[-1] += "[^/]"
        elif c == "[" and (end := name.find("]", at + 2 if name[at : at + 1] in ("!", "^") else at + 1)) > 0:
            pieces[-1] += _translate_set(name[at:end])
            at = end + 1
        else:
            pieces[-1] += c if c.isalnum() else "\\" + c
    if len(pieces) == 1:
        return pieces[0]
    return pieces[0] + "".join(f"(?>[^/]*?{piece})" for piece in pieces[1:-1] if piece) + "[^/]*" + pieces[-1]


def _translate_set(inside: str) -> str:
    negated = inside[:1] in ("!", "^")
    body = inside[1:] if negated else inside
    chars = "".join(c if c.isalnum() or _is_range(body, i) else "\\" + c for i, c in enumerate(body))
    return f"[^/{chars}]" if negated else f"(?!/)[{chars}]"


def _is_range(body: str, at: int) -> bool:
    return body[at] == "-" and 0 < at < len(body) - 1 and body[at - 1] <= body[at + 1]


def select(globs: Sequence[str], paths: Iterable[str]) -> list[str]:
    """The paths that any of the globs matches, in their order."""
    return [path for path in paths if any(matches(glob, path) for glob in globs)]


def protected(path: str, extra: Sequence[str] = ()) -> bool:
    """Whether a path needs its own line in a spec's front matter: the built-in list and the configuration's."""
    key = fold(path)
    return _built_in().match(key) or any(matches(fold(glob), key) for glob in extra)


def out_of_reach(path: str, specs: str = "specs") -> bool:
    """Whether no spec may change a path: the folder of specs, whatever is in it, and the configuration."""
    key, folder = fold(path), fold(specs)
    return key in (folder, ".split-ci.yaml", ".split-ci.yml") or key.startswith(folder + "/")


_known: list[Shapes] = []


def _built_in() -> Shapes:
    if not _known:
        _known.append(Shapes(PROTECTED))
    return _known[0]
