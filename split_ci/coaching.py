"""The live lessons: read from the tip of the trusted branch, out of git's objects, never from a work tree or a result."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from split_ci.branches import COACHED
from split_ci.errors import Refused, WorldError
from split_ci.lesson import FOLDER, MAX_BYTES, Lesson, duplicate_problems
from split_ci.lesson_file import parse_lesson
from split_ci.ports import Entry, File
from split_ci.problems import Problem, problem
from split_ci.refs import RefUpdate, swap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from split_ci.config import Config
    from split_ci.git import Repo
    from split_ci.ports import Tree
    from split_ci.verdict import Verdict

ROLLING = (
    "split-ci/coaching"  # collects lessons for people to merge; a branch that the configuration names instead is trusted
)
OTHERS = ("README.md",)  # in the folder, and no lesson
MAX_LESSONS = 5_000


class Library(NamedTuple):
    """The lessons of one commit (None: there is no commit yet), and what is wrong with the files that are none."""

    lessons: tuple[Lesson, ...]
    commit: str | None
    problems: tuple[Problem, ...]


def default_branch(repo: Repo) -> str:
    """The full name of the default branch: the remote's where it is known, else what is usual or checked out."""
    remote = repo.ask("symbolic-ref", "--quiet", "refs/remotes/origin/HEAD")
    if remote:
        return "refs/heads/" + remote.removeprefix("refs/remotes/origin/")
    configured = repo.ask("config", "init.defaultBranch")
    usual = [f"refs/heads/{name}" for name in (configured, "main", "master") if name]
    known = repo.refs(*usual)
    current = repo.ask("symbolic-ref", "--quiet", "HEAD") or ""
    if repo.bare and current in repo.refs(current):
        return current
    return next((name for name in usual if name in known), current or "HEAD")


def trunk_of(repo: Repo) -> str:
    """The head of the default branch, here or as the remote has it. Raises Refused where there is none."""
    ref = default_branch(repo)
    names = (ref, ref.replace("refs/heads/", "refs/remotes/origin/", 1))
    found = next((commit for commit in map(repo.commit_or_none, names) if commit), None)
    if found is None:
        raise Refused(f"{ref}: rule base: there is no such branch here", hint="git fetch origin")
    return found


def trusted_ref(repo: Repo, config: Config) -> str:
    """Where live lessons are read from: the default branch, or the branch that the configuration names for coaching."""
    if config.coaching.branch != ROLLING:
        name = f"refs/heads/{config.coaching.branch}"
        if repo.commit_or_none(name) or repo.commit_or_none(_of_remote(name)):
            return name
    return default_branch(repo)


def _of_remote(ref: str) -> str:
    return ref.replace("refs/heads/", "refs/remotes/origin/", 1)


def trusted_commit(repo: Repo, config: Config) -> str | None:
    """The tip of the trusted branch, here or as the remote has it; HEAD where there is neither."""
    ref = trusted_ref(repo, config)
    found = (repo.commit_or_none(name) for name in (ref, _of_remote(ref), "HEAD"))
    return next((commit for commit in found if commit), None)


def load_lessons(repo: Repo, config: Config) -> Library:
    """Every lesson that holds, at the trusted commit. One that doesn't is a problem, and is never shown to a model."""
    return _library(repo, config, trusted_commit(repo, config))


def _library(repo: Repo, config: Config, commit: str | None) -> Library:
    if commit is None:
        return Library((), None, ())
    with repo.objects() as objects:
        lessons, problems = read_lessons(repo.tree(commit, objects), config.specs)
    return Library(lessons, commit, problems)


class Live:
    """The live lessons of one run, which asks for them at every brief: read again only where the trusted branch moved."""

    def __init__(self, repo: Repo, config: Config) -> None:
        self._repo = repo
        self._config = config
        default = default_branch(repo)
        named = f"refs/heads/{config.coaching.branch}"
        refs = (default,) if config.coaching.branch == ROLLING else (named, default)
        self._names = tuple(name for ref in refs for name in (ref, _of_remote(ref)))
        self._library: Library | None = None

    def load(self) -> Library:
        """As `load_lessons`."""
        known = self._repo.refs(*self._names)
        commit = next((known[name] for name in self._names if name in known), None)
        commit = commit or self._repo.commit_or_none("HEAD")
        if self._library is None or self._library.commit != commit:
            self._library = _library(self._repo, self._config, commit)
        return self._library


