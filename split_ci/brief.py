"""The brief: what an implementer is given, as text. Stable parts first, so that prompt caches hit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from split_ci.ports import File, Task, Tree
    from split_ci.results import CriterionResult
    from split_ci.spec import Instruct, Spec
    from split_ci.verdict import Finding

FILE_BYTES = 96 * 1024
ALL_BYTES = 192 * 1024
OUTPUT_CHARS = 4096
ATTEMPT_CHARS = 16_384
LISTED = 40  # names in a list before it says how many more there are
DRAWS = 64


class Brief(NamedTuple):
    """A brief as text. `omitted` names the files whose text is not in it, each with the reason."""

    system: str
    text: str
    mark: str
    omitted: tuple[str, ...]


class Shown(NamedTuple):
    """A file as a brief shows it: its text with plain line ends, or why it is not shown."""

    text: str
    note: str = ""
    fault: str = ""


def render_brief(
    task: Task, rules: str, lessons: str = "", *, draw: Callable[[], str] | None = None, limit_bytes: int = ALL_BYTES
) -> Brief:
    """The brief of a task. `rules` is our fixed part, `lessons` the lessons as text, `draw` gives a random word.

    Raises Refused where no word can be drawn that the texts don't hold.
    """
    files, omitted = _files(task, limit_bytes)
    spec = spec_text(task.spec)
    texts = [lessons, spec, *task.left, *task.applied, *task.frozen, *(s.text for _, s in files), *(p for p, _ in files)]
    mark = choose_mark(texts, draw)
    parts = [
        f"MARK is {mark}.",
        fenced(mark, f"spec {quoted(task.spec.id)}", spec),
        _list("You may change these paths (globs):", task.writable),
        _list("Not these, nor what lies below them, but for the paths above:", task.frozen),
        _list("Done already, by code:", task.applied),
        *(fenced(mark, f"left {number}", text) for number, text in enumerate(task.left, 1)),
        *(fenced(mark, f"file {quoted(path)}{shown.note}", shown.text) for path, shown in files),
        _list("Omitted, not shown here:", omitted, quote=False),
        f"Do what is left ({len(task.left)}).",
    ]
    system = rules.rstrip() + "\n" + (f"\n{lessons.rstrip()}\n" if lessons.strip() else "")
    return Brief(system, "\n\n".join(p for p in parts if p) + "\n", mark, omitted)


def choose_mark(texts: Iterable[str], draw: Callable[[], str] | None = None) -> str:
    """A word for fences that none of the texts holds. Raises Refused."""
    if draw is None:
        from secrets import token_hex  # noqa: PLC0415

        def draw() -> str:
            return "data-" + token_hex(8)

    everything = "\n".join(texts)
    for _ in range(DRAWS):
        mark = draw()
        if mark not in everything:
            return mark
    raise Refused("the text holds every mark that could fence it")


def fenced(mark: str, what: str, text: str) -> str:
    """Foreign text between two lines that it can't write itself."""
    end = "" if text.endswith("\n") or not text else "\n"
    return f"<{mark} {what}>\n{text}{end}</{mark}>"


def quoted(text: str) -> str:
    """A name in quotes on one line: what doesn't print is escaped, other scripts are not."""
    safe = "".join(c if c.isprintable() and c not in '"\\' else c.encode("unicode_escape").decode() for c in text)
    return '"' + safe.replace('"', '\\"') + '"'


def shown(file: File | None) -> Shown:
    """What a brief shows of a file."""
    if file is None:
        return Shown("", " (new: not there yet)")
    if file.mode == "120000":
        return Shown("", f" (a symlink to {quoted(file.data.decode(errors='replace'))})")
    if file.data.startswith(b"version https://git-lfs.github.com/spec/"):
        return Shown("", fault="kept outside git (LFS)")
    try:
        text = file.data.decode()
    except UnicodeDecodeError:
        return Shown("", fault="not UTF-8 text")
    if "\0" in text:
        return Shown("", fault="not text")
    notes = []
    if file.mode == "100755":
        notes.append("executable")
    if text.startswith("\ufeff"):
        text = text[1:]
        notes.append("begins with a byte order mark")
    if "\r\n" in text and text.count("\r\n") == text.count("\n"):
        text = text.replace("\r\n", "\n")
        notes.append("CRLF")
    if text and not text.endswith("\n"):
        notes.append("no final newline")
    return Shown(text, f" ({', '.join(notes)})" if notes else "" if text else " (empty)")


