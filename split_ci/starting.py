"""Where a spec's dispatch starts: its base, and what an earlier run has left of it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from split_ci import branches, ledger
from split_ci.git import run_git
from split_ci.notes import review_before, review_of
from split_ci.pending import landed
from split_ci.ports import Outcome, Usage
from split_ci.refs import BOT_ENV
from split_ci.verdict import standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.branches import Branch
    from split_ci.git import Objects, Repo
    from split_ci.ledger import Entry
    from split_ci.ports import Tree
    from split_ci.spec import Spec
    from split_ci.verdict import Verdict


UNCHANGED = Outcome("unchanged", "this generation has a result")
LANDED = Outcome("unchanged", "it has landed")


def left_alone(branch: Branch) -> Outcome:
    """Of a branch that holds a person's commit."""
    return Outcome("blocked", f"{branch.name} holds {branch.foreign[0][:12]}, which is not the bot's: it is left alone")


def no_result_of(need: str) -> Outcome:
    return Outcome("blocked", f"it needs {need}, which has no result of its present text")


class Resumed(NamedTuple):
    """The result that a generation has: its branch, its review (None: it was cut off, or a run before it), its ledger
    entry, the review of the round before, and what its rounds have cost by role.
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
        if landed_text(repo, base, need, specs) is not None:
            continue
        head = heads.get(need)
        if head is None:
            return no_result_of(need)
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


def landed_already(tree: Tree, specs: Sequence[Spec], folder: str) -> frozenset[str]:
    """Those of the specs that have landed in a tree, in the very text that they have."""
    done = landed(tree, folder)
    files = ((spec, tree.read(f"{folder}/landed/{spec.id}.md")) for spec in specs if spec.id in done)
    return frozenset(spec.id for spec, file in files if file and sha256(file.data).hexdigest() == spec.digest)


def landed_text(repo: Repo, commit: str, id_: str, specs: str) -> str | None:
    """The blob of a landed spec in a commit; None where it has not landed there."""
    return repo.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{specs}/landed/{id_}.md")


def landed_otherwise(repo: Repo, id_: str, commit: str, head: str, specs: str) -> bool:
    """Whether a spec has landed on a commit with another text than on the one that a result builds on."""
    text, built_on = landed_text(repo, commit, id_, specs), landed_text(repo, head, id_, specs)
    return text is not None and built_on is not None and text != built_on


def resumed(repo: Repo, spec: Spec, branch: Branch | None, base: str, run_base: str, specs: str) -> Resumed | None:
    """What an earlier run made of this generation; None where it has to be made.

    A spec that stacks on a need's result is made anew where that result has changed, landed or not.
    """
    if branch is None or branch.digest != spec.digest:
        return None
    stacked = base not in (branch.base, run_base)
    if spec.needs and stacked and repo.ask("merge-base", "--is-ancestor", base, branch.head) is None:
        return None
    if any(landed_otherwise(repo, need, run_base, branch.head, specs) for need in spec.needs):
        return None
    entries = [entry for entry in ledger.read_of(repo, branch.head) if entry.role == "implementer"]
    verdict = standing(review_of(repo, branch.head))
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


def heads_of_needs(repo: Repo, objects: Objects, specs: Sequence[Spec], base: str, folder: str) -> dict[str, str | None]:
    """The head of every need's branch, as refs are now. Left out where its newest commits are not the bot's, or are the
    result of another text than the need has at the base.
    """
    needs = {need for spec in specs for need in spec.needs}
    if not needs:
        return {}
    known, tree = branches.read(repo, objects, needs).by_id, repo.tree(base, objects)
    heads: dict[str, str | None] = {}
    for need in sorted(needs & known.keys()):
        file = tree.read(f"{folder}/{need}.md")
        if known[need].digest and (file is None or sha256(file.data).hexdigest() == known[need].digest):
            heads[need] = known[need].head
    return heads
