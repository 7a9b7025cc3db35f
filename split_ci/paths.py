"""Paths: one validator for every reader and writer, globs, and what is protected."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PROTECTED: tuple[str, ...] = ()  # globs: workflows, agent instructions, hooks' and builds' configuration, CODEOWNERS, manifests
OUT_OF_REACH: tuple[str, ...] = ("specs/**", ".split-ci.yaml")  # for every spec


def path_fault(path: str) -> str | None:
    """Why a path may not be used, in a few words; None where it may. Purely by its text: no tree is read.

    Refuses absolute paths, `..`, `.`, empty components, backslashes, drive letters, control and invisible characters,
    every spelling of `.git` (case, trailing dots and blanks, HFS-ignorable code points, NTFS short names), Windows device
    names, components over 255 bytes and paths over 4,096.
    """
    raise NotImplementedError


def fold(path: str) -> str:
    """A key under which two paths fall together that a case-blind or normalising file system can't tell apart."""
    raise NotImplementedError


def matches(glob: str, path: str) -> bool:
    """Whether a glob matches a whole path: `*` and `?` within a component, `**` across components, `[...]`."""
    raise NotImplementedError


def select(globs: Sequence[str], paths: Iterable[str]) -> list[str]:
    """The paths that any of the globs matches, in their order."""
    raise NotImplementedError


def protected(path: str, extra: Sequence[str] = ()) -> bool:
    """Whether a path needs its own line in a spec's front matter: the built-in list and the configuration's."""
    raise NotImplementedError
