"""C escapes, there and back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from split_ci.escapes import EscapeFault, decode, encode

GOOD = {
    r"\n\r\t\0\\\"\'\a\b\f\v": b"\n\r\t\0\\\"'\a\b\f\v",
    r"\x20\x00\xff\xE9": b"\x20\x00\xff\xe9",
    r"\u00e9\U0001F600": "\u00e9\U0001f600".encode(),
    "plain \u00e9": "plain \u00e9".encode(),
    r"\\n": rb"\n",
    r"\x412": b"A2",
    r"\0a": b"\0a",
}
BAD = {
    "a\n\\q": ("`\\q` is not an escape", 2, 1),
    "\\": ("`\\` is not an escape", 1, 1),
    "a \\\n": ("`\\` is not an escape", 1, 3),
    "\\x4": ("`\\x` needs 2 hexadecimal digits", 1, 1),
    "\\x4\n": ("`\\x` needs 2 hexadecimal digits", 1, 1),
    "\\xg0": ("`\\x` needs 2 hexadecimal digits", 1, 1),
    "\\x\u0664\u0664": ("`\\x` needs 2 hexadecimal digits", 1, 1),
    "\\u00e": ("`\\u` needs 4 hexadecimal digits", 1, 1),
    "\\ud800": ("`\\ud800` is not a character", 1, 1),
    "\\U00110000": ("`\\U00110000` is not a character", 1, 1),
    "\\012": ("octal escapes are not known: write `\\xHH`", 1, 1),
    "\\N{DASH}": ("`\\N` is not an escape", 1, 1),
}


@pytest.mark.parametrize(("text", "data"), GOOD.items(), ids=GOOD.keys())
def test_escapes_are_decoded(text: str, data: bytes) -> None:
    assert decode(text) == data


@pytest.mark.parametrize(("text", "fault"), BAD.items(), ids=[ascii(text) for text in BAD])
def test_what_is_no_escape_is_told_where_it_is(text: str, fault: tuple[str, int, int]) -> None:
    assert decode(text) == EscapeFault(*fault)


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\\\n\r\t \0\x07\x7f\x85\u2028\ufeff09xu")))
def test_what_is_encoded_is_decoded_and_safe_in_a_fence(text: str) -> None:
    shown = encode(text)
    assert decode(shown) == text.encode()
    assert shown.count("\n") == text.count("\n")
    assert not re.search(r"[\r\0\ufeff\u2028]|[ \t](\n|\Z)", shown)
