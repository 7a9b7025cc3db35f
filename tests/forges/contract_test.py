"""What every forge does: one suite, run against each adapter, the local one and GitHub over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from split_ci.config import Config
from split_ci.errors import Refused, UsageError
from split_ci.forges import build
from split_ci.forges.github import GitHub
from split_ci.git import Repo
from split_ci.github_settings import Needs
from split_ci.ports import Proposal
from split_ci.pull_state import PullState, seal
from split_ci.refs import RefUpdate, swap
from split_ci.verdict import Finding
from tests.builders import commit, git
from tests.invariants import untouched
from tests.steps.coach_test import verdict as reviewed

if TYPE_CHECKING:
    from pathlib import Path

    from split_ci.ports import Forge
    from tests.forges.hub import Hub

ONE, TWO = "refs/heads/split-ci/one", "refs/heads/split-ci/two"


class Place:
    """A forge, and where its refs are to be seen."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub = hub
        self.repo = Repo.find(str(hub.repo))
        self.name = name
        self.forge: Forge = build(self.repo, Config(), {}) if name == "local" else hub.forge()
        git(hub.repo, "checkout", "-q", "-b", "side")
        self.first = commit(hub.repo, {"a.txt": "1\n"})
        self.second = commit(hub.repo, {"a.txt": "2\n"})
        git(hub.repo, "checkout", "-q", "main")
        self.own = ("refs/heads/split-ci/", "refs/split-ci/", "refs/notes/") if name == "local" else ()

    def refs(self) -> dict[str, str]:
        found = self.hub.refs() if self.name == "github" else self.repo.refs()
        return {ref: oid for ref, oid in found.items() if "split-ci" in ref}

    def put(self, *updates: RefUpdate) -> list[RefUpdate]:
        return self.forge.transact(self.repo, lambda there: swap(there, updates))


@pytest.fixture(params=["local", "github"])
def place(hub: Hub, request: pytest.FixtureRequest) -> Place:
    return Place(hub, request.param)


def body(place: Place, text: str = "why", *, digest: str = "a", round_: int = 1) -> str:
    return seal(text, PullState("one", digest * 64, place.second, round_))


def test_a_forge_that_is_not_in_the_table(place: Place) -> None:
    with pytest.raises(UsageError, match="'sourcehut' is not one of this version: local, github"):
        build(place.repo, Config(forge="sourcehut"), {})


def test_names(place: Place) -> None:
    assert place.forge.name == place.name


def test_what_a_step_changed_is_at_the_forge_whole(place: Place) -> None:
    with untouched(place.hub.repo, place.own):
        assert (
            place.put(RefUpdate(ONE, place.first, None), RefUpdate("refs/split-ci/attempts/one/1", place.first, None)) == []
        )
        assert place.refs() == {ONE: place.first, "refs/split-ci/attempts/one/1": place.first}
        assert place.put(RefUpdate(ONE, place.second, place.first), RefUpdate(TWO, place.first, None)) == []
        assert (
            place.put(RefUpdate("refs/split-ci/attempts/one/1", None, place.first), RefUpdate(TWO, None, place.first)) == []
        )
    assert place.refs() == {ONE: place.second}


def test_a_step_sees_the_forges_refs_and_default_branch(place: Place) -> None:
    place.put(RefUpdate(ONE, place.first, None), RefUpdate("refs/notes/split-ci", place.first, None))
    seen = place.forge.transact(place.repo, lambda there: (there.refs(), there.commit("HEAD")))
    assert {ref: oid for ref, oid in seen[0].items() if "split-ci" in ref} == place.refs()
    assert seen[1] == git(place.hub.bare, "rev-parse", "main")


def test_a_step_that_fails_leaves_nothing(place: Place) -> None:
    def work(there: Repo) -> None:
        raise Refused("no")

    with untouched(place.hub.repo, ()), pytest.raises(Refused, match="no"):
        place.forge.transact(place.repo, work)
    assert place.refs() == {}


