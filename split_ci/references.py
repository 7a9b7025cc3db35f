"""References that the base resolved and the result doesn't: lines that still name a file which is gone.

`mentions` asks git once for all the lines of a base that may name one of the gone files; `dangling` judges such lines. A
line counts where it resolves, as a path from the root or from its own file or as a module of Python, to a gone file.
"""

from __future__ import annotations

import posixpath
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from split_ci.errors import WorldError
from split_ci.git import FENCE, clean_env

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from split_ci.git import Repo

    Exists = Callable[[str], bool]
    Lines = list[tuple[int, str]]

MAX_OUTPUT = 64 * 1024 * 1024
MAX_LINE = 4_000
MAX_A_FILE = 200
PROSE = (".md", ".markdown", ".rst", ".txt", ".adoc", ".org", ".po", ".pot")
PROSE_FOLDERS = frozenset(("doc", "docs", "changelog", "changelogs", "changes", "news"))
PROSE_NAMES = ("changelog", "changes", "history", "news", "readme", "license", "authors", "contributors")
IMPLIED = ("", ".js", ".ts", ".tsx", ".jsx", ".mjs", ".cjs", ".css", ".scss", ".vue", ".json", "/index.js", "/index.ts")

TOKEN = re.compile(r"[\w@~+.%/-]+")
QUOTED = "\"'`<(["
IMPORT = re.compile(
    r"^\s*(?:from\s+(?P<dots>\.*)(?P<of>[\w.]*)\s+import\s+(?P<names>[\w\s,.*()]+)|import\s+(?P<plain>[\w\s,.]+))"
)
DOTTED = re.compile(r"(?<=[\"'`])[A-Za-z_]\w*(?:\.\w+)+(?=[\"'`:\[.])")


class Dangling(NamedTuple):
    path: str
    line: int
    text: str
    target: str  # the file that is gone


def is_prose(path: str) -> bool:
    """Whether a file is text for people, where a name may well outlive what it named."""
    *folders, name = path.lower().split("/")
    if name == "cmakelists.txt":
        return False
    return name.endswith(PROSE) or name.split(".")[0] in PROSE_NAMES or any(f in PROSE_FOLDERS for f in folders)


def needles(gone: str) -> tuple[str, ...]:
    """Texts of which one stands in every line that may name a path: a quick first sieve."""
    folder, name = posixpath.split(gone)
    stem, extension = posixpath.splitext(name)
    if extension in (".py", ".pyi"):
        module = posixpath.basename(folder) if stem == "__init__" else stem
        own = () if stem == "__init__" else (name,)
        return (*own, *(f"{before}{module}" for before in (".", "import ", "from ", ", "))) if module else own
    if extension in IMPLIED[1:]:
        return (name, f"/{stem}")
    return (name,)


def mentions(repo: Repo, base: str, gone: Collection[str], *, git_dir: str | None = None) -> dict[str, Lines]:
    """Path -> (line, text) of the base's lines that may name one of the gone paths, by one `git grep`.

    Raises WorldError where there are too many to look at.
    """
    wanted = sorted({needle for path in gone for needle in needles(path)})
    if not wanted:
        return {}
    argv = [
        "git",
        *FENCE,
        "--git-dir",
        git_dir or repo.git_dir,
        "grep",
        "-I",
        "-n",
        "-z",
        "-F",
        "--no-color",
        f"-m{MAX_A_FILE}",
    ]
    return _parsed(_capped([*argv, "-f", "-", base], "\n".join(wanted).encode(errors="surrogateescape"), repo.root), base)


