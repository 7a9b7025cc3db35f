"""The lessons as people look after them: what a brief would be given, what to retire, what each one changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci import ledger
from split_ci.branches import ATTEMPTS
from split_ci.coaching import ROLLING, load_lessons, read_lessons, trusted_commit
from split_ci.errors import WorldError
from split_ci.lesson import Chosen, choose, normalised
from split_ci.lesson_commit import InTheWay, Onto, commit_files
from split_ci.pending import landed
from split_ci.plain import counted
from split_ci.refs import RefUpdate, swap
from split_ci.spec import parse_spec, touched

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from split_ci.config import Config
    from split_ci.git import Repo
    from split_ci.ledger import Entry
    from split_ci.lesson import Lesson
    from split_ci.ports import Tree
    from split_ci.problems import Problem

DAYS = 30  # that an attempt of a landed spec is kept


class Listed(NamedTuple):
    lesson: Lesson
    carried: int  # by how many briefs, as the ledger knows


class Measured(NamedTuple):
    """First attempts of models, with a lesson in the brief and without: how many, and how many were approved at once.

    `held`: those without it whose brief it fitted and was held out of, by lot. They alone can be compared with.
    """

    id: str
    with_passed: int
    with_all: int
    without_passed: int
    without_all: int
    held_passed: int = 0
    held_all: int = 0


class Tidied(NamedTuple):
    """What is too much: lesson files (path, why) and attempts' refs; whether it was taken away."""

    lessons: tuple[tuple[str, str], ...]
    attempts: tuple[str, ...]
    applied: bool


def listed(repo: Repo, config: Config) -> tuple[list[Listed], tuple[Problem, ...]]:
    """Every live lesson, the most taught first, and the problems of files that are none."""
    library = load_lessons(repo, config)
    carried: dict[str, int] = {}
    for entry in ledger.read_all(repo):
        if entry.role == "implementer":
            for each in entry.lessons:
                carried[each] = carried.get(each, 0) + 1
    found = [Listed(lesson, carried.get(lesson.id, 0)) for lesson in library.lessons]
    return sorted(found, key=lambda one: (-one.lesson.taught, one.lesson.id)), library.problems


def waiting(repo: Repo, config: Config) -> list[str]:
    """The ids of lessons that no brief carries yet: people have still to merge the branch that they are on."""
    names = (f"refs/heads/{ROLLING}", f"refs/remotes/origin/{ROLLING}")
    tip = next((commit for commit in map(repo.commit_or_none, names) if commit), None)
    live = trusted_commit(repo, config)
    if tip is None or live is None or repo.ask("merge-base", "--is-ancestor", tip, live) is not None:
        return []
    with repo.objects() as objects:
        known, there = (
            {lesson.id for lesson in read_lessons(repo.tree(commit, objects), config.specs)[0]} for commit in (live, tip)
        )
    return sorted(there - known)


def for_brief(repo: Repo, config: Config, names: Sequence[str], audience: str, implementer: str) -> Chosen:
    """The lessons that a brief would be given, for specs by id and for paths."""
    commit = repo.commit_or_none("HEAD")
    paths: list[str] = []
    for name in names:
        paths += _paths_of(repo.tree(commit), config, name) if commit else [name]
    lessons = load_lessons(repo, config).lessons
    return choose(lessons, audience=audience, paths=paths, implementer=implementer, limit_bytes=config.coaching.bytes)


def _paths_of(tree: Tree, config: Config, name: str) -> list[str]:
    stem = name.removeprefix(f"{config.specs}/").removesuffix(".md")
    file = tree.read(f"{config.specs}/{stem}.md") if "/" not in stem else None
    spec = parse_spec(file.data, f"{config.specs}/{stem}.md").spec if file else None
    return [path for change in spec.changes for path in touched(change)] if spec else [name]


def measure(repo: Repo, config: Config) -> list[Measured]:
    """What each lesson changed, from the ledger: first attempts of models with it and without it."""
    entries = ledger.read_all(repo)
    approved = {e.commit for e in entries if e.role == "architect" and e.decision == "approve"}
    firsts = [e for e in entries if e.role == "implementer" and e.round == 1 and e.usage.calls > 0 and not e.world]
    ids = sorted(
        {lesson.id for lesson in load_lessons(repo, config).lessons}
        | {each for e in firsts for each in (*e.lessons, *e.held)}
    )
    return [_measured(each, firsts, approved) for each in ids]


def _measured(lesson_id: str, firsts: Iterable[Entry], approved: set[str | None]) -> Measured:
    with_it, without, held = [0, 0], [0, 0], [0, 0]
    for entry in firsts:
        counts = [with_it] if lesson_id in entry.lessons else [without, held] if lesson_id in entry.held else [without]
        for count in counts:
            count[0] += entry.commit is not None and entry.commit in approved
            count[1] += 1
    return Measured(lesson_id, *with_it, *without, *held)


def tidy(repo: Repo, config: Config, *, apply: bool = False, days: int = DAYS) -> Tidied:
    """Lessons that say the same, and attempts of specs that landed long ago. Only `apply` takes them away, by a commit."""
    ref, doubles = _doubles(repo, config)
    attempts = _old_attempts(repo, config, days)
    if apply and doubles:
        tip = repo.commit(ref)
        message = f"retire {counted(len(doubles), 'lesson')} that say the same\n".encode()
        try:
            done = commit_files(repo, Onto(ref, tip, tip), {path: None for path, _ in doubles}, message)
        except InTheWay:
            raise WorldError(f"{ref} is checked out with changes in the way", hint="git status") from None
        if done is None:
            raise WorldError(f"{ref} moved meanwhile", again=True)
    if apply and attempts:
        refs = repo.refs(ATTEMPTS)
        lost = swap(
            repo, [RefUpdate(each, None, refs[each]) for each in attempts if each in refs], why="split-ci coach tidy"
        )
        if lost:
            raise WorldError(f"{lost[0].ref} moved meanwhile", again=True)
    return Tidied(tuple(doubles), tuple(attempts), apply)


def _doubles(repo: Repo, config: Config) -> tuple[str, list[tuple[str, str]]]:
    """The branch of lessons, and the files on it that say what a lesson taught more often says."""
    branch = config.coaching.branch
    ref = f"refs/heads/{branch if repo.commit_or_none(f'refs/heads/{branch}') else ROLLING}"
    commit = repo.commit_or_none(ref) or trusted_commit(repo, config)
    if commit is None:
        return ref, []
    tree = repo.tree(commit)
    found: list[tuple[str, str]] = []
    best: dict[str, str] = {}
    lessons, _ = read_lessons(tree, config.specs, doubles=True)
    for lesson in sorted(lessons, key=lambda each: (-each.taught, each.id)):
        first = best.setdefault(normalised(lesson), lesson.id)
        if first != lesson.id:
            found.append((f"{config.specs}/coaching/{lesson.id}.md", f"says the same as {first}"))
    return ref, found


def _old_attempts(repo: Repo, config: Config, days: int) -> list[str]:
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    commit = trusted_commit(repo, config)
    if commit is None:
        return []
    done = landed(repo.tree(commit), config.specs)
    limit = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    old = {(e.id, e.commit) for e in ledger.read_all(repo) if e.at <= limit and e.id in done}
    heads = set(repo.refs("refs/heads/split-ci/").values())
    kept = repo.refs(ATTEMPTS)
    return [ref for ref, oid in kept.items() if (ref.split("/")[3], oid) in old and oid not in heads]
