from __future__ import annotations

import json

import pytest

from split_ci.errors import Refused
from split_ci.results import CriterionResult, Ran, Results, dump, load

RESULTS = Results(
    "a-spec", "d" * 64, "b" * 40, "e" * 40, "c" * 64,
    (
        CriterionResult("a1", "make test", True, True, 1.5, base=Ran(1, 0.5, "no\n"), result=Ran(0, 1.0)),
        CriterionResult("a2", "exists x", None, False, 0.0, "it is not there"),
    ),
    {"kind": "bubblewrap", "probed": True, "facts": {"tcp": True}},
)  # fmt: skip


def test_what_is_dumped_is_loaded() -> None:
    assert load(dump(RESULTS)) == RESULTS
    assert dump(load(dump(RESULTS))) == dump(RESULTS)


@pytest.mark.parametrize(
    ("criteria", "ok"),
    [
        ((), False),
        (RESULTS.criteria[:1], True),
        (RESULTS.criteria, False),
        ((RESULTS.criteria[0]._replace(red=False),), False),
        ((RESULTS.criteria[0]._replace(green=None),), False),
    ],
)
def test_ok(criteria: tuple[CriterionResult, ...], ok: bool) -> None:
    assert RESULTS._replace(criteria=criteria).ok is ok


def test_a_fault_is_one_line_whatever_the_command() -> None:
    wrong = RESULTS.criteria[0]._replace(run="set -e\nmake\n", green=False, reason="red")
    assert RESULTS._replace(criteria=(wrong,)).fault == "a1 (set -e make): red"


def changed(**fields: object) -> str:
    return json.dumps(json.loads(dump(RESULTS)) | fields)


def with_criterion(**fields: object) -> str:
    value = json.loads(dump(RESULTS))
    value["criteria"][0] |= fields
    return json.dumps(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "results: not JSON: Expecting value: line 1 column 1 (char 0)", id="empty"),
        pytest.param("[]", "results: not an object", id="a list"),
        pytest.param("[" * 100_000, "results: nested too deeply", id="nested"),
        pytest.param('{"id": 1, "id": 2}', "results: not JSON: the key 'id' is there twice", id="twice"),
        pytest.param(changed(ok=True), "results: unknown key 'ok'", id="claims"),
        pytest.param(changed(id="../x"), "results: id must be a spec id (a-z, 0-9 and -, at most 63)", id="id"),
        pytest.param(changed(digest="d" * 40), "results: digest must be 64 hex digits", id="digest"),
        pytest.param(changed(tree=None), "results: tree must be 40 or 64 hex digits", id="tree"),
        pytest.param(changed(sandbox={"kind": "vm", "probed": True, "facts": {}}), "results: sandbox: kind must be one of bubblewrap, unshare, none", id="kind"),
        pytest.param(changed(sandbox={"kind": "none", "probed": 1, "facts": {}}), "results: sandbox: probed must be true or false", id="probed"),
        pytest.param(changed(sandbox={"kind": "none", "probed": False, "facts": {"x": []}}), "results: sandbox: facts: x must be a text, true or false", id="facts"),
        pytest.param(with_criterion(red=1), "results: criteria[0]: red must be true or false", id="red"),
        pytest.param(with_criterion(green="yes"), "results: criteria[0]: green must be true or false", id="green"),
        pytest.param(with_criterion(id="b1"), "results: criteria[0]: id must be a criterion's id", id="criterion"),
        pytest.param(with_criterion(id="a2"), "results: a criterion is there twice", id="criterion twice"),
        pytest.param(with_criterion(seconds=-1), "results: criteria[0]: seconds must be a number that is not negative", id="seconds"),
        pytest.param(with_criterion(base={"exit": 256, "seconds": 0, "output": "", "broken": ""}), "results: criteria[0]: base: exit must be a whole number from 0 to 255", id="exit"),
        pytest.param(with_criterion(base={"exit": 1, "seconds": 0, "output": "x" * 5000, "broken": ""}), "results: criteria[0]: base: output must be at most 4096 characters long", id="output"),
        pytest.param(with_criterion(base={"exit": 1}), "results: criteria[0]: base: seconds is missing", id="missing"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        load(text)
    assert caught.value.message == message