def _capped(argv: list[str], asked: bytes, cwd: str) -> bytes:
    import subprocess  # noqa: PLC0415 - git.run_git has no cap on output
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryFile() as patterns:
        patterns.write(asked + b"\n")
        patterns.seek(0)
        with subprocess.Popen(
            argv, cwd=cwd, env=clean_env(), stdin=patterns, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            out = process.stdout.read(MAX_OUTPUT + 1)
            if len(out) > MAX_OUTPUT:
                process.kill()
                raise WorldError("too many lines may name what is removed to look at them all")
    if process.returncode > 1:
        raise WorldError(f"git grep failed ({process.returncode})", again=True)
    return out


def _parsed(out: bytes, base: str) -> dict[str, Lines]:
    """Each is `<commit>:<path>`, NUL, the line's number, NUL, its text."""
    found: dict[str, Lines] = {}
    start = len(base) + 1
    for record in out.split(b"\n"):
        head, _, rest = record.partition(b"\0")
        number, _, text = rest.partition(b"\0")
        if number.isdigit():
            path = head[start:].decode("utf-8", "surrogateescape")
            found.setdefault(path, []).append((int(number), text[:MAX_LINE].decode(errors="replace")))
    return found


def lines_naming(text: str, gone: Iterable[str]) -> Lines:
    """The lines of a text that may name one of the gone paths."""
    wanted = [needle for needle in _all_needles(frozenset(gone)) if needle in text]
    if not wanted:
        return []
    return [
        (number, line[:MAX_LINE])
        for number, line in enumerate(text.split("\n"), 1)
        if any(needle in line for needle in wanted)
    ]


@lru_cache(maxsize=4)  # the same paths are asked for in every file of a result
def _all_needles(gone: frozenset[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(needle for path in sorted(gone) for needle in needles(path)))


def dangling(
    lines: Mapping[str, Lines], gone: Collection[str], exists: Exists, reads: Callable[[str], str]
) -> Iterator[Dangling]:
    """Those of the lines that name a gone path and nothing that is there. `exists` and `reads` are the result's."""
    modules = {module: path for path in gone for module in modules_of(path) if not _module_exists(module, path, exists)}
    for path in sorted(lines):
        for number, line in lines[path]:
            target = _path_target(line, path, gone, exists)
            if target is None and path.endswith((".py", ".pyi", ".pyx")):
                target = _import_target(line, path, modules, reads)
            if target is None:
                target = next(
                    (modules[m] for found in DOTTED.finditer(line) for m in _prefixes(found[0]) if m in modules), None
                )
            if target is not None:
                yield Dangling(path, number, line.rstrip("\r"), target)


def _path_target(line: str, referrer: str, gone: Collection[str], exists: Exists) -> str | None:
    """The gone path that a word of the line resolves to, where it resolves to nothing that is there."""
    folder = posixpath.dirname(referrer)
    for found in TOKEN.finditer(line):
        token = found[0].rstrip(".").removesuffix("/")
        quoted = line[max(0, found.start() - 1) : found.start()] in tuple(QUOTED)
        if not quoted and "/" not in token:
            continue
        places = _places(token, folder, implied=quoted and token.startswith("."))
        hit = next((place for place in places if place in gone), None)
        if hit is not None and not any(exists(place) for place in places):
            return hit
    return None


def _places(token: str, folder: str, *, implied: bool) -> list[str]:
    """Where a word may point to: from the root, and from its own file's folder."""
    rooted = posixpath.normpath(token.lstrip("/"))
    relative = rooted if token.startswith("/") else posixpath.normpath(posixpath.join(folder, token))
    places = [each for each in dict.fromkeys((rooted, relative)) if not each.startswith("../")]
    return [place + ending for place in places for ending in (IMPLIED if implied else ("",))]


def modules_of(path: str) -> tuple[str, ...]:
    """The names under which Python may import a file, with and without a folder `src` or `lib` at the root."""
    if not path.endswith((".py", ".pyi")):
        return ()
    stem = path.rpartition(".")[0].removesuffix("/__init__")
    if stem == "__init__" or not all(part.isidentifier() for part in stem.split("/")):
        return ()
    rest = stem.partition("/")[2] if stem.startswith(("src/", "lib/")) else ""
    return tuple(each.replace("/", ".") for each in (stem, rest) if each)


def _module_exists(module: str, path: str, exists: Exists) -> bool:
    root = path[: len(path.rpartition(".")[0].removesuffix("/__init__")) - len(module)]
    stem = root + module.replace(".", "/")
    return any(exists(stem + ending) for ending in (".py", ".pyi", "/__init__.py", ".pyx", ".so", ""))


def _prefixes(module: str) -> Iterator[str]:
    """`a.b.c`, `a.b`: never a single word."""
    while "." in module:
        yield module
        module = module.rpartition(".")[0]


def _import_target(line: str, referrer: str, modules: Mapping[str, str], reads: Callable[[str], str]) -> str | None:
    found = IMPORT.match(line)
    if not found:
        return None
    for module, name in _imported(found, referrer):
        if module in modules:
            return modules[module]
        whole = f"{module}.{name}" if name else ""
        if whole in modules and not _defines(modules[whole], name, reads):
            return modules[whole]
    return None


def _imported(found: re.Match[str], referrer: str) -> Iterator[tuple[str, str]]:
    """(module, name) pairs of an import; the name is empty for `import module`."""
    if found["plain"] is not None:
        for part in found["plain"].split(","):
            words = part.split()
            if words:
                yield from ((module, "") for module in (words[0], *_prefixes(words[0])))
        return
    names = [part.split()[0] for part in found["names"].replace("(", " ").replace(")", " ").split(",") if part.split()]
    for package in _packages(found["dots"], found["of"], referrer):
        yield from ((package, name) for name in names or [""])


def _packages(dots: str, of: str, referrer: str) -> Iterator[str]:
    if not dots:
        yield of
        return
    parts = referrer.split("/")[: -len(dots)] if len(dots) < referrer.count("/") + 2 else []
    for start in (0, 1) if parts[:1] in (["src"], ["lib"]) else (0,):
        yield ".".join([*parts[start:], *([of] if of else [])])


def _defines(gone: str, name: str, reads: Callable[[str], str]) -> bool:
    """Whether the package that a gone module lay in has something else of its name."""
    text = reads(posixpath.join(posixpath.dirname(gone), "__init__.py"))
    return (
        re.search(
            rf"^(?:def|class|async def)\s+{re.escape(name)}\b|^{re.escape(name)}\s*[:=]|\bas {re.escape(name)}\b",
            text,
            re.MULTILINE,
        )
        is not None
    )
