"""Lessons as people and programs read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from split_ci.coaching import ROLLING
from split_ci.lesson import as_value, render_block
from split_ci.plain import counted, visible
from split_ci.report.terminal import paint, say, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.lesson import Chosen, Lesson
    from split_ci.ports import Pull
    from split_ci.problems import Problem
    from split_ci.steps.coach import Coached
    from split_ci.steps.lessons import Listed, Measured, Tidied


WAITING = f"git merge {ROLLING}, once you have read it: until then no brief carries it"


def show_coached(done: Coached, pull: Pull | None, form: str) -> None:
    url = pull.url if pull else ""
    if form == "json":
        say_json({**done._asdict(), "pull": pull.number if pull else None, "url": url or None})
        return
    for each in done.added:
        say(f"taught {each}")
    for each in done.reinforced:
        say(f"taught again {each}")
    for each in done.contradicted:
        say(f"doubted {each}")
    for each in done.refused:
        say(paint(visible(f"refused {each}"), "red"))
    if done.commit:
        say(f"  {done.branch} {done.commit[:12]}{f', {visible(url)}' if url else ''}")
        if done.branch == ROLLING and not pull:
            say(f"  next: {WAITING}")
    elif not done.refused:
        say("nothing new to teach")


def show_list(found: Sequence[Listed], problems: Sequence[Problem], waiting: Sequence[str], form: str) -> None:
    if form == "json":
        lessons = [{**as_value(one.lesson), "carried": one.carried} for one in found]
        say_json({"lessons": lessons, "problems": [p._asdict() for p in problems], "waiting": list(waiting)})
        return
    for one in found:
        lesson = one.lesson
        counts = f"taught {lesson.taught}, carried {one.carried}"
        say(f"{paint(lesson.id, 'bold')}  for the {lesson.audience}, {scope(lesson)}; {counts}")
        say(f"  {visible(lesson.text)}")
    for problem in problems:
        say(paint(visible(f"{problem.path}:{problem.line}: {problem.code}: {problem.message}"), "red"))
    say(counted(len(found), "lesson"))
    if waiting:
        say(f"on {ROLLING} and not live: {', '.join(waiting)}\n  next: {WAITING}")


def scope(lesson: Lesson) -> str:
    """Where a lesson holds, in words."""
    where = ", ".join(lesson.paths) or "everywhere"
    return visible(f"{where} ({', '.join(lesson.implementers)})" if lesson.implementers else where)


def show_chosen(chosen: Chosen, form: str) -> None:
    if form == "json":
        say_json(
            {
                "lessons": [as_value(each) for each in chosen.lessons],
                "left_out": list(chosen.left_out),
                "text": render_block(chosen),
            }
        )
        return
    say(visible(render_block(chosen)).rstrip("\n") or "no lesson fits")
    if chosen.left_out:
        say(f"left out, for want of room: {', '.join(chosen.left_out)}")


def show_tidied(done: Tidied, form: str) -> None:
    if form == "json":
        say_json(
            {
                "lessons": [{"path": p, "why": w} for p, w in done.lessons],
                "attempts": list(done.attempts),
                "applied": done.applied,
            }
        )
        return
    for path, why in done.lessons:
        say(f"{path}: {why}")
    for ref in done.attempts:
        say(f"{ref}: of a spec that landed long ago")
    if not done.lessons and not done.attempts:
        say("nothing to tidy")
    else:
        say("taken away" if done.applied else "split-ci coach tidy --apply takes them away")


def show_measured(found: Sequence[Measured], form: str) -> None:
    if form == "json":
        say_json({"lessons": [_measured(one) for one in found]})
        return
    for one in found:
        with_it = share(one.with_passed, one.with_all)
        held = f", {share(one.held_passed, one.held_all)} where it was held out" if one.held_all else ""
        say(f"{one.id}: passed at once {with_it} with it, {share(one.without_passed, one.without_all)} without{held}")
    if not found:
        say("no lesson was carried yet")


def _measured(one: Measured) -> dict[str, Any]:
    return {
        "id": one.id,
        "with": {"passed": one.with_passed, "all": one.with_all},
        "without": {"passed": one.without_passed, "all": one.without_all},
        "held_out": {"passed": one.held_passed, "all": one.held_all},
    }


def share(passed: int, everything: int) -> str:
    """A rate with its sample: small ones are not worth a percentage."""
    if not everything:
        return "never tried"
    return f"{passed} of {everything}" + (f" ({100 * passed // everything} %)" if everything >= 20 else "")


def show_problems(good: Sequence[str], specs: str, problems: Sequence[Problem], form: str) -> None:
    """What `coach check` found, in the same form as `check`."""
    from split_ci.proof import Checked  # noqa: PLC0415
    from split_ci.report.problems import show  # noqa: PLC0415

    by_path: dict[str, list[Problem]] = {f"{specs}/coaching/{each}.md": [] for each in good}
    for problem in problems:
        by_path.setdefault(problem.path, []).append(problem)
    checked = [Checked(_stem(path), path, tuple(by_path[path])) for path in sorted(by_path)]
    if checked or form == "json":
        show(checked, form, "lesson")
    else:
        say("no lessons")


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".md")
