"""`publish` to GitHub: a branch at the origin and one pull request, whatever happens in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci.pull_state import is_edited, read_state
from tests.builders import git
from tests.forges.conftest import hub
from tests.invariants import untouched

if TYPE_CHECKING:
    from tests.forges.hub import Hub

__all__ = ["hub"]  # a fixture


def test_a_branch_and_its_pull_request(hub: Hub) -> None:
    hub.make()
    with untouched(hub.repo, ()):
        told = hub.publish()
    head = hub.refs()["refs/heads/split-ci/one"]
    (pull,) = hub.server.world.pulls
    assert (told["outcome"], told["head"], told["pull"]) == ("done", head, 1)
    assert told["url"] == "https://github.com/ada/one/pull/1"
    assert hub.refs()["refs/split-ci/attempts/one/1"] == head
    assert (pull.title, pull.head_sha, pull.base, pull.author.type) == ("A change", head, "main", "Bot")
    state = read_state(pull.body or "")
    assert state is not None
    assert (state.id, state.head, state.round) == ("one", head, 1)
    assert not is_edited(pull.body or "")
    assert git(hub.bare, "show", f"{head}:a.txt") == "uno"
    done, pictured = hub.refs(), vars(pull).copy()
    again = hub.publish()
    assert (again["outcome"], again["pull"], again["head"]) == ("unchanged", 1, head)
    assert hub.refs() == done
    assert vars(hub.server.world.pulls[0]) == pictured
    assert hub.server.writes == ["POST /pulls"]
