"""Lessons: one small file each, `specs/coaching/<id>.md`, prepended to every later brief that it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from split_ci.lesson_rules import forbid_fault, text_faults
from split_ci.paths import matches
from split_ci.problems import problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from split_ci.fields import Fields
    from split_ci.problems import Problem

Audience = Literal["implementer", "architect"]
AUDIENCES = ("implementer", "architect")
FOLDER = "coaching"  # below the folder of specs
MAX_BYTES = 8 * 1024
MAX_CHARACTERS = 500
MAX_GLOBS = 20
MAX_TEACHERS = 20  # the newest that are kept; `taught` counts all
TEACHERS = ("spec", "commit", "pull")
ROOM_FOR_THE_REST = 96  # bytes of the line that says what was left out

HEADING = "Lessons from earlier reviews. Each was taught by a mistake that was really made; follow them.\n\n"


class Lesson(NamedTuple):
    id: str
    audience: Audience  # `for:`
    text: str  # one or two imperative sentences, and one of evidence
    paths: tuple[str, ...] = ()  # when.paths: globs; empty is everywhere
    implementers: tuple[str, ...] = ()  # when.implementers; empty is all
    forbid: str | None = None  # a regex on added lines
    taught_by: tuple[tuple[str, str], ...] = ()  # ("spec", id), ("commit", sha), ("pull", number)
    taught: int = 1  # how often


class Chosen(NamedTuple):
    """The lessons that a brief gets, the ids of those that fitted its scope but not its bytes, and of those that it was to
    do without.
    """

    lessons: tuple[Lesson, ...]
    left_out: tuple[str, ...]
    held: tuple[str, ...] = ()


def render_lesson(lesson: Lesson) -> bytes:
    """The file, byte for byte the same for the same lesson."""
    lines = ["---", f"for: {lesson.audience}"]
    if lesson.paths or lesson.implementers:
        lines.append("when:")
        lines += [f"  {key}: {_flow(globs)}" for key, globs in _scopes(lesson) if globs]
    if lesson.forbid is not None:
        lines.append(f"forbid: {_quoted(lesson.forbid)}")
    lines.append(f"taught: {lesson.taught}")
    if lesson.taught_by:
        lines.append("taught-by:")
        lines += [f"  - {_mapping(teacher)}" for teacher in teachers(lesson)]
    return "\n".join([*lines, "---", "", lesson.text.strip(), ""]).encode()


def _scopes(lesson: Lesson) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (("paths", lesson.paths), ("implementers", lesson.implementers))


def _flow(texts: Sequence[str]) -> str:
    return "[" + ", ".join(map(_quoted, texts)) + "]"


def _mapping(teacher: Sequence[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{key}: {_quoted(value)}" for key, value in teacher) + "}"


def _quoted(text: str) -> str:
    """A double-quoted scalar: JSON's is YAML's too."""
    import json  # noqa: PLC0415

    return json.dumps(text, ensure_ascii=True).replace("\x7f", "\\x7f")


def teachers(lesson: Lesson) -> list[list[tuple[str, str]]]:
    """`taught_by` as the reviews that taught it: each begins where a key comes again."""
    found: list[list[tuple[str, str]]] = []
    for key, value in lesson.taught_by:
        if not found or key in dict(found[-1]):
            found.append([])
        found[-1].append((key, value))
    return found


def reinforced(known: Lesson, again: Lesson) -> Lesson:
    """A lesson that was taught once more. Taught again by the same reviews, it stays as it is."""
    before = [_review(teacher) for teacher in teachers(known)]
    new = [teacher for teacher in teachers(again) if _review(teacher) not in before]
    if not new:
        return known
    kept = [*teachers(known), *new][-MAX_TEACHERS:]
    return known._replace(taught=known.taught + len(new), taught_by=tuple(pair for t in kept for pair in t))


def contradicted(known: Lesson, review: Sequence[tuple[str, str]]) -> Lesson | None:
    """A lesson that a review says led astray: one that was taught often counts as taught once, else it goes (None).

    The review is noted in it, so that the same one weakens it once.
    """
    if list(review) in teachers(known):
        return known
    if known.taught <= 1:
        return None
    kept = [*teachers(known), list(review)][-MAX_TEACHERS:]
    return known._replace(taught=1, taught_by=tuple(pair for t in kept for pair in t))


def _review(teacher: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """What a review is known by; where it was shown is no part of it."""
    return [pair for pair in teacher if pair[0] != "pull"]


def normalised(lesson: Lesson) -> str:
    """A key under which two lessons fall together that say the same in other letters, blanks or marks."""
    words = "".join(c if c.isalnum() else " " for c in lesson.text.casefold()).split()
    return f"{lesson.audience} {' '.join(words)}"


def lesson_id(lesson: Lesson) -> str:
    """An id made of the lesson's own words: three of them and a hash, so that a repeat makes no second file."""
    from hashlib import sha256  # noqa: PLC0415

    key = normalised(lesson)
    words = [w for w in key.split()[1:] if w.isascii() and len(w) > 2][:3]
    return "-".join([*words, sha256(key.encode()).hexdigest()[:8]])[-63:]


