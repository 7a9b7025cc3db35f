"""Review: cases built from git objects alone, shown to the reviewers in turn. Nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci.changeset import Changed
from split_ci.edit import apply_exact
from split_ci.errors import WorldError
from split_ci.git import FOLDER, GITLINK
from split_ci.ports import Case, Entry, File, Usage
from split_ci.references import mentions
from split_ci.spec import Instruct, touched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from split_ci.changeset import By
    from split_ci.git import Objects, Repo
    from split_ci.lesson import Lesson
    from split_ci.ports import Reviewer, Tree
    from split_ci.references import Lines
    from split_ci.results import Results
    from split_ci.spec import Spec
    from split_ci.verdict import Verdict

NO_MODE = "000000"


class Subject(NamedTuple):
    """One result to review: the commit `head`, made for `spec` on `base`."""

    spec: Spec
    base: str
    head: str
    results: Results | None = None
    earlier: Verdict | None = None
    round: int = 1
    spent: Usage = Usage()  # by the architect on earlier rounds


def review_all(
    repo: Repo,
    subjects: Sequence[Subject],
    reviewers: Sequence[Reviewer],
    *,
    lessons: Sequence[Lesson] = (),
    git_dir: str | None = None,
) -> list[Verdict]:
    """A verdict for each subject, in order. `git_dir` may be a quarantine's. Raises WorldError.

    The reviewers are asked in turn: who asks for changes ends it, and the last one that was asked has decided.
    """
    with repo.objects(git_dir=git_dir) as objects:
        return [review(case, reviewers) for case in cases(repo, subjects, objects, lessons=lessons, git_dir=git_dir)]


def review(case: Case, reviewers: Sequence[Reviewer]) -> Verdict:
    """The verdict on one case."""
    verdict = reviewers[0].review(case)
    for reviewer in reviewers[1:]:
        if verdict.decision == "request_changes":
            return verdict
        first, verdict = verdict, reviewer.review(case)
        verdict = _joined(first, verdict)
    return verdict


def _joined(first: Verdict, second: Verdict) -> Verdict:
    """What the earlier reviewer saw goes along: usage adds up, what is meant is said, what it couldn't see stays unseen."""
    waived = tuple(dict.fromkeys((*first.waived, *second.waived)))
    return second._replace(usage=first.usage + second.usage, waived=waived)


def cases(
    repo: Repo, subjects: Sequence[Subject], objects: Objects, *, lessons: Sequence[Lesson] = (), git_dir: str | None = None
) -> list[Case]:
    """The cases of all subjects, from one `diff-tree`, one reader of objects, and one `grep` for each base with removals."""
    differences = _differences(repo, subjects, git_dir)
    bases: dict[str, Tree] = {}
    for subject in subjects:
        if subject.base not in bases:
            bases[subject.base] = repo.tree(subject.base, objects)
    found = [
        _case(subject, bases[subject.base], changes, objects, tuple(lessons))
        for subject, changes in zip(subjects, differences, strict=True)
    ]
    lines = _mentions(repo, found, git_dir)
    return [case._replace(mentions=lines.get(case.base)) if _gone(case) else case for case in found]


class Difference(NamedTuple):
    """One path that differs: git's entries on both sides, None where it is not there."""

    path: str
    was: Entry | None
    now: Entry | None


def _differences(repo: Repo, subjects: Sequence[Subject], git_dir: str | None) -> list[list[Difference]]:
    asked = "".join(f"{subject.head} {subject.base}\n" for subject in subjects).encode()
    out = repo.git(
        "diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames", "--always", "--no-abbrev", input=asked, git_dir=git_dir
    )
    found: list[list[Difference]] = []
    records = iter(out.split(b"\0")[:-1])
    for record in records:
        if record.startswith(b":"):
            found[-1].append(_difference(record, next(records)))
        else:
            found.append([])
    if len(found) != len(subjects):
        raise WorldError("git diff-tree did not answer for every result", hint="git fsck")
    return found


def _difference(record: bytes, path: bytes) -> Difference:
    old_mode, new_mode, old, new, _ = record[1:].decode().split(" ")
    was = None if old_mode == NO_MODE else Entry(old_mode, old)
    now = None if new_mode == NO_MODE else Entry(new_mode, new)
    return Difference(path.decode("utf-8", "surrogateescape"), was, now)


