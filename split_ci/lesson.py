"""Lessons: one small file each, `specs/coaching/<id>.md`, prepended to every later brief that it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.problems import Problem


class Lesson(NamedTuple):
    id: str
    audience: Literal["implementer", "architect"]  # `for:`
    text: str  # one or two imperative sentences, and one of evidence
    paths: tuple[str, ...] = ()  # when.paths: globs; empty is everywhere
    implementers: tuple[str, ...] = ()  # when.implementers; empty is all
    forbid: str | None = None  # a regex on added lines
    taught_by: tuple[tuple[str, str], ...] = ()  # ("spec", id), ("commit", sha), ("pull", number)
    taught: int = 1  # how often


class Chosen(NamedTuple):
    """The lessons that a brief gets, and the ids of those that fitted its scope but not its bytes."""

    lessons: tuple[Lesson, ...]
    left_out: tuple[str, ...]


def parse_lesson(data: bytes, path: str) -> tuple[Lesson | None, tuple[Problem, ...]]:
    raise NotImplementedError


def render_lesson(lesson: Lesson) -> bytes:
    """The file, byte for byte the same for the same lesson."""
    raise NotImplementedError


def choose(
    lessons: Sequence[Lesson], *, audience: str, paths: Sequence[str], implementer: str, limit_bytes: int
) -> Chosen:
    """Deterministic: scope first, then how often it was taught, then id."""
    raise NotImplementedError
