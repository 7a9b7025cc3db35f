"""What runs that died had paid for: into the ledger, and what their agents had changed by then under the attempts' refs.

A journal names the folder in which an agent works. Where nobody holds the journal any more, the changes are collected from
there as they are from an agent that ended, kept, and only then is the folder removed. Cut off anywhere, it is done again.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from split_ci import checkout, folders, journal, ledger, survivors
from split_ci.agent_checkout import AgentCheckout
from split_ci.folders import remove
from split_ci.spec import parse_spec
from split_ci.steps.implement import Job, halfway
from split_ci.steps.record import keep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from split_ci.changeset import Changeset
    from split_ci.git import Repo
    from split_ci.ledger import Entry
    from split_ci.ports import Workplace
    from split_ci.settings import Config


def recover(repo: Repo, config: Config) -> list[Entry]:
    """The entries that the ledger did not have. What a living run works at is left alone. Raises WorldError."""
    paths = [dead.path for dead in journal.fold(repo) if dead.told.place]
    known = {(e.id, e.attempt) for e in ledger.read_all(repo) if e.reason != ledger.INTERRUPTED} if paths else set()
    collected = [entry for path in paths for entry in _collected(repo, config, path, known)]
    return [*collected, *journal.recover(repo)]


def _collected(repo: Repo, config: Config, path: str, known: set[tuple[str, str]]) -> Iterator[Entry]:
    """The entry of one dead run's attempt, where something of it could be kept; `known` attempts came to their end."""
    with journal.holding(path) as found:
        place = found.told.place if found else None
        if found is None or place is None:
            return
        with _alone(place.root) as free:
            if not free:
                return
            entry = found.told.entry
            survivors.end_marked(place.mark)
            made = _halfway(repo, config, entry, place) if (entry.id, entry.attempt) not in known else None
            if made and made.changes:
                yield keep(repo, made, entry)
            found.left()
            if os.path.isdir(place.root):
                remove(place.root)


def _halfway(repo: Repo, config: Config, entry: Entry, place: Workplace) -> Changeset | None:
    """What an agent had made; None where that can't be told any more."""
    spec = parse_spec(place.spec, place.spec_path).spec
    there = os.path.isdir(os.path.join(place.root, "git"))
    commits = [entry.base, *([place.parent] if place.parent else [])]
    if spec is None or not there or not entry.usage.calls or not all(map(repo.commit_or_none, commits)):
        return None
    job = Job(spec, entry.base, place.parent, entry.round)
    made = halfway(repo, config, job, lambda task: AgentCheckout.found(repo, task, place.root).taken().files)
    return made._replace(
        attempt=entry.attempt, implementer=entry.name, usage=entry.usage, lessons=entry.lessons,
        lessons_at=entry.lessons_at, held=entry.held,
    )  # fmt: skip


@contextlib.contextmanager
def _alone(root: str) -> Iterator[bool]:
    """Holds an agent's folder; false where somebody lives in it, or it is none of ours. One that is gone is nobody's."""
    if not os.path.lexists(root):
        yield True
        return
    ours = os.path.basename(root).startswith(checkout.PREFIX) and os.stat(root, follow_symlinks=False).st_uid == os.getuid()
    with contextlib.ExitStack() as stack:
        try:
            free = stack.enter_context(folders.abandoned(root, checkout.LOCK))
        except OSError:
            free = True  # whoever removed it was killed
        yield free and ours