class ResultTree:
    """A result as its base and what differs: nothing of the result is listed again. A `ports.Tree`."""

    def __init__(self, before: Tree, differences: Iterable[Difference], objects: Objects) -> None:
        self._before = before
        self._changes = {each.path: each.now for each in differences}
        self._objects = objects
        self._folders: dict[str, set[str]] = {}  # that hold something new
        self._shrunk: set[str] = set()  # that have lost something
        for changed, now in self._changes.items():
            path = changed
            while path:
                folder, _, name = path.rpartition("/")
                if now is None:
                    self._shrunk.add(folder)
                else:
                    self._folders.setdefault(folder, set()).add(name)
                path = folder

    def entry(self, path: str) -> Entry | None:
        if path in self._changes:
            return self._changes[path] or self._folder_entry(path)
        if path in self._folders or path in self._shrunk:
            return self._folder_entry(path)
        return self._before.entry(path)

    def _folder_entry(self, folder: str) -> Entry | None:
        return Entry(FOLDER, "") if self.names(folder) else None

    def names(self, folder: str) -> list[str]:
        new = self._folders.get(folder, set())
        start = f"{folder}/" if folder else ""
        kept = [name for name in self._before.names(folder) if name not in new and self._still(start + name)]
        return sorted([*kept, *new])

    def _still(self, path: str) -> bool:
        return self.entry(path) is not None

    def read(self, path: str) -> File | None:
        entry = self.entry(path)
        if entry is None or entry.mode in (FOLDER, GITLINK):
            return None
        return File(self._objects.blob(entry.oid), entry.mode)

    def paths(self) -> Mapping[str, Entry]:
        found = dict(self._before.paths())
        for path, now in self._changes.items():
            if now is None:
                found.pop(path, None)
            else:
                found[path] = now
        return found


def _case(
    subject: Subject, before: Tree, differences: Sequence[Difference], objects: Objects, lessons: tuple[Lesson, ...]
) -> Case:
    spec = subject.spec
    after = ResultTree(before, differences, objects)
    home = landed_path(spec)
    exact = apply_exact(spec.changes, before, spec.path).files
    changed = tuple(
        _changed(each, after, exact, spec) for each in differences if each.path not in (spec.path, home)
    )  # fmt: skip
    return Case(
        spec=spec,
        base=subject.base,
        head=subject.head,
        before=before,
        after=after,
        changed=changed,
        results=subject.results,
        lessons=lessons,
        earlier=subject.earlier,
        spent=subject.spent,
        round=subject.round,
        tree=_tree_of(subject.head, objects),
    )


def landed_path(spec: Spec) -> str:
    """Where a result keeps its spec."""
    return f"{spec.path.rpartition('/')[0]}/landed/{spec.id}.md".lstrip("/")


def _tree_of(head: str, objects: Objects) -> str:
    found = objects.read(head)
    if found is None or found[1] != "commit":
        raise WorldError(f"commit {head} is missing from the repository", hint="git fetch")
    return found[2].split(b"\n", 1)[0].removeprefix(b"tree ").decode()


def _changed(each: Difference, after: Tree, exact: Mapping[str, File | None], spec: Spec) -> Changed:
    file = after.read(each.path) if each.now is not None else None
    return Changed(each.path, file, each.was.oid if each.was else None, _by(each, file, exact, spec))


def _by(each: Difference, file: File | None, exact: Mapping[str, File | None], spec: Spec) -> By:
    """Who made a path what it is, computed: `exact` where the exact sections give these very bytes and this mode."""
    if each.path in exact and exact[each.path] == file and (file is not None or each.now is None):
        return "exact"
    sections = (change for change in spec.changes if not isinstance(change, Instruct))
    return "adapted" if any(each.path in touched(change) for change in sections) else "model"


def _gone(case: Case) -> set[str]:
    return {change.path for change in case.changed if change.file is None and case.after.entry(change.path) is None}


def _mentions(repo: Repo, found: Sequence[Case], git_dir: str | None) -> dict[str, dict[str, Lines]]:
    gone: dict[str, set[str]] = {}
    for case in found:
        removed = _gone(case)
        if removed:
            gone.setdefault(case.base, set()).update(removed)
    return {base: mentions(repo, base, removed, git_dir=git_dir) for base, removed in gone.items()}
