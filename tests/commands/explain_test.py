from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from split_ci.problems import CODES
from tests.builders import split_ci

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_code_it_lists_them_all(tmp_path: Path) -> None:
    said = split_ci(tmp_path, "explain").stdout
    assert all(f"  {code}  {row.title}" in said for code, row in CODES.items())
    assert "SP411  placeholder text (waivable)" in said
    assert [row["code"] for row in json.loads(split_ci(tmp_path, "explain", "--format", "json").stdout)["codes"]] == list(
        CODES
    )


@pytest.mark.parametrize("code", ["SP302", "sp302"])
def test_one_code(tmp_path: Path, code: str) -> None:
    said = split_ci(tmp_path, "explain", code).stdout
    assert said.startswith("SP302 the text of `Before` is there another number of times\nerror\n")
    assert "\nRight: " in said
    assert "## SP303" not in said


def test_one_code_as_json(tmp_path: Path) -> None:
    answer = json.loads(split_ci(tmp_path, "explain", "SP411", "--format", "json").stdout)
    assert (answer["code"], answer["waivable"], answer["severity"]) == ("SP411", True, "error")
    assert answer["text"].startswith("What stands in")


def test_a_code_that_there_is_not(tmp_path: Path) -> None:
    said = split_ci(tmp_path, "explain", "SP3O2", code=2).stderr
    assert said == "split-ci: error: there is no problem 'SP3O2'\n  next: split-ci explain SP302\n"