def _files(task: Task, limit_bytes: int) -> tuple[list[tuple[str, Shown]], tuple[str, ...]]:
    """The files that fit, in their order, and those that don't with the reason."""
    kept: list[tuple[str, Shown]] = []
    omitted: list[str] = []
    room = limit_bytes
    for path in dict.fromkeys(task.files):
        found = shown(_read(task.tree, path))
        size = len(found.text.encode())
        fault = found.fault or _too_large(size, room)
        if fault:
            omitted.append(f"{quoted(path)}: {fault}")
        else:
            kept.append((path, found))
            room -= size
    return kept, tuple(omitted)


def _read(tree: Tree, path: str) -> File | None:
    return tree.read(path)


def _too_large(size: int, room: int) -> str:
    if size > FILE_BYTES:
        return f"{size} bytes, more than {FILE_BYTES}"
    return f"{size} bytes, {room} are left for files" if size > room else ""


def _list(title: str, names: Sequence[str], *, quote: bool = True) -> str:
    if not names:
        return ""
    lines = [f"- {quoted(name) if quote else name}" for name in names[:LISTED]]
    if len(names) > LISTED:
        lines.append(f"- and {len(names) - LISTED} more")
    return "\n".join([title, *lines])


def spec_text(spec: Spec) -> str:
    """What a spec asks for, without its exact sections: those are applied already, or shown as what is left."""
    parts = [f"# {spec.title}", spec.why.strip() and f"## Why\n{spec.why.strip()}", _accept(spec)]
    if spec.checklist.strip():
        parts.append(f"## Review checklist\n{spec.checklist.strip()}")
    return "\n\n".join(p for p in parts if p) + "\n"


def _accept(spec: Spec) -> str:
    lines = [f"- {c.id}{' (guard)' if c.guard else ''}: {c}" for c in spec.accept]
    return "\n".join(["## Criteria, run when you are done", *lines])


def instruct_text(change: Instruct) -> str:
    """An Instruct section, as one thing that is left."""
    return f"Instruct {', '.join(quoted(p) for p in change.paths)}\n{change.prose.strip()}\n"


def criterion_text(result: CriterionResult) -> str:
    """A criterion that is not as required, with the end of what it printed."""
    ran = result.result
    lines = [f"Criterion {result.id} is not met: {result.run}", result.reason]
    if ran is not None:
        lines.append(f"It was stopped: {ran.broken}" if ran.broken else f"It ended with exit code {ran.exit}.")
        lines.append(
            "Its output ended with:\n" + ran.output[-OUTPUT_CHARS:] if ran.output.strip() else "It printed nothing."
        )
    return "\n".join(line for line in lines if line) + "\n"


def attempt_text(changes: Mapping[str, tuple[File | None, File | None]]) -> str:
    """What a round changed that did not hold, path -> (before, after): as a diff, since the files are shown without it."""
    from difflib import unified_diff  # noqa: PLC0415 - for second rounds only

    parts = []
    for path, (before, after) in changes.items():
        old, new = (_text_of(file).splitlines(keepends=True) for file in (before, after))
        if old != new:
            said = unified_diff(old, new, quoted(path), quoted(path) if after else "(deleted)", n=2)
            parts += [line if line.endswith("\n") else line + "\n" for line in said]
    text = "".join(parts)
    if len(text) > ATTEMPT_CHARS:
        text = text[:ATTEMPT_CHARS] + "\n(cut)\n"
    return (
        "The round before made the change below, and it is not as required. It is undone: the files are shown as they were "
        f"before it. Make the whole change again, mended.\n{text}"
    )


def _text_of(file: File | None) -> str:
    return "" if file is None else shown(file).text


def finding_text(finding: Finding) -> str:
    """A reviewer's finding, as one thing that is left."""
    quote = f"\nThe line in question:\n{finding.quote}" if finding.quote else ""
    return f"A reviewer found in {quoted(finding.path)}, line {finding.line}: {finding.message}{quote}\n"
