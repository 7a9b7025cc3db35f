"""Outputs and summaries of a step of GitHub Actions: only what is an id, a digest or a number; never more than is shown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from split_ci.ports import Usage
from split_ci.report import github, terminal
from split_ci.results import CriterionResult
from tests.builders import make_repo, split_ci

if TYPE_CHECKING:
    from pathlib import Path

OID = "0a" * 20


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    output, summary = tmp_path / "output", tmp_path / "summary"
    monkeypatch.setenv("GITHUB_OUTPUT", str(output))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    return output, summary


def test_outputs_are_lines(files: tuple[Path, Path]) -> None:
    github.outputs({"go": True, "id": "one", "base": OID, "round": 2, "parent": None})
    github.outputs({"pull": 7})
    assert files[0].read_text() == f"go=true\nid=one\nbase={OID}\nround=2\nparent=\npull=7\n"


BAD = {
    "a second line": ("id", "one\nadmin=true"),
    "the end of a delimiter": ("id", "one\nEOF\nadmin=true\n"),
    "a carriage return": ("id", "one\radmin=true"),
    "a trailing line end": ("base", OID + "\n"),
    "another delimiter": ("head", "x<<EOF"),
    "a path": ("branch", "split-ci/../main"),
    "a branch of others": ("branch", "main"),
    "capitals": ("digest", "AB" * 32),
    "half an id": ("base", OID[:-1]),
    "words": ("outcome", "all is well"),
    "digits of another script": ("round", "٣"),
    "a negative number": ("pull", -1),
    "a fraction": ("pull", 1.5),
    "a token": ("parent", "ghp_0123456789012345678901234567890123456789"),
}


@pytest.mark.parametrize("name", BAD)
def test_nothing_else_is_an_output(files: tuple[Path, Path], name: str) -> None:
    key, value = BAD[name]
    with pytest.raises(ValueError, match=f"the output {key} can't be "):
        github.outputs({"go": True, key: value})
    assert not files[0].exists(), "all of them, or none"


def test_a_name_that_nobody_knows_is_a_bug() -> None:
    with pytest.raises(KeyError):
        github.outputs({"token": "1"})


@pytest.mark.parametrize("lines", [30_000, 2], ids=["many lines", "a line that is longer than all"])
def test_a_summary_is_cut_before_the_platform_drops_it(files: tuple[Path, Path], lines: int) -> None:
    for _ in range(3):
        github.summary(["é" * (2_400_000 // lines) for _ in range(lines)])
    text = files[1].read_bytes()
    assert len(text) < 1024 * 1024
    assert text.decode().count(" more lines are left out.") == (1 if lines > 2 else 3)


def test_a_summary_that_fits_is_whole(files: tuple[Path, Path]) -> None:
    github.summary(["one", "two"])
    github.summary(["three"])
    assert files[1].read_text() == "one\ntwo\nthree\n"


CELLS = {
    "plain": ("pytest -q", "`pytest -q`"),
    "nothing": ("", ""),
    "the end of a cell": ("a | b", "`a \\| b`"),
    "the end of the code": ("a `b` <img src=x>", "`a 'b' <img src=x>`"),
    "lines": ("a\nb\n| c |", "`a b \\| c \\|`"),
    "what can't be seen": ("a\u202eb\x1b[31m", "`a\\u{202e}b\\x1b[31m`"),
    "much": ("x" * 1000, "`" + "x" * 199 + "…`"),
}


@pytest.mark.parametrize("name", CELLS)
def test_foreign_text_in_a_cell(name: str) -> None:
    text, shown = CELLS[name]
    assert github.cell(text) == shown


def test_the_table_of_criteria() -> None:
    criteria = [
        CriterionResult("a1", "pytest -q", red=True, green=True, seconds=1.25),
        CriterionResult("a2", "b is missing", red=None, green=False, seconds=0, reason="exit | 1"),
    ]
    assert github.criteria_table(criteria)[2:] == [
        "| a1 | `pytest -q` | yes | yes | 1.2 s |  |",
        "| a2 | `b is missing` | - | **no** | 0.0 s | `exit \\| 1` |",
        "",
    ]


def test_a_long_table_says_what_it_leaves_out() -> None:
    assert github.table(("n",), [[str(n)] for n in range(700)])[-2:] == ["and 200 more", ""]


def test_the_bill() -> None:
    lines = github.bill_table({"implementer": Usage(2, 1500, 100, 20, None), "architect": Usage()})
    assert lines[2:4] == [
        "| implementer | 2 | 1,500 (100 cached) | 20 | price unknown |", "| architect | 0 | 0 (0 cached) | 0 | - |",
    ]  # fmt: skip


def test_what_is_said_is_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    with github.no_commands():
        print("::add-mask::e")  # noqa: T201 - as a program would
    first, said, last = capsys.readouterr().out.splitlines()
    mark = first.removeprefix("::stop-commands::")
    assert (len(mark), said, last) == (32, "::add-mask::e", f"::{mark}::")


def obeyed(text: str) -> list[str]:
    """The commands that a runner finds: `::name …::` where a line starts, `##[name …]` anywhere in one."""
    lines = re.split(r"\r\n|\r|\n", text)
    found = [re.match(r"\s*::([a-z-]+)[^:]*::", line) or re.search(r"##\[([a-z-]+)[^\]]*\]", line) for line in lines]
    return [one[1] for one in found if one]


COMMANDS = [
    "::add-mask::e", " \t\u3000::set-output name=go::true", "said ##[set-output name=go]true", "a\n::stop-commands::x",
    "a\r::error::x", "a\r\n  ::error file=a::x", "####[group]x", "##[##[add-mask]e", "\n\n::debug::x",
]  # fmt: skip


@pytest.mark.parametrize("text", COMMANDS)
def test_m20_no_line_is_obeyed(text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert obeyed(text)
    terminal.say(text)
    assert capsys.readouterr().out == f"{text}\n"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    terminal.say(text)
    terminal.warn(text)
    terminal.say_json({"a": [text]})
    out, err = capsys.readouterr()
    assert obeyed(out + err) == []
    assert json.loads(out.removeprefix(err)) == {"a": [text]}
    assert err.replace(": :", "::").replace("## [", "##[") == f"{text}\n"


@pytest.mark.parametrize("text", COMMANDS)
def test_m20_no_error_is_obeyed(tmp_path: Path, text: str) -> None:
    name = f"x{text}.json"
    done = split_ci(make_repo(tmp_path / "r"), "record", name, env={"GITHUB_ACTIONS": "true"}, code=2)
    assert obeyed(done.stdout + done.stderr) == []
    assert "No such file" in done.stderr


def test_no_error_moves_a_terminal(tmp_path: Path) -> None:
    done = split_ci(make_repo(tmp_path / "r"), "record", "\x1b]8;;http://e\x07.json", code=2)
    assert "\\x1b]8;;http://e\\x07.json: No such file" in done.stderr
