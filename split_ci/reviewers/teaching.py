"""The lessons that code can teach by itself: where a finding is a fault that comes again, in general words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.lesson import Lesson, lesson_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from split_ci.lesson import Audience
    from split_ci.ports import Case
    from split_ci.verdict import Finding

TEXTS: dict[tuple[str, str], str] = {
    ("SP415", "spec"): (
        "When a spec removes or moves a file, sweep every reference to it in the same spec: imports, paths in scripts and "
        "configuration, links. A review found lines that still named a file which was gone."
    ),
    ("SP415", "implementer"): (
        "When you remove or move a file, change every line that names it in the same answer: imports, paths, links. "
        "A review found lines that still named a file which was gone."
    ),
    ("scope", "implementer"): (
        "Change only the files that the task names. A review found a change to a file that the task did not name."
    ),
    ("frozen", "implementer"): (
        "Leave alone what the task's exact sections wrote and what its criteria name; make the other files fit them. "
        "A review found such a file changed."
    ),
    ("tests", "implementer"): (
        "Keep every existing test running as it was, unless the task names it. "
        "A review found one that was gone or had no effect."
    ),
    ("SP413", "implementer"): (
        "Write plain visible characters only: no zero-width, no-break or direction marks. A review found one in an answer."
    ),
}


def lesson_of(findings: Sequence[Finding], case: Case) -> Lesson | None:
    """The one lesson of a review: the first finding's that has one, else the promoted lesson that was broken again."""
    taught_by = (("spec", case.spec.id), ("commit", case.head))
    for finding in findings:
        text = TEXTS.get((finding.rule, finding.cause))
        if text:
            audience: Audience = "architect" if finding.cause == "spec" else "implementer"
            lesson = Lesson("", audience, text, taught_by=taught_by)
            return lesson._replace(id=lesson_id(lesson))
    broken = {lesson.id: lesson for lesson in case.lessons}
    again = next((broken[f.rule] for f in findings if f.rule in broken), None)
    return again._replace(taught_by=taught_by, taught=1) if again else None
