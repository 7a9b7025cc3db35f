"""Hidden state of comments: read back whatever a forge does to line ends, and never taken from the text for people."""

from __future__ import annotations

import pytest

from split_ci.seal import seal, unseal

STATE = {"kind": "review", "head": "a" * 40, "note": "a --> b"}


def test_what_was_sealed_is_read_back() -> None:
    comment = seal("Some\n\ntext.\n", STATE)
    assert comment.count("-->") == 1
    found = unseal(comment)
    assert found is not None
    assert (found.text, found.intact) == ("Some\n\ntext.", True)
    assert {key: found.state[key] for key in STATE} == STATE


SAME = {
    "as it is": lambda text: text,
    "with carriage returns": lambda text: text.replace("\n", "\r\n"),
    "without its end": lambda text: text.rstrip(),
    "with more of an end": lambda text: f"{text}\n\n",
    "with a box that was ticked": lambda text: text.replace("[ ]", "[x]"),
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_a_forge_s_own_line_ends_are_no_edit(change) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    found = unseal(change(seal("Some\n\ntext.\n- [ ] again", STATE)))
    assert found is not None
    assert found.intact


EDITS = {
    "a word": lambda text: text.replace("Some", "Any"),
    "a line before": lambda text: f"Look:\n{text}",
}


@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS)
def test_an_edit_is_seen(change) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    found = unseal(change(seal("Some text.\n- [ ] again", STATE)))
    assert found is not None
    assert not found.intact


NONE = {
    "no comment of ours": "Some text.",
    "nothing": "",
    "a state in the middle": seal("Some text.", STATE) + "more",
    "a state in a line": "text <!-- split-ci {} -->",
    "no JSON": "text\n\n<!-- split-ci {a} -->",
    "no object": "text\n\n<!-- split-ci [] -->",
    "nested for ever": "text\n\n<!-- split-ci {" + '"a":[' * 1900 + "} -->",
    "too long": 'text\n\n<!-- split-ci {"a":"' + "a" * 5000 + '"} -->',
}


@pytest.mark.parametrize("comment", NONE.values(), ids=NONE)
def test_anything_else_has_no_state(comment: str) -> None:
    assert unseal(comment) is None
