"""A design as people and programs read it: where the spec is, or what is wrong with the last answer and where that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from split_ci.bill import cost_of_usage
from split_ci.plain import counted, visible
from split_ci.report.bill import cost_json, role_line
from split_ci.report.terminal import say, say_json

if TYPE_CHECKING:
    from split_ci.config import Config
    from split_ci.steps.design import Designed


def show(done: Designed, saved: str | None, unproved: str, config: Config, form: str) -> None:
    """The whole answer; `saved` is the spec's path, `unproved` why its criteria were not run."""
    if form == "json":
        say_json(as_json(done, saved, unproved))
        return
    say(visible(saved or f"{done.id}: {done.outcome.name}: {done.outcome.reason}"))
    recorded = " (scripted)" if config.models[config.architect].api == "scripted" else ""
    answers, read = counted(done.answers, "answer"), counted(len(done.read), "file")
    say(f"  by {visible(config.architect)}{recorded}: {answers}, {read} read")
    say("  " + role_line("architect", cost_of_usage(done.usage)))
    if done.lessons.lessons:
        say(f"  lessons: {', '.join(visible(lesson.id) for lesson in done.lessons.lessons)}")
    if done.lessons.left_out:
        say(f"  lessons left out, for want of room: {', '.join(map(visible, done.lessons.left_out))}")
    for one in done.problems:
        say(f"  {visible(one.path)}:{one.line}: {one.code}: {visible(one.message)}")
    for one in done.waived:
        say(f"  waived: {visible(one.path)}:{one.line}: {one.code}: {visible(one.message)}")
    if saved:
        if unproved:
            say(f"  its criteria were not run: {unproved}")
        say(f"  next: read it, then split-ci check {saved} --prove, and `status: ready` in it")
    elif done.kept:
        say(visible(f"  the last answer is kept: {done.kept}"))
        say(f"  next: mend it and put it at {config.specs}/{done.id}.md, or say the goal more closely")


def as_json(done: Designed, saved: str | None, unproved: str) -> dict[str, Any]:
    """The design as `design --format json` prints it."""
    return {
        "id": done.id, "path": saved, "outcome": done.outcome.name, "reason": done.outcome.reason,
        "answers": done.answers, "read": list(done.read), "cost": cost_json(cost_of_usage(done.usage)),
        "problems": [one._asdict() for one in done.problems], "waived": [one._asdict() for one in done.waived],
        "lessons": [lesson.id for lesson in done.lessons.lessons], "left_out": list(done.lessons.left_out),
        "proved": bool(saved) and not unproved, "unproved": unproved, "kept": None if saved else done.kept,
    }  # fmt: skip
