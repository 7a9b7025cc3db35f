"""Publish: what the gate let through and whose criteria are green becomes a branch; every paid attempt is kept.

Everything of one call is one transaction of refs: branches, attempt refs, and the notes that the caller adds. Where
another process was quicker, the refs are read again and everything is decided anew.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, NamedTuple

from split_ci import branches
from split_ci.changeset import digest_of
from split_ci.ports import Outcome
from split_ci.pull_state import read_state
from split_ci.refs import contended
from split_ci.store import RefUpdate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from split_ci.branches import Branch, Branches
    from split_ci.changeset import Changeset
    from split_ci.git import Repo
    from split_ci.ports import Pull
    from split_ci.results import Results
    from split_ci.spec import Spec
    from split_ci.store import Built, Gated, Quarantine

TRIES = 12
PAUSE_SECONDS = 0.05


class Published(NamedTuple):
    """What became of one changeset. `branch` and `head` are there where a branch holds a result; `attempt` is the ref that
    keeps its commit, `commit` the commit itself where one is kept.
    """

    id: str
    outcome: Outcome
    branch: str | None = None
    head: str | None = None
    attempt: str | None = None
    commit: str | None = None


def publish(
    repo: Repo,
    quarantine: Quarantine,
    gated: Sequence[Gated],
    results: Mapping[str, Results],
    *,
    notes: Callable[[Sequence[Published]], Sequence[RefUpdate]] | None = None,
    held: Mapping[str, Outcome] | None = None,
    anew: bool = False,
) -> list[Published]:
    """Makes results visible, in their order. `results` are by attempt id (`changeset.attempt`).

    `notes` makes the updates that belong into the same transaction (the ledger's), from what is about to be published; it
    is called again after a lost race. `held` says of a spec's id why it gets no branch, for the forge's reasons. `anew`: a
    result of the same generation on an older base is replaced.
    Raises WorldError where a lock stays, or where others are always quicker.
    """
    for tried in range(TRIES):
        standing = branches.read(repo, quarantine.objects(), {one.changeset.id for one in gated})
        again = {one.changeset.id for one in gated if anew and _is_newer(repo, one.changeset, standing)}
        decided = [_decide(one, results.get(one.changeset.attempt), standing, held or {}, again) for one in gated]
        updates = {update.ref: update for _, made in decided for update in made}
        published = [one for one, _ in decided]
        extra = list(notes(published)) if notes else []
        # a loss of power can stop git between two refs, in their order: a branch without its attempt would be a person's
        kept = [update for update in updates.values() if not update.ref.startswith(branches.HEADS)]
        shown = [update for update in updates.values() if update.ref.startswith(branches.HEADS)]
        lost = quarantine.admit([*kept, *extra, *shown], why="split-ci: publish")
        if not lost:
            return published
        time.sleep(random.uniform(0, PAUSE_SECONDS * (tried + 1)))  # noqa: S311 - so that racers part
    raise contended(repo, lost[0].ref)


def _decide(
    one: Gated, results: Results | None, standing: Branches, held: Mapping[str, Outcome], again: Collection[str]
) -> tuple[Published, list[RefUpdate]]:
    """What becomes of one changeset, as refs are now, and the updates that make it so."""
    changeset, built = one.changeset, one.built
    refusal = one.refusal or judged(changeset, built, results, one.spec) or held.get(changeset.id)
    if built is None:
        return Published(changeset.id, refusal or Outcome("refused", "no commit was built")), []
    attempt, kept = standing.attempt_ref(changeset.id, built.commit)
    keep = [] if kept else [RefUpdate(attempt, built.commit, None)]
    known = standing.by_id.get(changeset.id)
    if refusal:
        if one.refusal and not changeset.usage.calls:
            return Published(changeset.id, refusal), []
        return Published(changeset.id, refusal, attempt=attempt, commit=built.commit), keep
    outcome, update = _branch_update(one, built, known, standing, again)
    if outcome.name == "unchanged" and known:
        return Published(changeset.id, outcome, f"split-ci/{changeset.id}", known.head, attempt, built.commit), []
    if update is None:
        return Published(changeset.id, outcome, attempt=attempt, commit=built.commit), keep
    done = Published(changeset.id, outcome, f"split-ci/{changeset.id}", built.commit, attempt, built.commit)
    return done, [*keep, update]


def held_by(pull: Pull | None, changeset: Changeset) -> Outcome | None:
    """Why a changeset gets no branch by the pull request that its spec has already; None where nothing is in the way."""
    if pull is None:
        return None
    state = read_state(pull.body)
    same = state is None or state.digest == changeset.digest
    if not pull.own:
        if pull.state != "open":
            return None
        return Outcome("blocked", f"{pull.url} is {pull.author}'s, not the bot's: it is left alone")
    if pull.state == "merged" and state is not None and same:
        return Outcome("unchanged", f"{pull.url} has merged the result of this generation")
    if pull.state == "closed" and same and not pull.withdrawn:
        again = f"reopen it, or: split-ci drop {changeset.id}"
        return Outcome("blocked", f"{pull.url} was closed by a person: it stays so until the spec changes ({again})")
    return None


def judged(changeset: Changeset, built: Built | None, results: Results | None, spec: Spec | None = None) -> Outcome | None:
    """Why a changeset gets no branch by what its criteria said; None where they are green, and are this changeset's."""
    if results is None:
        return Outcome("failed", "its criteria were not run")
    if not results.criteria:
        return Outcome("failed", "there is no criterion")
    fault = _unbound(changeset, built, results, spec)
    if fault:
        return Outcome("refused", f"rule results: {fault}")
    return Outcome("failed", results.fault) if results.fault else None


def _unbound(changeset: Changeset, built: Built | None, results: Results, spec: Spec | None) -> str | None:
    """Why results are not those of this changeset, of its tree, or of what its spec asks for."""
    bound = (results.id, results.digest, results.base, results.changeset)
    if bound != (changeset.id, changeset.digest, changeset.base, digest_of(changeset)):
        return "they are of another changeset"
    if built is not None and results.tree != built.tree:
        return f"they are of the tree {results.tree[:12]}, not of {built.tree[:12]}"
    if spec is None:
        return None
    if [(c.id, c.run) for c in results.criteria] != [(c.id, str(c)) for c in spec.accept]:
        return "they are not of the criteria that the spec asks for"
    pairs = zip(spec.accept, results.criteria, strict=True)
    unseen = next((asked.id for asked, one in pairs if not asked.guard and one.red is None and one.green), None)
    return f"nothing is said of {unseen} on the base" if unseen else None  # green counts where the base was seen red


def _is_newer(repo: Repo, changeset: Changeset, standing: Branches) -> bool:
    """Whether a changeset's base comes after the one of the result that is there."""
    known = standing.by_id.get(changeset.id)
    if known is None or known.base is None or changeset.parent or known.base == changeset.base:
        return False
    return repo.ask("merge-base", "--is-ancestor", known.base, changeset.base) is not None


def _branch_update(
    one: Gated, built: Built, known: Branch | None, standing: Branches, again: Collection[str]
) -> tuple[Outcome, RefUpdate | None]:
    """What section 6 of the design says of a branch that is there, or isn't."""
    name = f"split-ci/{one.changeset.id}"
    blocked = standing.obstacle(one.changeset.id) or (known and _foreign(known))
    if blocked:
        return Outcome("blocked", blocked), None
    if known is not None and (
        known.head == built.commit or (not one.changeset.parent and _same_generation(one, known) and known.id not in again)
    ):
        return Outcome("unchanged", f"{name} holds the result of this generation"), None
    blocked = _moved(one.changeset, known) or _checked_out(one.changeset, standing)
    if blocked:
        return Outcome("blocked", blocked), None
    return one.changeset.outcome, RefUpdate(
        branches.branch_ref(one.changeset.id), built.commit, known.head if known else None
    )


def _foreign(known: Branch) -> str | None:
    if not known.foreign:
        return None
    return f"split-ci/{known.id} holds {known.foreign[0][:12]}, which is not the bot's: it is left alone"


def _moved(changeset: Changeset, known: Branch | None) -> str | None:
    """A round adds to the head that it was made for."""
    if changeset.parent is None or (known is not None and known.head == changeset.parent):
        return None
    there = f"at {known.head[:12]}" if known else "gone"
    return f"split-ci/{changeset.id} was at {changeset.parent[:12]} when this round began and is {there} now"


def _checked_out(changeset: Changeset, standing: Branches) -> str | None:
    folder = standing.checked_out.get(branches.branch_ref(changeset.id))
    return f"split-ci/{changeset.id} is checked out in {folder}: it is left alone" if folder else None


def _same_generation(one: Gated, known: Branch) -> bool:
    """An edited spec is a new generation; so is a need that has another result now."""
    changeset = one.changeset
    stacked = bool(one.spec and one.spec.needs)
    return known.digest == changeset.digest and (not stacked or known.base == changeset.base)
