"""The nearest lines, and no more text than a model needs."""

from __future__ import annotations

import pytest

from split_ci.failure import in_words, nearest, places, render_failure
from split_ci.reply import Fault

TEXT = "".join(f"line {n}\n" for n in range(1, 101)) + "def load(path):\n    return old(path)\n\nend\n"

NEAR = {
    "another indentation": ("def load(path):\n  return old(path)\n", 98, "line 98"),
    "another word": ("def loads(path):\n", 98, "line 98"),
    "one of two lines": ("something else\nline 50\n", 46, "line 46"),
    "at the start": ("line 1\nline 3\n", 1, "line 1"),
}


@pytest.mark.parametrize("name", NEAR)
def test_the_nearest_lines(name: str) -> None:
    search, line, first = NEAR[name]
    near = nearest(search, TEXT)
    assert near
    assert (near.line, near.text.split("\n")[0]) == (line, first)
    assert len(near.text.split("\n")) <= 10


@pytest.mark.parametrize("search", ["", "\n", "zzzzzz qqqqq 1234567\n"])
def test_nothing_is_near(search: str) -> None:
    assert nearest(search, TEXT) is None
    assert nearest("x\n", "") is None


def test_the_places_of_lines() -> None:
    assert places("a\nb\n", "a\nb\na\nb\n") == [1, 3]
    assert places("b\n", "ab\nb\n") == [2]


def test_many_faults_are_counted_and_long_texts_cut() -> None:
    faults = [Fault("absent", f"f{n}", search="x" * 9000 + "\n") for n in range(50)]
    text = render_failure(faults, (), lambda _: TEXT, "data-1")
    assert "And 38 more of this kind." in text
    assert "None of your blocks was applied." in text
    assert len(text) < 40_000


def test_a_fault_in_words() -> None:
    assert in_words([Fault("path", "../x", detail="it leads out")]) == 'a path that can\'t be used in "../x" (it leads out)'
    assert in_words([Fault("no-block", detail="Done!"), Fault("empty")]) == "no edit block, and 1 more"
