"""What a remote knows beside branches: its ledger, reviews and attempts, brought here without losing what is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci import ledger
from split_ci.branches import number_of
from split_ci.errors import WorldError
from split_ci.git import GitError
from split_ci.notes import REVIEWS, note_ids, notes, put
from split_ci.refs import RefUpdate
from split_ci.store import Quarantine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.git import Repo

HERE = "refs/split-ci/remote"
ATTEMPTS = "refs/split-ci/attempts"
REFSPECS = (
    f"+refs/notes/split-ci*:{HERE}/notes/split-ci*",
    f"+{ATTEMPTS}/*:{HERE}/attempts/*",
    "+refs/heads/split-ci/*:refs/remotes/{remote}/split-ci/*",
)
TRIES = 8


def fetch(repo: Repo, remote: str = "origin", env: Mapping[str, str] | None = None) -> bool:
    """Brings a remote's notes, attempts and result branches here; false where there is no such remote. Raises WorldError.

    `env` is what git is told beside, such as a token.
    """
    if repo.ask("remote", "get-url", remote) is None:
        return False
    try:
        specs = (each.format(remote=remote) for each in REFSPECS)
        repo.git("fetch", "--quiet", "--no-tags", "--prune", remote, *specs, env=env)
    except GitError as error:
        raise WorldError(f"{remote}: {error.message}", hint="split-ci status --offline", again=True) from None
    merge(repo)
    return True


def merge(repo: Repo) -> None:
    """Adds what was fetched to what is here: notes by union, attempts by commit. Nothing that is here is overwritten."""
    for _ in range(TRIES):
        with Quarantine(repo) as quarantine:
            updates = [*_notes(quarantine), *_attempts(repo)]
            if not updates or not quarantine.admit(updates, why="split-ci status: fetch"):
                return
    raise WorldError("the ledger kept moving while the remote's was added", again=True)


def _notes(quarantine: Quarantine) -> list[RefUpdate]:
    repo = quarantine.repo
    theirs = notes(repo, f"{HERE}/notes/split-ci")
    entries = (entry for note in theirs.values() for entry in ledger.entries_in(note))
    reviews = notes(repo, f"{HERE}/notes/split-ci-review")
    known = note_ids(repo, REVIEWS)
    new = {oid: note for oid, note in reviews.items() if oid not in known}
    updates = (
        ledger.append(quarantine, entries),
        put(quarantine, REVIEWS, new, lambda _oid, mine, note: note if mine is None else mine, "review results"),
    )
    return [update for update in updates if update]


def _attempts(repo: Repo) -> list[RefUpdate]:
    """The remote's attempts that nothing keeps here, under their own number where that is free."""
    here = repo.refs(f"{ATTEMPTS}/")
    theirs = repo.refs(f"{HERE}/attempts/")
    kept: dict[str, set[str]] = {}
    for ref, oid in here.items():
        kept.setdefault(ref.rpartition("/")[0], set()).add(oid)
    updates = []
    for ref, oid in sorted(theirs.items()):
        own = ref.replace(HERE, "refs/split-ci", 1)
        folder, _, number = own.rpartition("/")
        if oid in kept.get(folder, ()) or number_of(own) is None:
            continue
        while own in here:
            number = str(int(number) + 1)
            own = f"{folder}/{number}"
        here[own] = oid
        updates.append(RefUpdate(own, oid, None))
    return updates