def read_lessons(
    tree: Tree, specs: str = "specs", *, doubles: bool = False
) -> tuple[tuple[Lesson, ...], tuple[Problem, ...]]:
    """The lessons of a tree by id, and the problems of all files in the folder. `doubles` keeps those that say the same."""
    good: list[tuple[str, Lesson]] = []
    problems: list[Problem] = []
    for path, lesson, found in _files(tree, f"{specs}/{FOLDER}"):
        problems += found
        if lesson:
            good.append((path, lesson))
    same = duplicate_problems(good)
    twice = set() if doubles else {each.path for each in same}
    return tuple(lesson for path, lesson in good if path not in twice), (*problems, *same)


def _files(tree: Tree, folder: str) -> Iterator[tuple[str, Lesson | None, tuple[Problem, ...]]]:
    names = sorted(name for name in tree.names(folder) if name not in OTHERS and not name.startswith("."))
    for name in names[:MAX_LESSONS]:
        path = f"{folder}/{name}"
        entry = tree.entry(path)
        file = tree.read(path) if entry and entry.mode in ("100644", "100755") else None
        if file is None:
            why = "not a plain file directly in the folder of lessons"
            yield path, None, (problem("SP701", path, 1, why, f"lessons are files {folder}/<id>.md"),)
        else:
            yield path, *parse_lesson(file.data, path)
    if len(names) > MAX_LESSONS:
        yield folder, None, (problem("SP702", folder, 1, f"more than {MAX_LESSONS} lessons", "split-ci coach tidy"),)


def checked_out_at(repo: Repo, ref: str) -> str | None:
    """The work tree in which a branch is checked out; one whose folder is gone doesn't count."""
    place = None
    for field in repo.git("worktree", "list", "--porcelain", "-z").decode("utf-8", "surrogateescape").split("\0"):
        if field.startswith("worktree "):
            place = field.removeprefix("worktree ")
        elif field == f"branch {ref}" and place and os.path.isdir(place):
            return place
    return None


class FolderTree:
    """The lessons' files as they lie in the work tree, for `coach check` by hand. A `ports.Tree`, without links followed."""

    def __init__(self, root: str) -> None:
        self._root = root

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(os.listdir(os.path.join(self._root, folder)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def entry(self, path: str) -> Entry | None:
        try:
            mode = os.lstat(os.path.join(self._root, path)).st_mode
        except OSError:
            return None
        return Entry("100644" if stat.S_ISREG(mode) else "040000" if stat.S_ISDIR(mode) else "120000", "")

    def read(self, path: str) -> File | None:
        entry = self.entry(path)
        if entry is None or entry.mode != "100644":
            return None
        with open(os.path.join(self._root, path), "rb") as file:
            return File(file.read(MAX_BYTES + 1))

    def paths(self) -> Mapping[str, Entry]:
        raise NotImplementedError


def is_coached(repo: Repo, verdict: Verdict) -> bool:
    """Whether `coach` has seen to a review: it teaches nothing, or its result is marked."""
    return not _teaches(verdict) or repo.commit_or_none(f"{COACHED}{verdict.id}") == verdict.head


def mark_coached(repo: Repo, verdicts: Iterable[Verdict]) -> None:
    """Marks the results whose reviews teach something. Raises WorldError where another process was quicker."""
    updates = []
    for verdict in verdicts:
        ref = f"{COACHED}{verdict.id}"
        was = repo.commit_or_none(ref)
        if _teaches(verdict) and was != verdict.head and repo.commit_or_none(verdict.head):
            updates.append(RefUpdate(ref, verdict.head, was))
    lost = swap(repo, updates, why="split-ci: coach")
    if lost:
        raise WorldError(f"{lost[0].ref} moved while it was written", again=True)


def _teaches(verdict: Verdict) -> bool:
    return bool(verdict.lessons) or any(finding.cause == "lesson" for finding in verdict.findings)
