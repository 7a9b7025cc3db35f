"""The text of the rolling pull request: the lessons that wait for people to merge them, what taught each, and what next."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from split_ci.lesson import normalised, teachers
from split_ci.markdown import code, prose
from split_ci.plain import counted
from split_ci.pull_state import PullState, seal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.lesson import Lesson

MAX_SHOWN = 100
MAX_TEACHERS = 5
START = (
    "Each of these was taught by a mistake that a review really found. None is live before it is merged; then every brief "
    "that it fits carries it. Merge those that are right; edit a file here, or delete it, where it isn't."
)
END = """\
Close this, and these lessons are not proposed again. New ones are added here for as long as it is open.

<sub>Made by split-ci. This text is renewed with each lesson, unless somebody edits it.</sub>"""
_ID = re.compile(r"^### `([a-z0-9][a-z0-9-]{0,62})`", re.MULTILINE)


def lessons_title(lessons: Sequence[Lesson]) -> str:
    return f"Coaching: {counted(len(lessons), 'lesson')} from reviews"


def lessons_body(lessons: Sequence[Lesson], head: str) -> str:
    """The text, with its hidden state in the last line. The same lessons give the same digest."""
    parts = [START, *map(_shown, lessons[:MAX_SHOWN])]
    if len(lessons) > MAX_SHOWN:
        parts.append(f"… and {len(lessons) - MAX_SHOWN} more: see the files.")
    digest = sha256("\n".join(sorted(map(normalised, lessons))).encode()).hexdigest()
    return seal("\n\n".join([*parts, END]), PullState("coaching", digest, head, 1))


def listed_ids(body: str) -> frozenset[str]:
    """The ids of the lessons that a text lists."""
    return frozenset(_ID.findall(body.replace("\r\n", "\n")))


def _shown(lesson: Lesson) -> str:
    said = "\n".join(f"> {line}".rstrip() for line in prose(lesson.text, 600).split("\n"))
    when = f", in {', '.join(map(code, lesson.paths))}" if lesson.paths else ""
    forbid = f"\n\nOnce it is merged, added lines that match {code(lesson.forbid)} are refused." if lesson.forbid else ""
    taught = "; ".join(filter(None, map(_taught, teachers(lesson)[-MAX_TEACHERS:])))
    times = "once" if lesson.taught == 1 else f"{lesson.taught} times"
    by = f": {taught}" if taught else ""
    return f"### {code(lesson.id)} (for the {lesson.audience}{when})\n\n{said}{forbid}\n\nTaught {times}{by}."


def _taught(teacher: Sequence[tuple[str, str]]) -> str:
    """One review: its spec, its pull request, its commit."""
    known = dict(teacher)
    pull = f"#{known['pull']}" if known.get("pull", "").isdecimal() else ""
    spec = code(known["spec"]) if "spec" in known else ""
    return " ".join(filter(None, (spec, pull, f"at {code(known['commit'][:12])}" if "commit" in known else "")))
