"""Exact sections applied to a snapshot: values in, values out. The one engine of check, implement, gate and review."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.ports import File, Tree
    from split_ci.problems import Problem
    from split_ci.spec import Change


class Applied(NamedTuple):
    """What exact sections made of a tree.

    `files`: every path whose content, mode or existence differs from the tree, with its end state (None: no longer there).
    `moved`: target -> source for files moved without a later change. `edits`: how many exact edits took.
    `problems`: why a section did not take (code SP3xx, the section's line); a section that failed left no trace,
    and `left` holds those sections.
    """

    files: Mapping[str, File | None]
    moved: Mapping[str, str]
    edits: int
    problems: tuple[Problem, ...]
    left: tuple[Change, ...]


def apply_exact(changes: Sequence[Change], tree: Tree, spec_path: str = "") -> Applied:
    """Applies the exact sections in order, each to what the earlier ones made; Instruct sections are passed over."""
    raise NotImplementedError