def test_a_pull_request_is_ensured_once(place: Place) -> None:
    forge = place.forge
    assert forge.pull("split-ci/one") is None
    assert list(forge.pulls()) == []
    place.put(RefUpdate(ONE, place.second, None))
    wanted = Proposal("split-ci/one", place.second, "One", body(place))
    made = forge.ensure_pull(wanted)
    assert (made.branch, made.head, made.state, made.own) == ("split-ci/one", place.second, "open", True)
    assert forge.ensure_pull(wanted) == made
    assert forge.pull("split-ci/one") == made
    assert list(forge.pulls()) == [made]
    if place.name == "github":
        assert (made.number, made.author) == (1, "github-actions[bot]")
        assert place.hub.server.writes == ["POST /pulls"]


def test_a_branch_that_moved_is_still_one_pull_request(place: Place) -> None:
    place.put(RefUpdate(ONE, place.first, None))
    first = place.forge.ensure_pull(Proposal("split-ci/one", place.first, "One", body(place)))
    place.put(RefUpdate(ONE, place.second, place.first))
    second = place.forge.ensure_pull(Proposal("split-ci/one", place.second, "One, again", body(place, "more", digest="b")))
    assert (second.number, second.head) == (first.number, place.second)
    if place.name == "github":
        (pull,) = place.hub.server.world.pulls
        assert (pull.title, (pull.body or "").partition("\n")[0]) == ("One, again", "more")


def test_closing_is_done_once(place: Place) -> None:
    place.put(RefUpdate(ONE, place.second, None))
    assert place.forge.close_pull("split-ci/two", "withdrawn") is None
    place.forge.ensure_pull(Proposal("split-ci/one", place.second, "One", body(place)))
    for _ in range(2):
        closed = place.forge.close_pull("split-ci/one", "withdrawn")
        assert place.refs() == {ONE: place.second}
        assert closed is None if place.name == "local" else closed and closed.state == "closed"
    if place.name == "github":
        (comment,) = place.hub.server.world.comments
        assert comment.body.startswith("withdrawn\n")
        assert place.hub.server.writes == ["POST /pulls", "POST /issues/1/comments", "PATCH /pulls/1"]
        assert isinstance(place.forge, GitHub)
        assert place.forge.ensure_pull(Proposal("split-ci/one", place.second, "One", body(place))).number == 2


def test_racers_both_come_through(place: Place, tmp_path: Path) -> None:
    """Another one writes while a step works: it is run again on what they left, and nothing of theirs is lost."""
    times = []

    def work(there: Repo) -> list[RefUpdate]:
        times.append(there.refs())
        if len(times) == 1 and place.name == "github":
            git(place.hub.repo, "push", "-q", "origin", f"{place.first}:{ONE}")
        known = there.refs().get(ONE)
        return swap(there, [RefUpdate(ONE, place.second, known), RefUpdate(TWO, place.second, None)])

    assert place.forge.transact(place.repo, work) == []
    assert place.refs() == {ONE: place.second, TWO: place.second}
    assert len(times) == (2 if place.name == "github" else 1)


def test_a_review_is_shown_once_for_each_head(place: Place) -> None:
    """A note, or a review of the pull request; the next head has its own."""

    def seen() -> object:
        world = place.hub.server.world
        reviews, remarks = [one.body for one in world.reviews], [one.body for one in world.remarks]
        return place.refs(), reviews, remarks, [one.body for one in world.comments], list(world.statuses)

    place.put(RefUpdate(ONE, place.first, None))
    place.forge.ensure_pull(Proposal("split-ci/one", place.first, "One", body(place)))
    finding = Finding("a.txt", 1, "Say it in words.", "1")
    said = reviewed(spec_id="one", head=place.first)._replace(findings=(finding,), by="architect")
    lines = {"a.txt": (range(1, 2),)}
    place.forge.ensure_review(said, lines)
    once = seen()
    place.forge.ensure_review(said, lines)
    assert seen() == once
    place.put(RefUpdate(ONE, place.second, place.first))
    place.forge.ensure_review(said._replace(head=place.second, findings=(), decision="incomplete"), {})
    assert seen() != once


def test_settings_are_only_looked_at(place: Place) -> None:
    before = place.refs()
    assert bool(list(place.forge.examine(Needs()))) == (place.name == "github")
    assert place.refs() == before
    assert place.hub.server.writes == []
