"""A remote's refs as a repository of their own, for one step: what the step changed there is pushed whole, or not at all."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from split_ci.errors import WorldError
from split_ci.forges.remote import Away, Pushed
from split_ci.git import Repo
from split_ci.refs import RefUpdate
from split_ci.store import Quarantine

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from split_ci.forges.remote import Remote
    from split_ci.ports import T

TRIES = 30  # as many as may run at once, each of them quicker once
AWAY_TRIES = 5  # at a server that can't be reached, in all
PAUSE_SECONDS = 0.4
DEADLINE_SECONDS = 600.0


def transact(repo: Repo, remote: Remote, work: Callable[[Repo], T], branches: Collection[str] = ()) -> T:
    """Runs `work` on what the remote has, and pushes what it changed; where others were quicker, all of it again.

    The clone lends its objects and is otherwise not touched. `branches`: more of the remote's that the step reads.
    """
    ends = time.monotonic() + DEADLINE_SECONDS
    away = 0
    for tried in range(TRIES):
        try:
            done, pushed = _once(repo, remote, work, branches)
        except Away as fault:
            away += 1
            pushed = Pushed(done=False, again=away < AWAY_TRIES, fault=fault)
        else:
            if pushed.done:
                return done
        assert pushed.fault is not None
        pause = random.uniform(0.5, 1.0) * PAUSE_SECONDS * (tried + 1)  # noqa: S311 - so that racers part
        if not pushed.again or tried + 1 == TRIES or time.monotonic() + pause > ends:
            raise pushed.fault
        time.sleep(pause)
    raise AssertionError("the last try returns or raises")


def _once(repo: Repo, remote: Remote, work: Callable[[Repo], T], branches: Collection[str]) -> tuple[T, Pushed]:
    with Quarantine(repo) as ground:
        there = Repo(ground.git_dir, ground.git_dir, ground.git_dir, bare=True, object_format=repo.object_format)
        before = _fill(there, remote, branches)
        done = work(there)
        updates = _changed(before, there.refs())
        if not updates:
            return done, Pushed(done=True)
        return done, remote.push(there, updates)


def _fill(there: Repo, remote: Remote, branches: Collection[str]) -> Mapping[str, str]:
    """Fetches; the refs as they are then."""
    default, known = remote.look(there, {"split-ci", *branches})
    if default is None:
        raise WorldError("origin has no default branch: nothing was ever pushed there", hint="git push origin HEAD")
    there.git("symbolic-ref", "HEAD", f"refs/heads/{default}")
    remote.fetch(there, {default, *known})
    return there.refs()


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[RefUpdate]:
    return [
        RefUpdate(ref, after.get(ref), before.get(ref))
        for ref in sorted({*before, *after})
        if after.get(ref) != before.get(ref)
    ]
