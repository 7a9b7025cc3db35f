"""Where a spec's dispatch starts: its base, and what an earlier run has left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci import branches, ledger
from split_ci.git import run_git
from split_ci.notes import review_before, review_of
from split_ci.ports import Outcome, Usage
from split_ci.refs import BOT_ENV

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.branches import Branch
    from split_ci.git import Objects, Repo
    from split_ci.ledger import Entry
    from split_ci.spec import Spec
    from split_ci.verdict import Verdict


class Resumed(NamedTuple):
    """The result that a generation has: its branch, its review (None: a run was cut off before it), its ledger entry, the
    review of the round before, and what its rounds have cost by role.
    """

    branch: Branch
    verdict: Verdict | None
    entry: Entry | None
    earlier: Verdict | None
    spent: Mapping[str, Usage]


def base_of(repo: Repo, spec: Spec, base: str, heads: Mapping[str, str | None], specs: str) -> str | Outcome:
    """The commit that a spec starts from: the run's base, or the results of what it needs, merged where they are several.

    `heads`: need -> the head of its result, None where there is none. Needs that have landed on the base are left out.
    """
    wanted = []
    for need in spec.needs:
        if repo.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}:{specs}/landed/{need}.md") is not None:
            continue
        head = heads.get(need)
        if head is None:
            return Outcome("blocked", f"it needs {need}, which has no result")
        wanted.append(head)
    return _merged(repo, wanted) if wanted else base


def _merged(repo: Repo, heads: Sequence[str]) -> str | Outcome:
    """One commit that holds all heads; the same heads give the same commit."""
    merged, *rest = repo.git("merge-base", "--independent", *heads).decode().split() if len(heads) > 1 else heads
    for head in sorted(rest):
        tree = run_git(
            ["merge-tree", "--write-tree", "-z", "--name-only", merged, head],
            cwd=repo.root,
            git_dir=repo.git_dir,
            check=False,
        )
        if tree.returncode:
            names = [name.decode(errors="replace") for name in tree.stdout.split(b"\0")[1:] if name]
            return Outcome(
                "blocked", f"the results that it needs can't be merged: conflict in {names[0] if names else 'a file'}"
            )
        oid = tree.stdout.split(b"\0")[0].decode()
        merged = _commit(repo, oid, sorted((merged, head)))
    return merged


def _commit(repo: Repo, tree: str, parents: Sequence[str]) -> str:
    dates = [repo.git("show", "--no-patch", "--format=%ct", parent).decode().strip() for parent in parents]
    when = f"{max(map(int, dates))} +0000"
    env = {**BOT_ENV, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
    args = [word for parent in parents for word in ("-p", parent)]
    return repo.git("commit-tree", tree, *args, "-m", "merge what a spec needs", env=env).decode().strip()


def resumed(repo: Repo, spec: Spec, branch: Branch | None, base: str, run_base: str) -> Resumed | None:
    """What an earlier run made of this generation; None where it has to be made.

    A spec that stacks on a need's result is made anew where that result has changed.
    """
    if branch is None or branch.digest != spec.digest:
        return None
    moved = (
        spec.needs
        and base not in (branch.base, run_base)
        and repo.ask("merge-base", "--is-ancestor", base, branch.head) is None
    )
    if moved:
        return None
    entries = [entry for entry in ledger.read_of(repo, branch.head) if entry.role == "implementer"]
    verdict = review_of(repo, branch.head)
    earlier = review_before(repo, branch.head) if verdict is None and branch.rounds > 1 else None
    spent = _spent(repo, spec) if verdict is None or verdict.decision == "request_changes" else {}
    return Resumed(branch, verdict, entries[0] if entries else None, earlier, spent)


def _spent(repo: Repo, spec: Spec) -> dict[str, Usage]:
    """What a generation has cost so far, by role. What a run was cut off in is counted by whoever goes on with it."""
    spent = {"implementer": Usage(), "architect": Usage()}
    for entry in ledger.read_all(repo):
        if (entry.id, entry.digest) == (spec.id, spec.digest) and entry.reason != ledger.INTERRUPTED:
            spent[entry.role] += entry.usage
    return spent


def heads_of_needs(repo: Repo, objects: Objects, specs: Sequence[Spec]) -> dict[str, str | None]:
    """The head of every need's branch, as refs are now; None where its newest commits are not the bot's."""
    needs = {need for spec in specs for need in spec.needs}
    known = branches.read(repo, objects, needs).by_id if needs else {}
    return {need: known[need].head for need in needs if need in known and known[need].digest}
