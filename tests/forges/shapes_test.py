"""Answers of every shape but GitHub's, at each call in turn: said as the world's fault, mended by another try, never a bug."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from split_ci.errors import Refused, WorldError
from split_ci.forges.github_actions import GitHubActions
from split_ci.forges.github_place import find_place
from split_ci.github_settings import Needs
from split_ci.ports import Proposal
from split_ci.pull_state import PullState, seal
from split_ci.verdict import Finding
from tests.forges.hub import QUICK
from tests.forges.review_test import OPEN, Place, place, verdict
from tests.github import Answer, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["place"]  # the fixture

WHOLE = {
    "id": None, "number": None, "user": None, "body": None, "head": None, "base": None, "html_url": None, "state": None,
    "login": None, "full_name": None, "default_branch": None, "status": None, "name": None, "conclusion": None,
}  # fmt: skip
SHAPES: list[Any] = [
    None, 5, "\ud800", [], {}, [None], [[]], [{}], WHOLE, [WHOLE], {name: [] for name in WHOLE}, [dict.fromkeys(WHOLE, 5)],
    {"total_count": 1, "workflow_runs": [WHOLE], "artifacts": [WHOLE], "jobs": [WHOLE], "variables": [{}], "secrets": [{}],
     "environments": [WHOLE, {"name": "split-ci-x", "protection_rules": [5]}], "workflows": [{}], "branch_policies": [{}]},
    {"workflow_runs": 5, "artifacts": 5, "jobs": 5, "variables": 5, "environments": 5, "permissions": 5, "protected": 5},
    {"full_name": "ada/one", "default_branch": "main", "html_url": "x", "private": False, "permissions": [], "archived": 5},
    [{"number": 1, "user": {"type": "Bot", "login": 5}, "head": {"ref": 5, "repo": {"id": 1}}, "base": {"repo": {"id": 1}}}],
    [{"id": 1, "user": {"type": "Bot"}, "body": "<!-- split-ci {} -->", "path": None, "line": [], "html_url": None}],
]  # fmt: skip
MOST_CALLS = 14


def proposal(at: Place) -> Proposal:
    return Proposal("split-ci/one", at.head, "One", seal("why", PullState("one", "a" * 64, at.head, 1)))


def engine(at: Place) -> GitHubActions:
    return GitHubActions(find_place(at.repo, at.server.env()), QUICK, pause=0.0)


FAR = Finding("b.txt", 1, "Elsewhere.")
NEEDS = Needs()
CALLS: dict[str, Callable[[Place], object]] = {
    "pull": lambda at: at.forge().pull("split-ci/one"),
    "pulls": lambda at: at.forge().pulls(),
    "ensure_pull": lambda at: at.forge().ensure_pull(proposal(at)),
    "ensure_review": lambda at: at.forge().ensure_review(verdict(at.head, OPEN, FAR), {"src/a.txt": (range(1, 40),)}),
    "close_pull": lambda at: at.forge().close_pull("split-ci/one", "Withdrawn."),
    "examine": lambda at: at.forge().examine(NEEDS),
    "runs": lambda at: engine(at).runs(),
    "start": lambda at: engine(at).start("one", "a" * 64, {"spec": "one"}),
    "shown": lambda at: engine(at).shown(at.head),
    "succeeded": lambda at: engine(at).succeeded(1),
    "artifacts": lambda at: engine(at).artifacts(1),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_no_shape_of_an_answer_is_a_bug_of_ours(place: Place, name: str) -> None:
    ended = 0
    for shape in SHAPES:
        for skip in range(MOST_CALLS):
            fault = Fault(Answer(200, shape), skip=skip, times=0)
            place.server.faults[:] = [fault]
            try:
                CALLS[name](place)
            except (WorldError, Refused) as error:
                assert error.message  # noqa: PT017 - which of the two it is depends on where it was wrong
                ended += 1
            if not fault.hit:
                break
    assert ended
