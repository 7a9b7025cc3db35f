"""The ledger at the origin: many runs write it at once, some are killed, and no line is lost or doubled."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from split_ci.forges.remote import Remote
from split_ci.git import Repo
from split_ci.ledger import entries_in
from split_ci.notes import notes, reviews
from split_ci.ports import Usage
from split_ci.steps.record import record
from tests.builders import commit, git
from tests.steps.coach_test import verdict

if TYPE_CHECKING:
    from split_ci.verdict import Verdict
    from tests.forges.hub import Hub

LEDGER = "refs/notes/split-ci"
RUNS = 6


def results(hub: Hub) -> list[Verdict]:
    """Reviews of as many results, each on its own branch at the origin."""
    found = []
    for number in range(RUNS):
        git(hub.repo, "checkout", "-q", "-b", f"split-ci/s{number}", "main")
        head = commit(hub.repo, {"a.txt": f"{number}\n"})
        git(hub.repo, "push", "-q", "origin", f"split-ci/s{number}")
        said = verdict(spec_id=f"s{number}", head=head)
        base = git(hub.repo, "rev-parse", "main")
        found.append(said._replace(base=base, review=f"{number}" * 16, usage=Usage(1, 100, 0, 10, 0.5)))
    git(hub.repo, "checkout", "-q", "main")
    return found


def run(hub: Hub, said: Verdict) -> Any:
    repo = Repo.find(str(hub.repo))
    return hub.forge().transact(repo, lambda there: record(there, [], [], [said]))


def state(hub: Hub) -> Any:
    """What the origin's ledger and its reviews hold."""
    there = Repo.find(str(hub.bare))
    lines = [entry for note in notes(there, LEDGER).values() for entry in entries_in(note)]
    return sorted((entry.id, entry.attempt, entry.usage) for entry in lines), sorted(
        each.id for each in reviews(there).values()
    )


def test_many_at_once_lose_nothing(hub: Hub) -> None:
    found = results(hub)
    before = git(hub.repo, "for-each-ref")
    with ThreadPoolExecutor(RUNS) as threads:
        list(threads.map(lambda said: run(hub, said), found))
    wanted = [(said.id, said.review, said.usage) for said in found], [said.id for said in found]
    assert state(hub) == wanted
    refs = hub.refs()
    for said in found:
        assert not run(hub, said).changed
    assert hub.refs() == refs
    assert git(hub.repo, "for-each-ref") == before


@pytest.mark.parametrize("after", [False, True], ids=["before the push", "after it"])
def test_killed_around_its_push_it_is_recorded_once(hub: Hub, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    class Killed(BaseException):
        pass

    push = Remote.push

    def dying(self: Remote, *args: Any) -> Any:
        if after:
            push(self, *args)
        raise Killed

    said = results(hub)[0]
    monkeypatch.setattr(Remote, "push", dying)
    with pytest.raises(Killed):
        run(hub, said)
    monkeypatch.undo()
    assert run(hub, said).changed is not after
    assert state(hub) == ([(said.id, said.review, said.usage)], [said.id])
    assert not run(hub, said).changed
