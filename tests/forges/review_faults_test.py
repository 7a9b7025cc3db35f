"""A review on GitHub whose answers are lost, or whose process is killed between any two calls: never two, never none."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from split_ci.verdict import Finding
from tests.builders import git
from tests.forges.review_test import FAR, NEW, OPEN, place, verdict
from tests.github import Answer, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from split_ci.forges.github import GitHub
    from tests.forges.review_test import Place

__all__ = ["place"]  # the fixture


LOST: dict[str, Callable[[], Fault]] = {
    "502 and done": lambda: Fault(Answer(502, b"<html>"), done=True),
    "502 and not done": lambda: Fault(Answer(502, b"<html>")),
    "no answer, done": lambda: Fault(None, done=True),
    "no answer, not done": lambda: Fault(None),
    "half an answer": lambda: Fault(Answer(200, {"id": 1}, short=True), done=True),
    "nothing in it": lambda: Fault(Answer(201, None), done=True),
    "HTML": lambda: Fault(Answer(200, b"<html>hello"), done=True),
    "a limit": lambda: Fault(Answer(403, {"message": "You have exceeded a secondary rate limit"}, {"Retry-After": "0"})),
}


@pytest.mark.parametrize("path", [r"/pulls/1/reviews$", r"/issues/1/comments$", r"/statuses/"])
@pytest.mark.parametrize("kind", LOST)
def test_an_answer_that_is_lost_makes_nothing_twice(place: Place, kind: str, path: str) -> None:
    said = verdict(place.head, OPEN, FAR)
    fault = LOST[kind]()
    fault._method, fault._path = "POST", re.compile(path)
    place.server.faults.append(fault)
    place.show(said)
    assert fault.hit == 1
    counts = [len(rows) for rows in place.end()]
    assert counts == [1, 1, 1, 1]


class Killed(BaseException):
    """The process is gone at this moment."""


def killed_after(forge: GitHub, number: int) -> None:
    """The forge's process dies once its call of this number was answered, and before the next one."""
    send, calls = type(forge.client)._send, [0]

    def dying(*args: Any) -> Any:
        calls[0] += 1
        answer = send(forge.client, *args)
        if calls[0] == number:
            raise Killed
        return answer

    forge.client._send = dying  # type: ignore[method-assign, assignment]


def test_killed_at_any_call_and_run_again_it_ends_as_if_nobody_had(place: Place) -> None:
    """Two rounds, the second of which finds something fixed, killed after each call of each round."""
    other = Finding("src/a.txt", 22, "Say more.", "line 22")
    head = place.push({"src/a.txt": NEW.replace("open(path)", "with open(path) as f")})
    rounds = [verdict(place.head, OPEN, other, FAR), verdict(head, other, number=2)]
    world = place.server.world
    lines = {"src/a.txt": (range(17, 24),)}
    dying, living = place.forge(), place.forge()

    def keep() -> Any:
        return deepcopy((world.reviews, world.remarks, world.comments, world.statuses))

    for said in rounds:
        git(place.root, "push", "-q", "--force", "origin", f"{said.head}:split-ci/one")
        before = keep()
        living.ensure_review(said, lines)
        expected, after = place.end(), keep()
        at = 0
        while True:
            at += 1
            world.reviews, world.remarks, world.comments, world.statuses = deepcopy(before)
            killed_after(dying, at)
            try:
                dying.ensure_review(said, lines)
            except Killed:
                living.ensure_review(said, lines)
                assert place.end() == expected, at
            else:
                break
        assert at > 10
        world.reviews, world.remarks, world.comments, world.statuses = after


def test_two_at_once_are_no_more_than_two_and_each_is_whole(place: Place) -> None:
    """Workflows keep runs of one spec apart; without them, what came out of a race is still one status and whole reviews."""
    from concurrent.futures import ThreadPoolExecutor

    said = verdict(place.head, OPEN)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(place.show, [said, said]))
    place.show(said)
    assert 1 <= len(place.server.world.reviews) <= 2
    assert {status.state for status in place.server.world.statuses} == {"failure"}