def lesson_faults(lesson: Lesson) -> list[tuple[str, str]]:
    """(code, why) of everything that keeps a lesson from being taught."""
    faults = []
    if not lesson.text.strip():
        faults.append(("SP701", "it says nothing"))
    if len(lesson.text) > MAX_CHARACTERS:
        faults.append(("SP702", f"it has {len(lesson.text)} characters, {MAX_CHARACTERS} are allowed"))
    faults += [("SP703", why) for why in text_faults(lesson.text)]
    if lesson.forbid is not None:
        fault = forbid_fault(lesson.forbid)
        if fault:
            faults.append(("SP701", f"forbid {fault}"))
    return faults


def duplicates(lessons: Iterable[tuple[str, Lesson]]) -> list[tuple[str, str]]:
    """(path, path of the first that says the same) of lessons with their paths."""
    first: dict[str, str] = {}
    found = []
    for path, lesson in lessons:
        other = first.setdefault(normalised(lesson), path)
        if other != path:
            found.append((path, other))
    return found


def duplicate_problems(lessons: Iterable[tuple[str, Lesson]]) -> list[Problem]:
    return [
        problem("SP704", path, 1, f"says the same as {other}", "delete one of them, or merge them")
        for path, other in duplicates(lessons)
    ]


def choose(lessons: Sequence[Lesson], *, audience: str, paths: Sequence[str], implementer: str, limit_bytes: int) -> Chosen:
    """Deterministic: scope first, then how often it was taught, then id. `limit_bytes` is for the whole block."""
    fitting = sorted(
        (each for each in lessons if fits(each, audience=audience, paths=paths, implementer=implementer)),
        key=lambda each: (not each.paths, not each.implementers, -each.taught, each.id),
    )
    taken, left_out = [], []
    room = limit_bytes - len(HEADING.encode()) - ROOM_FOR_THE_REST
    for lesson in fitting:
        size = len(_line(lesson).encode())
        if size <= room:
            room -= size
            taken.append(lesson)
        else:
            left_out.append(lesson.id)
    return Chosen(tuple(taken), tuple(left_out))


def held_out(digest: str, share: float) -> bool:
    """Whether the briefs of a spec's generation go without lessons, so that what lessons change can be measured. The same
    for the same generation; of many, about `share` of them.
    """
    from hashlib import sha256  # noqa: PLC0415

    return int.from_bytes(sha256(f"held out {digest}".encode()).digest()[:6]) < share * 2**48


def fits(lesson: Lesson, *, audience: str, paths: Sequence[str], implementer: str) -> bool:
    """Whether a lesson is for such a brief."""
    if lesson.audience != audience:
        return False
    if lesson.implementers and implementer not in lesson.implementers:
        return False
    return not lesson.paths or any(matches(glob, path) for glob in lesson.paths for path in paths)


def render_block(chosen: Chosen) -> str:
    """The text that a brief begins with; empty where no lesson fits. Says aloud how many were left out."""
    if not chosen.lessons and not chosen.left_out:
        return ""
    text = HEADING + "".join(map(_line, chosen.lessons))
    if chosen.left_out:
        more = len(chosen.left_out)
        text += f"({more} more {'lesson fits' if more == 1 else 'lessons fit'} this task and had no room.)\n"
    return text


def _line(lesson: Lesson) -> str:
    return f"- {' '.join(lesson.text.split())} [{lesson.id}]\n"


def as_value(lesson: Lesson) -> dict[str, Any]:
    """A lesson as JSON has it."""
    return {**lesson._asdict(), "taught_by": [list(pair) for pair in lesson.taught_by]}


def read_value(fields: Fields) -> Lesson:
    """Reads what `as_value` wrote. Raises Refused."""
    return Lesson(
        id=fields.spec_id("id"),
        audience=cast("Audience", fields.one_of("audience", AUDIENCES)),
        text=fields.text("text", 20 * MAX_CHARACTERS),
        paths=fields.texts("paths", MAX_GLOBS, 1024),
        implementers=fields.texts("implementers", MAX_GLOBS, 200),
        forbid=fields.text_or_none("forbid", 1000),
        taught_by=fields.pairs("taught_by", TEACHERS, 3 * MAX_TEACHERS),
        taught=fields.integer("taught", 1),
    )
