"""What `init` did, file by file, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.report.terminal import paint, say, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.steps.init import Put

COLOURS = {"created": "green", "changed": "green", "unchanged": "dim", "left": "yellow"}


def show(puts: Sequence[Put], following: Sequence[str], *, dry_run: bool, as_json: bool) -> None:
    """One line a file; `following` are the commands to type next."""
    if as_json:
        say_json({"dry_run": dry_run, "files": [put._asdict() for put in puts], "next": list(following)})
        return
    for put in puts:
        say(f"{paint(f'{put.action:<10}', COLOURS[put.action])} {put.path}{': ' if put.note else ''}{put.note}")
    done = [put for put in puts if put.action in ("created", "changed")]
    if dry_run:
        say(f"\nnothing written (--dry-run): {len(done)} of {len(puts)} files would be")
    elif not done:
        say("\nno change: everything is there already")
    if following:
        say("\nnext:")
        for command in following:
            say(f"  {command}")
