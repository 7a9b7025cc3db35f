"""Record: what was paid for goes into the ledger, and what it made is kept under a ref, whatever failed. Safe to repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from split_ci.branches import next_number, number_of
from split_ci.changeset import digest_of
from split_ci.git import GitError
from split_ci.ledger import entry_of_changeset, entry_of_verdict, note_updates
from split_ci.refs import RefUpdate, contended
from split_ci.store import Quarantine

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from split_ci.changeset import Changeset
    from split_ci.git import Repo
    from split_ci.ledger import Entry
    from split_ci.results import Results
    from split_ci.verdict import Verdict

ATTEMPTS = "refs/split-ci/attempts"
TRIES = 8


class Recorded(NamedTuple):
    """How many entries are in the ledger now that were not there, and the refs that keep attempts."""

    entries: tuple[Entry, ...]
    refs: tuple[str, ...]
    changed: bool  # false where all of it had been recorded before


def record(
    repo: Repo, changesets: Sequence[Changeset], results: Sequence[Results] = (), verdicts: Sequence[Verdict] = ()
) -> Recorded:
    """Ledger, attempts' refs and local reviews in one transaction. Raises WorldError after lost races."""
    for _ in range(TRIES):
        with Quarantine(repo) as quarantine:
            commits = _commits(quarantine, changesets)
            entries = _entries(repo, changesets, commits, results, verdicts)
            refs, updates = attempt_updates(repo, [(c.id, oid) for c, oid in zip(changesets, commits, strict=True) if oid])
            notes = note_updates(quarantine, entries, _known(repo, verdicts))
            updates += notes
            if not updates:
                return Recorded(tuple(entries), tuple(refs), changed=False)
            lost = quarantine.admit(updates, why="split-ci record")
            if not lost:
                return Recorded(tuple(entries), tuple(refs), changed=True)
    raise contended(repo, lost[0].ref)


def keep(repo: Repo, changeset: Changeset, entry: Entry) -> Entry:
    """One attempt's commit under its ref, and its entry: as the ledger has it now. Raises WorldError after lost races."""
    for _ in range(TRIES):
        with Quarantine(repo) as quarantine:
            commit = _alone(quarantine, changeset) if changeset.changes else None
            kept = entry._replace(commit=commit, edits=dict(changeset.edits))
            _, updates = attempt_updates(repo, [(entry.id, commit)] if commit else [])
            updates += note_updates(quarantine, [kept], ())
            lost = quarantine.admit(updates, why="split-ci: keep what was cut off") if updates else []
            if not lost:
                return kept
    raise contended(repo, lost[0].ref)


def _commits(quarantine: Quarantine, changesets: Sequence[Changeset]) -> list[str | None]:
    """The commit of each attempt that changed something, built as `publish` builds it: the same id."""
    wanted = [each for each in changesets if each.changes]
    try:
        built = {id(b.changeset): b.commit for b in quarantine.build(wanted)}
    except GitError:
        built = {id(each): commit for each in wanted if (commit := _alone(quarantine, each))}
    return [built.get(id(each)) for each in changesets]


def _alone(quarantine: Quarantine, changeset: Changeset) -> str | None:
    """One attempt's commit; None where git refuses it: then the ledger still has what it cost."""
    try:
        return quarantine.build([changeset])[0].commit
    except GitError:
        return None


def _entries(
    repo: Repo,
    changesets: Sequence[Changeset],
    commits: Sequence[str | None],
    results: Sequence[Results],
    verdicts: Sequence[Verdict],
) -> list[Entry]:
    by_changeset = {each.changeset: each for each in results}
    entries = []
    for changeset, commit in zip(changesets, commits, strict=True):
        found = by_changeset.get(digest_of(changeset))
        entries.append(_judged(entry_of_changeset(changeset, commit, found), found))
    return [*entries, *(_placed(repo, entry_of_verdict(verdict)) for verdict in verdicts)]


def _judged(entry: Entry, results: Results | None) -> Entry:
    """How it really ended: what an implementer calls done is failed where a criterion is not as required."""
    if entry.outcome != "done" or results is None or not results.fault:
        return entry
    return entry._replace(outcome="failed", reason=results.fault[:2000])


def _placed(repo: Repo, entry: Entry) -> Entry:
    """An entry whose commit lies here, else on its base."""
    return entry if entry.commit and repo.commit_or_none(entry.commit) else entry._replace(commit=None)


def _known(repo: Repo, verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Those whose result lies here: a note on a commit that nobody has would be lost at once."""
    return [verdict for verdict in verdicts if repo.commit_or_none(verdict.head)]


def attempt_updates(repo: Repo, attempts: Iterable[tuple[str, str]]) -> tuple[list[str], list[RefUpdate]]:
    """The refs that keep (spec id, commit) pairs, and the updates for those that nothing keeps yet, numbered on."""
    refs: list[str] = []
    updates: list[RefUpdate] = []
    kept: dict[str, dict[str, str]] = {}
    for spec_id, commit in attempts:
        if spec_id not in kept:
            kept[spec_id] = {oid: ref for ref, oid in repo.refs(f"{ATTEMPTS}/{spec_id}/").items()}
        known = kept[spec_id]
        if commit not in known:
            numbers = {number for number in map(number_of, known.values()) if number}
            known[commit] = f"{ATTEMPTS}/{spec_id}/{next_number(numbers)}"
            updates.append(RefUpdate(known[commit], commit, None))
        refs.append(known[commit])
    return refs, updates
