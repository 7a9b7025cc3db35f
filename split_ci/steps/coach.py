"""Coach: a review's lesson becomes a small committed file; the same lesson again is counted, never doubled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci.coaching import ROLLING, default_branch, mark_coached, read_lessons, trusted_commit
from split_ci.errors import Refused, UsageError, WorldError
from split_ci.lesson import FOLDER, contradicted, lesson_faults, lesson_id, normalised, reinforced, render_lesson
from split_ci.lesson_commit import InTheWay, Onto, commit_files
from split_ci.lessons_pull import lessons_body, lessons_title, listed_ids
from split_ci.ports import Proposal
from split_ci.refs import BOT_ENV

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from split_ci.config import Config
    from split_ci.git import Repo
    from split_ci.lesson import Lesson
    from split_ci.ports import Forge, Pull
    from split_ci.verdict import Verdict

TRIES = 8


class Coached(NamedTuple):
    """What became of the lessons: ids that are new, ids that were taught again, and why others were refused."""

    branch: str  # where they lie
    commit: str | None  # None: nothing new was taught
    added: tuple[str, ...] = ()
    reinforced: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    contradicted: tuple[str, ...] = ()  # ids of those that a review says led astray: they count for less, or are gone


class Waiting(NamedTuple):
    """The lessons of the rolling branch that the default one hasn't got."""

    head: str
    lessons: tuple[Lesson, ...]


class _Plan(NamedTuple):
    files: Mapping[str, bytes | None]
    added: tuple[str, ...]
    reinforced: tuple[str, ...]
    contradicted: tuple[str, ...] = ()


class Doubt(NamedTuple):
    """A finding that a lesson led astray: what it says, and the review that says it."""

    said: str
    review: tuple[tuple[str, str], ...]

    def is_about(self, lesson: Lesson) -> bool:
        """Whether its message begins with the lesson's id."""
        rest = self.said.lstrip("[`").removeprefix(lesson.id)
        return rest != self.said.lstrip("[`") and not (rest[:1].isalnum() or rest[:1] == "-")


class Said(NamedTuple):
    """What reviews say of lessons: those that they teach, and doubts about others."""

    lessons: Sequence[Lesson]
    doubts: Sequence[Doubt]


def teach(forge: Forge, repo: Repo, config: Config, verdicts: Sequence[Verdict]) -> tuple[Coached, Pull | None]:
    """As `coach`, where the forge keeps its refs, with the rolling pull request. Raises Refused, WorldError.

    The mark that all of it was done comes last: a run that is cut off before it is gone on with.
    """
    pulls = {each.id: found.number for each in verdicts if each.lessons and (found := forge.pull(f"split-ci/{each.id}"))}
    rolling = forge.pull(ROLLING)

    def work(there: Repo) -> tuple[Coached, Waiting | None]:
        return coach(there, config, verdicts, pulls, rolling), waiting(there, config)

    try:
        done, left = forge.transact(repo, work)
    except Refused:
        _mark(forge, repo, verdicts)  # that is an answer: asked again, it is the same
        raise
    shown = _show(forge, done, left, rolling)
    _mark(forge, repo, verdicts)
    return shown


def _mark(forge: Forge, repo: Repo, verdicts: Sequence[Verdict]) -> None:
    forge.transact(repo, lambda there: mark_coached(there, verdicts))


def _show(forge: Forge, done: Coached, left: Waiting | None, rolling: Pull | None) -> tuple[Coached, Pull | None]:
    """The rolling pull request, where lessons wait and people haven't closed it with them."""
    if left is None or (rolling is not None and rolling.state != "open" and rolling.head == left.head):
        return done, None
    try:
        proposal = Proposal(ROLLING, left.head, lessons_title(left.lessons), lessons_body(left.lessons, left.head))
        return done, forge.ensure_pull(proposal)
    except Refused as refusal:
        return done._replace(refused=(*done.refused, f"no pull request: {refusal.message}")), None


def coach(
    repo: Repo,
    config: Config,
    verdicts: Sequence[Verdict],
    pulls: Mapping[str, int | None] = {},
    rolling: Pull | None = None,
) -> Coached:
    """Commits one lesson of each verdict to the branch for coaching. Raises WorldError after lost races.

    `pulls` are the numbers of the specs' pull requests; what people closed `rolling` with is not taught again.
    """
    lessons, refused = sound_lessons(verdicts, pulls)
    doubts = doubts_of(verdicts)
    branch = config.coaching.branch
    if branch == ROLLING and rolling is not None and _is_declined(rolling):
        no = listed_ids(rolling.body)
        refused = (*refused, *(f"{each.id}: people closed {rolling.url} with it" for each in lessons if each.id in no))
        lessons = [each for each in lessons if each.id not in no]
    if not lessons and not doubts:
        return Coached(branch, None, refused=refused)
    for name in dict.fromkeys((branch, ROLLING)):
        try:
            return _teach(repo, config, name, Said(lessons, doubts), rolling)._replace(refused=refused)
        except InTheWay:
            continue  # that branch is checked out with changes in the way: the rolling one takes the lesson
    raise WorldError(f"{ROLLING} is checked out with changes in the way", hint="git status")


def _is_declined(rolling: Pull) -> bool:
    return rolling.state == "closed" and rolling.own and not rolling.withdrawn


