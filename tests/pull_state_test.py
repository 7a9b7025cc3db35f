"""The hidden last line of a pull request's text, read back from what people and GitHub's editor make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from split_ci.pull_state import MAX_BODY, PullState, boxes, is_edited, read_state, seal, ticked

if TYPE_CHECKING:
    from collections.abc import Callable

STATE = PullState("one", "a" * 64, "b" * 40, 2)
TEXT = f"Why.\n\n{boxes()}\n\nThe end."
BODY = seal(TEXT, STATE)


def test_what_is_sealed_is_read() -> None:
    found = read_state(BODY)
    assert found is not None
    assert found._replace(sha256="") == STATE
    assert not is_edited(BODY)
    assert ticked(BODY) == frozenset()
    assert seal(TEXT, STATE) == BODY


SAME: dict[str, Callable[[str], str]] = {
    "line ends of an editor": lambda body: body.replace("\n", "\r\n"),
    "no final newline": str.rstrip,
    "blank lines around": lambda body: f"\n\n{body}\n\n",
    "a tick": lambda body: body.replace("[ ] another", "[x] another"),
    "a tick in capitals, and line ends": lambda body: body.replace("[ ] another", "[X] another").replace("\n", "\r\n"),
}  # fmt: skip
EDITED: dict[str, Callable[[str], str]] = {
    "a word": lambda body: body.replace("Why.", "Why not."),
    "a line at its start": lambda body: f"Seen.\n\n{body}",
    "a box that was written": lambda body: body.replace("The end.", "- [x] mine\n\nThe end."),
    "a box without its mark": lambda body: body.replace(" <!-- split-ci-box round -->", ""),
}  # fmt: skip
GONE: dict[str, Callable[[str], str]] = {
    "all of it": lambda _: "",
    "the last line": lambda body: body.rpartition("<!--")[0],
    "a line below": lambda body: f"{body}\nSeen.",
    "half of the last line": lambda body: body[:-30],
    "another key": lambda body: body.replace('"round":2', '"round":2,"x":1'),
    "a key twice": lambda body: body.replace('"round":2', '"round":2,"round":3'),
    "another kind of value": lambda body: body.replace('"round":2', '"round":"2"'),
    "an id that is none": lambda body: body.replace('"id":"one"', '"id":"../one"'),
    "a head that is none": lambda body: body.replace("b" * 40, "main"),
    "nested without end": lambda body: body.rpartition("<!--")[0] + "<!-- split-ci {" + "[" * 5000 + "} -->",
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_no_edit(name: str) -> None:
    body = SAME[name](BODY)
    assert not is_edited(body)
    assert ticked(body) == ({"round"} if "tick" in name else set())


@pytest.mark.parametrize("name", EDITED)
def test_a_persons_edit_is_seen(name: str) -> None:
    body = EDITED[name](BODY)
    assert body != BODY
    assert is_edited(body)
    assert read_state(body) == read_state(BODY)


@pytest.mark.parametrize("name", GONE)
def test_a_state_that_can_not_be_read_is_none(name: str) -> None:
    body = GONE[name](BODY)
    assert body != BODY
    assert read_state(body) is None
    assert is_edited(body)


@pytest.mark.parametrize("line", [
    "- [x] another round", "- [x] x <!-- split-ci-box other -->", "- [y] x <!-- split-ci-box round -->",
    "`- [x] x <!-- split-ci-box round -->`", "- [x] x <!-- split-ci-box round --> and more",
])  # fmt: skip
def test_what_is_no_box(line: str) -> None:
    assert ticked(f"Text.\n{line}\n") == frozenset()


def test_a_text_that_is_too_long_is_cut_and_says_so() -> None:
    body = seal("line\n" * 50_000, STATE)
    assert len(body) <= MAX_BODY
    assert "(cut: it was too long for a pull request)" in body
    assert not is_edited(body)
    assert read_state(body) is not None
