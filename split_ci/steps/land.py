"""Land: approved results are merged into the branch that is checked out, in the order of their needs.

The merges are made in a quarantine; then the work tree is moved forward to them by `git merge --ff-only`, which never
overwrites a local change. It stops at the first conflict; what was merged before it stays merged.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

from split_ci import branches, starting
from split_ci.errors import UsageError
from split_ci.forward import IN_THE_WAY, MOVED_ON, forget, move_forward
from split_ci.merge import commit_tree, merge_trees, without
from split_ci.ports import Outcome
from split_ci.spec import parse_spec
from split_ci.store import Quarantine
from split_ci.stream import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from split_ci.branches import Branch
    from split_ci.git import Objects, Repo
    from split_ci.spec import Spec
    from split_ci.verdict import Verdict

UNDER_WAY = {
    "MERGE_HEAD": "a merge", "CHERRY_PICK_HEAD": "a cherry-pick", "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase", "rebase-apply": "a rebase", "sequencer": "a cherry-pick or revert",
}  # fmt: skip
TRIES = 3  # somebody else may move the branch, such as the git of a landing that was killed
OWN_FILTERS = {"GIT_LFS_SKIP_SMUDGE": "0"}  # the user's run, as in any checkout of theirs
OWN_WORDS = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL")


class Landed(NamedTuple):
    """What became of one result: `done` (with the merge commit), `unchanged`, `refused` (not approved) or `blocked`.

    `next` is what to type where it stopped. `left` is the spec's file where it was never committed, and still lies among the
    pending ones.
    """

    id: str
    outcome: Outcome
    commit: str | None = None
    next: str = ""
    left: str | None = None


class _Merge(NamedTuple):
    id: str
    commit: str


def land(repo: Repo, ids: Sequence[str], *, specs: str, review_of: Callable[[Repo, str], Verdict | None]) -> list[Landed]:
    """Merges the named results, or every approved one where none is named; `specs` is the specs' folder.

    Raises UsageError where nothing can be merged here, or where a name is no result.
    """
    told: list[Landed] = []
    done: dict[str, Landed] = {}
    for _ in range(TRIES):
        told = _land(repo, ids, specs=specs, review_of=review_of)
        done.update({one.id: one for one in told if one.outcome.name == "done"})
        if all(one.outcome.reason != MOVED_ON for one in told):
            break
    forget(repo)
    return [_with_left(repo, done.get(one.id, one), specs) for one in told]


def _with_left(repo: Repo, landed: Landed, specs: str) -> Landed:
    pending, copy = (os.path.join(repo.root, specs, folder, f"{landed.id}.md") for folder in ("", "landed"))
    same = (
        landed.outcome.name == "done"
        and os.path.isfile(pending)
        and os.path.isfile(copy)
        and filecmp.cmp(pending, copy, shallow=False)
    )
    return landed._replace(left=f"{specs}/{landed.id}.md") if same else landed


def _land(repo: Repo, ids: Sequence[str], *, specs: str, review_of: Callable[[Repo, str], Verdict | None]) -> list[Landed]:
    head = _head(repo)
    with Quarantine(repo) as quarantine:
        objects = quarantine.objects()
        known = branches.read(repo, objects).by_id
        view = _View(repo, objects, head, specs)
        told, approved = [], {}
        for id_ in dict.fromkeys(ids or sorted(known)):
            outcome = (
                view.landed(id_, known.get(id_))
                or _unapproved(repo, known.get(id_), id_, review_of)
                or view.outdated(known[id_], known)
            )
            if outcome:
                told.append(Landed(id_, outcome))
            else:
                approved[id_] = known[id_]
        merges, stopped = _merge_all(quarantine, view, approved)
        quarantine.admit([])
    moved = _move_forward(repo, merges)
    return [*told, *moved, *(stopped if all(one.outcome.name == "done" for one in moved) else [])]


def _head(repo: Repo) -> str:
    """The commit of the branch that is checked out. Raises UsageError where no branch can be moved forward."""
    if repo.bare:
        raise UsageError(f"{repo.root} is a bare repository: landing needs a work tree", hint="git worktree add")
    for name, what in UNDER_WAY.items():
        if os.path.exists(os.path.join(repo.git_dir, name)):
            raise UsageError(f"{what} is under way in this work tree", hint="finish or abort it; see git status")
    if repo.ask("symbolic-ref", "--quiet", "HEAD") is None:
        raise UsageError("HEAD is detached: no branch is checked out", hint="git switch main")
    head = repo.commit_or_none("HEAD")
    if head is None:
        raise UsageError("the branch that is checked out has no commit yet", hint="git commit")
    return head


def _unapproved(
    repo: Repo, branch: Branch | None, id_: str, review_of: Callable[[Repo, str], Verdict | None]
) -> Outcome | None:
    if branch is None:
        raise UsageError(f"there is no branch split-ci/{id_}", hint="split-ci status")
    verdict = review_of(repo, branch.head)
    if verdict is None:
        return Outcome("refused", f"split-ci/{id_} has no review of {branch.head[:12]}: not approved")
    if verdict.decision != "approve" or verdict.id != id_:
        said = f"split-ci/{id_} is not approved: the review by {verdict.by} says {verdict.decision}"
        read = f"git show --notes='split-ci*' split-ci/{id_}"
        by_hand = f": read it ({read}), and where it is right: git merge split-ci/{id_}"
        return Outcome("refused", said + (by_hand if verdict.decision == "incomplete" else ""))
    return None


class _View:
    """What the branch that is checked out holds, and what results say of themselves."""

    def __init__(self, repo: Repo, objects: Objects, head: str, specs: str) -> None:
        self.repo = repo
        self.head = head
        self._objects = objects
        self._specs = specs
        self._tree = repo.tree(head, objects)

    def spec(self, branch: Branch) -> Spec | None:
        """The spec as a result carries it."""
        file = self.repo.tree(branch.head, self._objects).read(f"{self._specs}/landed/{branch.id}.md")
        return parse_spec(file.data, self.path(branch.id)).spec if file else None

    def holds(self, id_: str, digest: str | None = None) -> bool:
        """Whether the spec, in this text or any, lies among the landed ones."""
        file = self._tree.read(f"{self._specs}/landed/{id_}.md")
        return file is not None and digest in (None, hashlib.sha256(file.data).hexdigest())

    def landed(self, id_: str, branch: Branch | None) -> Outcome | None:
        if branch is None:
            return (
                Outcome("unchanged", f"{self._specs}/landed/{id_}.md is there: landed already") if self.holds(id_) else None
            )
        if self._within(branch.head, self.head):
            if self.pending(branch) and not self.holds(id_):
                again = f"split-ci drop {id_}, then split-ci run {id_}"
                return Outcome("refused", f"split-ci/{id_} was merged, and that was undone since: {again}")
            return Outcome("unchanged", f"split-ci/{id_} is merged already")
        if branch.digest and not branch.foreign and self.holds(id_, branch.digest):
            return Outcome("unchanged", f"{self._specs}/landed/{id_}.md is there in the same text: landed already")
        return None

    def pending(self, branch: Branch) -> bool:
        """Whether the text that a result was made of is still pending: nobody had committed it where the result began."""
        return branch.digest is not None and self._pending(branch.id) == branch.digest

    def path(self, id_: str) -> str:
        return f"{self._specs}/{id_}.md"

    def outdated(self, branch: Branch, known: Mapping[str, Branch]) -> Outcome | None:
        """Why a result is not of what the spec says now, or not built on what its needs have become."""
        path = self.path(branch.id)
        now = self._pending(branch.id)
        if now and now != branch.digest and now != self._pending(branch.id, branch.base):
            return Outcome("refused", f"{path} has changed since {branch.name} was made: split-ci run {branch.id}")
        for need in _needs(self.spec(branch)):
            theirs = None if self.holds(need) else known.get(need)
            stacked = theirs and starting.landed_text(self.repo, branch.head, need, self._specs)
            if (theirs and stacked and not self._within(theirs.head, branch.head)) or starting.landed_otherwise(
                self.repo, need, self.head, branch.head, self._specs
            ):
                said = f"{need} has changed since {branch.name} was built on it"
                return Outcome("refused", f"{said}: split-ci run {branch.id}")
        return None

    def _within(self, commit: str, head: str) -> bool:
        return self.repo.ask("merge-base", "--is-ancestor", commit, head) is not None

    def _pending(self, id_: str, commit: str | None = "") -> str | None:
        """The digest of the text of a spec that is pending: on the branch that is checked out, or at a commit."""
        known = self.repo.commit_or_none(commit) if commit else None
        if commit != "" and known is None:
            return None
        tree = self.repo.tree(known, self._objects) if known else self._tree
        file = tree.read(self.path(id_))
        return hashlib.sha256(file.data).hexdigest() if file else None


def _merge_all(quarantine: Quarantine, view: _View, approved: Mapping[str, Branch]) -> tuple[list[_Merge], list[Landed]]:
    """Merge commits in the order of needs, in the quarantine, and where it stopped. Nothing comes after a conflict."""
    people = _people(view.repo) if approved else {}
    merges: list[_Merge] = []
    tip, left = view.head, dict(approved)
    specs = {id_: view.spec(branch) for id_, branch in approved.items()}
    while left:
        ready = [id_ for id_ in left if not any(need in left for need in _needs(specs[id_]))]
        if not ready:
            return merges, [Landed(id_, Outcome("refused", "its needs go in a circle")) for id_ in left]
        id_ = ready[0]
        branch, spec = left.pop(id_), specs[id_]
        done = {merge.id for merge in merges}
        missing = [need for need in _needs(spec) if need not in done and not view.holds(need)]
        if missing:
            return merges, [Landed(id_, Outcome("refused", f"it needs {', '.join(missing)}, which has not landed"))]
        merged = merge_trees(quarantine, tip, branch.head)
        if merged.tree is None:
            outcome = Outcome("blocked", f"conflict in {', '.join(merged.conflicts)}")
            by_hand = f"git merge split-ci/{id_}, and solve it; or split-ci drop {id_}, and a new spec"
            return merges, [Landed(id_, outcome, next=by_hand)]
        over = view.repo.tree(merged.tree, quarantine.objects()).entry(view.path(id_)) and view.pending(branch)
        tree = without(quarantine, merged.tree, view.path(id_)) if over else merged.tree
        title = f": {one_line(spec.title)}" if spec else ""
        tip = commit_tree(quarantine, tree, (tip, branch.head), f"Merge split-ci/{id_}{title}\n", people)
        merges.append(_Merge(id_, tip))
    return merges, []


def _needs(spec: Spec | None) -> Sequence[str]:
    return spec.needs if spec else ()


def _people(repo: Repo) -> dict[str, str]:
    """The user as author and committer. Raises UsageError where git doesn't know who that is."""
    own = {key: os.environ[key] for key in OWN_WORDS if key in os.environ}
    people: dict[str, str] = {}
    for role in ("AUTHOR", "COMMITTER"):
        ident = repo.ask("var", f"GIT_{role}_IDENT", env=own)
        if ident is None:
            raise UsageError("git doesn't know your name", hint="git config user.name NAME; git config user.email MAIL")
        person, seconds, zone = ident.rsplit(" ", 2)
        name, _, mail = person.rpartition(" <")
        people |= {
            f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": mail.rstrip(">"), f"GIT_{role}_DATE": f"@{seconds} {zone}",
        }  # fmt: skip
    return people


def _move_forward(repo: Repo, merges: Sequence[_Merge]) -> list[Landed]:
    """Moves the work tree to the last merge; where local changes are in the way, as far as they let it."""
    if not merges:
        return []
    if move_forward(repo, merges[-1].commit, OWN_FILTERS) is None:
        return [Landed(merge.id, Outcome("done"), merge.commit) for merge in merges]
    told: list[Landed] = []
    for merge in merges:
        fault = move_forward(repo, merge.commit, OWN_FILTERS)
        if fault:
            aside = "git stash, or git commit; then split-ci land" if fault.startswith(IN_THE_WAY) else ""
            return [*told, Landed(merge.id, Outcome("blocked", fault), next=aside)]
        told.append(Landed(merge.id, Outcome("done"), merge.commit))
    return told
