"""Attempts that were paid for and kept, read back out of git as the changesets that they were: nobody pays for one twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci import ledger, paths
from split_ci.branches import ATTEMPTS, trailers
from split_ci.caps import caps_of
from split_ci.changeset import Changed, Changeset
from split_ci.implementers.exact import blob_at, derive
from split_ci.left import drifts
from split_ci.ports import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from split_ci.changeset import By
    from split_ci.git import Repo
    from split_ci.ledger import Entry
    from split_ci.settings import Config
    from split_ci.spec import Spec
    from split_ci.store import Quarantine


def entries_of(repo: Repo, spec: Spec, base: str) -> list[Entry]:
    """What implementers did of a generation on a base, by time."""
    return [e for e in ledger.read_all(repo) if e.role == "implementer" and _of(e, spec, base)]


def _of(entry: Entry, spec: Spec, base: str) -> bool:
    return (entry.id, entry.digest, entry.base) == (spec.id, spec.digest, base)


def spent_before(entries: Iterable[Entry], round_: int) -> Usage:
    """What the rounds before one cost."""
    return sum((entry.usage for entry in entries if entry.round < round_), Usage())


def of_branch(repo: Repo, spec: Spec, base: str, round_: int, entries: Iterable[Entry]) -> Entry | None:
    """The attempt that a branch shows and the ledger doesn't know: its run was cut off between the two."""
    names = (f"refs/heads/split-ci/{spec.id}", f"refs/remotes/origin/split-ci/{spec.id}")
    head = next((found for found in map(repo.commit_or_none, names) if found), None)
    if head is None or any(entry.commit == head for entry in entries):
        return None
    said = trailers(repo.git("show", "--no-patch", "--format=%B", head).decode(errors="replace"))
    if (said.get("Spec"), said.get("Spec-Digest"), said.get("Base")) != (spec.id, spec.digest, base):
        return None
    name = said.get("Implementer", "")[:100]
    return ledger.Entry(spec.id, spec.digest, head[:16], "implementer", name, ledger.now(), head, base, round_)


def usable(repo: Repo, spec: Spec, config: Config, entries: Iterable[Entry]) -> Mapping[int, Entry]:
    """Round -> the attempt that stands for it: one that was paid for, came to a result, and is kept.

    None at all where the last round that is allowed was made and is not as required: whoever asks again asks anew.
    """
    there = set(repo.refs(f"{ATTEMPTS}{spec.id}/").values())
    found = {
        entry.round: entry
        for entry in entries
        if entry.commit in there and entry.usage.calls and (entry.outcome == "done" or entry.criteria)
    }
    last = found.get(max(found, default=0))
    over = last is not None and last.outcome != "done" and last.round >= caps_of(spec.limits, config.limits).rounds
    return {} if over else found


def rebuilt(repo: Repo, quarantine: Quarantine, spec: Spec, entry: Entry, parent: str | None) -> Changeset | None:
    """The changeset of a kept attempt; None where it doesn't build the very commit that is kept."""
    assert entry.commit is not None
    with repo.objects() as objects:
        base, tree = repo.tree(entry.base, objects), repo.tree(entry.commit, objects)
        exact, applied = derive(spec, base)
        ported = {drift.path for drift in drifts(applied, base)}
        written = {change.path: change.file for change in exact}
        changes = []
        for path in _between(repo, entry.base, entry.commit, spec):
            file = tree.read(path)
            by: By = "adapted" if path in ported else "exact" if path in written and written[path] == file else "model"
            changes.append(Changed(path, file, blob_at(base, path), by))
    changeset = Changeset(
        spec.id, spec.digest, entry.base, entry.attempt, entry.name, tuple(changes), spec.data, spec.path,
        dict(entry.edits), usage=entry.usage, lessons=entry.lessons, lessons_at=entry.lessons_at, parent=parent,
        round=entry.round, held=entry.held,
    )  # fmt: skip
    (built,) = quarantine.build([changeset], {spec.id: spec.title})
    return changeset if built.commit == entry.commit else None


def _between(repo: Repo, base: str, commit: str, spec: Spec) -> list[str]:
    """The paths that an attempt changed, sorted; the spec's own move is not among them."""
    out = repo.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", base, commit)
    names = [name.decode("utf-8", "surrogateescape") for name in out.split(b"\0") if name]
    folder = spec.path.rpartition("/")[0]
    return sorted(name for name in names if not paths.out_of_reach(name, folder))
