"""A key is found in foreign text however it is spelt, and nothing else is taken for it."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from split_ci.redact import LEAST, redacted

KEY = "sk-q8Zt41vW/x0Lr7+Pd93=mKc"
SPELLINGS = {
    "raw": KEY,
    "reversed": KEY[::-1],
    "hex": KEY.encode().hex(),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 behind one": base64.b64encode(b"x" + KEY.encode()).decode(),
    "base64 behind two": base64.b64encode(b"xy" + KEY.encode()).decode(),
    "base64 for addresses": base64.urlsafe_b64encode(b"Bearer " + KEY.encode()).decode(),
    "quoted": quote(KEY, safe=""),
    "a part": KEY[3 : 3 + LEAST],
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_it_is_not_seen(name: str) -> None:
    said = redacted(f"before {SPELLINGS[name]} after, {SPELLINGS[name]}", KEY)
    assert said.startswith("before ")
    assert said.count("***") == 2
    parts = [SPELLINGS[name][at : at + LEAST] for at in range(len(SPELLINGS[name]) - LEAST + 1)]
    seen = [part for part in parts if part in said]
    assert len(seen) <= (3 if "base64" in name else 0)  # the letters around a key's own are not the key's


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_other_text_stays(text: str) -> None:
    assert redacted(text, KEY) == text


def test_a_short_key_and_none() -> None:
    assert redacted("the key abc is short", "abc") == "the key *** is short"
    assert redacted("no key", "") == "no key"
    assert redacted(KEY[: LEAST - 1], KEY) == KEY[: LEAST - 1]