def waiting(repo: Repo, config: Config) -> Waiting | None:
    """What the rolling branch holds for people to merge; None where that is nothing."""
    head, default = repo.commit_or_none(f"refs/heads/{ROLLING}"), repo.commit_or_none(default_branch(repo))
    if head is None or default is None:
        return None
    with repo.objects() as objects:
        here, there = repo.tree(head, objects), repo.tree(default, objects)
        lessons, _ = read_lessons(here, config.specs)
        paths = {each.id: f"{config.specs}/{FOLDER}/{each.id}.md" for each in lessons}
        found = tuple(each for each in lessons if here.entry(paths[each.id]) != there.entry(paths[each.id]))
    return Waiting(head, found) if found else None


def sound_lessons(verdicts: Iterable[Verdict], pulls: Mapping[str, int | None] = {}) -> tuple[list[Lesson], tuple[str, ...]]:
    """The first lesson of each verdict, with an id made of its words, and why others are not taught."""
    sound: list[Lesson] = []
    refused: list[str] = []
    for verdict in verdicts:
        for lesson in verdict.lessons[:1]:
            faults = lesson_faults(lesson)
            if faults:
                refused.append(f"{verdict.id}: a lesson {faults[0][1]}")
                continue
            number = pulls.get(verdict.id)
            shown_at = (("pull", str(number)),) if number else ()
            named = lesson._replace(taught_by=(("spec", verdict.id), ("commit", verdict.head), *shown_at), taught=1)
            sound.append(named._replace(id=lesson_id(named)))
        refused += [f"{verdict.id}: one lesson a review" for _ in verdict.lessons[1:]]
    return sound, tuple(refused)


def doubts_of(verdicts: Iterable[Verdict]) -> tuple[Doubt, ...]:
    """The findings whose cause is a lesson."""
    return tuple(
        Doubt(finding.message, (("spec", verdict.id), ("commit", verdict.head)))
        for verdict in verdicts
        for finding in verdict.findings
        if finding.cause == "lesson"
    )


def _teach(repo: Repo, config: Config, branch: str, said: Said, rolling: Pull | None) -> Coached:
    ref = f"refs/heads/{branch}"
    for _ in range(TRIES):
        expected = repo.commit_or_none(ref)
        parent = _parent(repo, ref, expected, rolling if branch == ROLLING else None)
        plan = _plan(repo, config, parent, said)
        if not plan.files:
            return Coached(branch, None)
        commit = commit_files(repo, Onto(ref, parent, expected), plan.files, _message(plan))
        if commit:
            return Coached(branch, commit, plan.added, plan.reinforced, contradicted=plan.contradicted)
    raise WorldError(f"{ref} kept moving while a lesson was committed", again=True)


def _parent(repo: Repo, ref: str, tip: str | None, rolling: Pull | None) -> str:
    """What the next lesson builds upon: the branch, or the default one where that holds all of it already."""
    default = repo.commit_or_none(default_branch(repo)) or repo.commit_or_none("HEAD")
    if default is None:
        raise UsageError("there is no commit to put a lesson on", hint="git commit")
    if tip is None or ref == default_branch(repo):
        return tip or default
    if repo.ask("merge-base", "--is-ancestor", tip, default) is not None:
        return default
    if rolling is None or rolling.state == "open" or rolling.head != tip:
        return tip
    if rolling.state == "closed" and not _is_bots(repo, default, tip):
        raise Refused(
            f"{ROLLING} holds commits that are not the bot's, and {rolling.url} was closed: it is left alone",
            hint=f"delete the branch {ROLLING} at the forge, and start this again",
        )
    return default  # people have merged all of it (squashed, say), or closed it


def _is_bots(repo: Repo, default: str, tip: str) -> bool:
    out = repo.git("log", "--format=%ce", f"{default}..{tip}").decode(errors="replace")
    return {*out.split("\n")} <= {BOT_ENV["GIT_COMMITTER_EMAIL"], ""}


def _plan(repo: Repo, config: Config, parent: str, said: Said) -> _Plan:
    """The files to write on top of a commit, with what is taught elsewhere counted too."""
    with repo.objects() as objects:
        here, _ = read_lessons(repo.tree(parent, objects), config.specs)
        trusted = trusted_commit(repo, config)
        live, _ = read_lessons(repo.tree(trusted, objects), config.specs) if trusted else ((), ())
    known = {normalised(lesson): lesson for lesson in (*live, *here)}
    before = dict(known)
    added = []
    for lesson in said.lessons:
        key = normalised(lesson)
        if key in known:
            known[key] = reinforced(known[key], lesson)
        else:
            known[key] = lesson
            added.append(lesson.id)
    weaker: dict[str, Lesson | None] = {}
    for key, lesson in before.items():
        for doubt in said.doubts:
            if doubt.is_about(lesson) and known[key] == lesson:
                weaker[key] = contradicted(lesson, doubt.review)
    changed = {key: lesson for key, lesson in {**known, **weaker}.items() if before.get(key) != lesson}
    there = {lesson.id for lesson in here}
    files: dict[str, bytes | None] = {
        f"{config.specs}/{FOLDER}/{(each or before[key]).id}.md": render_lesson(each) if each else None
        for key, each in changed.items()
        if each or before[key].id in there
    }
    doubted = tuple(sorted(before[key].id for key in weaker if key in changed))
    again = sorted(each.id for each in changed.values() if each and each.id not in (*added, *doubted))
    return _Plan(files, tuple(added), tuple(again), doubted)


def _message(plan: _Plan) -> bytes:
    names = ", ".join((*plan.added, *plan.reinforced, *plan.contradicted))
    verb = "teach" if plan.added else "teach again" if plan.reinforced else "doubt"
    return f"{verb} {names}"[:200].encode() + b"\n"
