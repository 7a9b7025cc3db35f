from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from split_ci import changeset as module
from split_ci.changeset import Changed, Changeset, digest_of, dump, load
from split_ci.errors import Refused
from split_ci.ports import File, Outcome, Usage

if TYPE_CHECKING:
    from collections.abc import Callable

A = "a" * 40
GOOD = Changeset(
    "s", "0" * 64, A, "1" * 16, "exact",
    (Changed("a.txt", File(b"two\r\n"), "b" * 40), Changed("bin", File(b"\xff\0", "100755"), None, "model"), Changed("d", None, A)),
    b"spec\n", "specs/s.md", {"exact": 1, "model": 1}, Usage(1, 2, 0, 3, None), Outcome("failed", "why"), ("l",), A, A, 2,
)  # fmt: skip


def test_what_is_written_is_read_back() -> None:
    assert load(dump(GOOD)) == GOOD
    assert dump(load(dump(GOOD))) == dump(GOOD)
    assert digest_of(GOOD) == digest_of(load(json.dumps(json.loads(dump(GOOD)), indent=3)))
    assert digest_of(GOOD) != digest_of(GOOD._replace(round=3))


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=300), spec=st.binary(max_size=100), mode=st.sampled_from(["100644", "100755"]))
def test_every_byte_is_kept(data: bytes, spec: bytes, mode: str) -> None:
    one = GOOD._replace(changes=(Changed("a", File(data, mode), None),), spec=spec)
    assert load(dump(one)) == one


def change(**words: Any) -> Callable[[dict[str, Any]], object]:
    return lambda value: value.update(words)


def in_change(number: int = 0, **words: Any) -> Callable[[dict[str, Any]], object]:
    return lambda value: value["changes"][number].update(words)


BAD: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another kind": (change(kind="split-ci changeset 2"), "changeset: kind must be one of split-ci changeset 1"),
    "an unknown key": (change(more=1), "changeset: unknown key 'more'"),
    "an unknown key in a change": (in_change(more=1), "changeset: changes[0]: unknown key 'more'"),
    "a missing key": (lambda v: v.pop("base"), "changeset: base is missing"),
    "an id": (change(id="../x"), "changeset: id must be a spec id (a-z, 0-9 and -, at most 63)"),
    "a digest": (change(digest="0" * 40), "changeset: digest must be 64 hex digits"),
    "a base that is an option": (change(base="--all"), "changeset: base must be 40 or 64 hex digits"),
    "a path": (in_change(path="../x"), "changeset: changes[0]: path '../x' holds the component `..`"),
    "git's folder": (in_change(path=".GIT/config"), "changeset: changes[0]: path '.GIT/config' names git's own folder"),
    "a link": (in_change(mode="120000"), "changeset: changes[0]: a.txt: the mode 120000 is not one of 100644, 100755"),
    "a submodule": (in_change(mode="160000"), "changeset: changes[0]: a.txt: the mode 160000 is not one of 100644, 100755"),
    "twice": (in_change(1, path="a.txt"), "changeset: a.txt is there twice"),
    "out of order": (in_change(1, path="A"), "changeset: changes are not sorted by path: A comes after a.txt"),
    "by whom": (in_change(by="me"), "changeset: changes[0]: by must be one of exact, adapted, model"),
    "no base64": (in_change(1, base64="?"), "changeset: changes[1]: base64 is not base64"),
    "both": (in_change(1, text="x"), "changeset: changes[1]: unknown key 'text'"),
    "half a pair": (in_change(text="\ud800"), "changeset: changes[0]: text holds half of a surrogate pair"),
    "a deletion with text": (in_change(2, text="x"), "changeset: changes[2]: unknown key 'text'"),
    "two formats": (in_change(was="b" * 64), "changeset: object ids of two formats"),
    "an outcome": (change(outcome={"name": "fine", "reason": ""}), "changeset: outcome: name must be one of done, unchanged"),
    "a count": (change(edits={"mine": 1}), "changeset: edits may hold exact, adapted, model"),
    "a round": (change(round=True), "changeset: round must be a whole number from 1 to 1000"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name: str) -> None:
    spoil, said = BAD[name]
    value = json.loads(dump(GOOD))
    spoil(value)
    with pytest.raises(Refused) as caught:
        load(json.dumps(value))
    assert caught.value.message.startswith(said), caught.value.message


TEXTS = {
    "no json": ("{", "changeset: not JSON"),
    "a list": ("[]", "changeset: not an object"),
    "deep": ("[" * 200_000, "changeset: nested too deeply"),
    "a key twice": ('{"id": "a", "id": "b"}', "changeset: not JSON: the key 'id' is there twice"),
    "no number": ('{"id": NaN}', "changeset: not JSON: NaN is not a number of JSON"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_are_none(name: str) -> None:
    text, said = TEXTS[name]
    with pytest.raises(Refused) as caught:
        load(text)
    assert caught.value.message.startswith(said), caught.value.message


CAPS = {"MAX_CHANGES": 2, "MAX_FILE_BYTES": 3, "MAX_SPEC_BYTES": 3, "MAX_TOTAL_BYTES": 6, "MAX_JSON": 100}


@pytest.mark.parametrize("cap", CAPS)
def test_caps(cap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = dump(GOOD)
    monkeypatch.setattr(module, cap, CAPS[cap])
    with pytest.raises(Refused):
        load(text)


def test_the_schema_says_the_same() -> None:
    schema = json.loads(files("split_ci").joinpath("schemas/changeset.schema.json").read_text())
    jsonschema.validate(json.loads(dump(GOOD)), schema)
    for name in ("another kind", "a missing key", "a link", "both", "a deletion with text", "an outcome", "a count"):
        value = json.loads(dump(GOOD))
        BAD[name][0](value)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(value, schema)
