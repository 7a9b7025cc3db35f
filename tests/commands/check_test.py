from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.resources import files
from typing import TYPE_CHECKING

import jsonschema
import pytest

from split_ci.git import clean_env
from split_ci.problems import problem
from split_ci.report.problems import annotation, plain
from tests.builders import PERSON, SOURCE, commit, git, make_repo, spec, split_ci, write

if TYPE_CHECKING:
    from pathlib import Path

EDIT = "### Edit `a.txt`\nBefore:\n```\n{}\n```\nAfter:\n```\nnew\n```\n"
HEAVY = [
    "git",
    "openai",
    "anthropic",
    "asyncio",
    "dataclasses",
    "rich",
    "pathlib",
    "inspect",
    "logging",
    "json",
    "markdown_it",
    "concurrent",
    "email",
    "urllib",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repo(tmp_path, {"a.txt": "one\ntwo\n", "specs/good.md": spec(EDIT.format("two"))})


def test_good_specs(root: Path) -> None:
    assert split_ci(root, "check").stdout == "1 spec, no errors\n"


def test_no_specs(tmp_path: Path) -> None:
    assert split_ci(make_repo(tmp_path, {}), "check").stdout == "no pending specs\n"


def test_a_problem_as_text(root: Path) -> None:
    write(root, {"specs/bad.md": spec(EDIT.format("four"))})
    lines = split_ci(root, "check", code=1).stdout.splitlines()
    assert lines[0].startswith("specs/bad.md:15:1: SP301 the text of `Before` is not in `a.txt`")
    assert lines[1].startswith("    fix: ")
    assert lines[-2:] == ["2 specs, 1 error", "  next: split-ci explain SP301"]


def test_colours_where_they_are_asked_for(root: Path) -> None:
    write(root, {"specs/bad.md": spec(EDIT.format("four"))})
    assert "\x1b[31mSP301\x1b[0m" in split_ci(root, "check", env={"FORCE_COLOR": "1", "NO_COLOR": ""}, code=1).stdout


def test_json_is_as_the_schema_says(root: Path) -> None:
    write(
        root,
        {
            "specs/bad.md": spec(EDIT.format("four")),
            "specs/meant.md": spec("### Create `n`\n```\n...\n```\n", extra="waive: [SP411]\n"),
        },
    )
    answer = json.loads(split_ci(root, "check", "--format", "json", code=1).stdout)
    jsonschema.validate(answer, json.loads((files("split_ci") / "schemas/check.schema.json").read_text()))
    bad, good, meant = answer["specs"]
    assert (bad["id"], bad["path"], bad["ok"], good["ok"]) == ("bad", "specs/bad.md", False, True)
    assert set(bad["problems"][0]) == {"code", "severity", "line", "column", "message", "fix"}
    assert (meant["ok"], [p["code"] for p in meant["waived"]]) == (True, ["SP411"])


def test_annotations_of_github(root: Path) -> None:
    write(root, {"specs/bad.md": spec(EDIT.format("four"))})
    first = split_ci(root, "check", "--format", "github", code=1).stdout.splitlines()[0]
    assert first.startswith("::error file=specs/bad.md,line=15,col=1,title=SP301::the text of `Before`")
    assert "%0Afix: " in first


def test_an_annotation_keeps_foreign_text_inside() -> None:
    said = annotation(problem("SP209", "specs/a,b:c.md", 3, "x\n::stop-commands::y\r%0A\x1b[31m", "z"))
    assert (
        said
        == "::warning file=specs/a%2Cb%3Ac.md,line=3,col=1,title=SP209::x\\n::stop-commands::y\\x0d%250A\\x1b[31m%0Afix: z"
    )


def test_foreign_text_on_a_terminal() -> None:
    assert plain("a\x1b]8;;x\x07\u202eb") == "a\\x1b]8;;x\\x07\\u{202e}b"


def test_nothing_is_written(root: Path) -> None:
    write(root, {"specs/bad.md": spec(EDIT.format("four")), "loose.txt": "x"})
    git(root, "add", "specs")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    for args in ((), ("--staged",), ("--at", "HEAD")):
        split_ci(root, "check", *args, code=None)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--at", "nowhere"), "split-ci: error: no commit is named 'nowhere' here\n  next: git log --oneline\n"),
        (("specs/none.md",), "split-ci: error: specs/none.md: there is nothing\n  next: split-ci check\n"),
    ],
)
def test_usage(root: Path, args: tuple[str, ...], said: str) -> None:
    assert split_ci(root, "check", *args, code=2).stderr == said


def test_outside_of_a_repository(tmp_path: Path) -> None:
    assert "is not in a git repository" in split_ci(tmp_path, "check", code=2).stderr


def test_a_broken_configuration_fails_closed(root: Path) -> None:
    commit(root, {".split-ci.yaml": "spec: x\n"})
    assert ".split-ci.yaml:1" in split_ci(root, "check", code=2).stderr


@pytest.mark.parametrize("args", [(), ("--staged",), ("--at", "HEAD")], ids=["by hand", "staged", "at"])
def test_a_fresh_interpreter_loads_nothing_heavy(root: Path, args: tuple[str, ...]) -> None:
    program = (
        "import sys; from split_ci.main import main; code = main(['check', *sys.argv[1:]]); "
        "print(code, *sorted(name for name in sys.modules if '.' not in name), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", program, *args], cwd=root, text=True, capture_output=True, check=True,
        env=clean_env({**PERSON, "PYTHONPATH": f"{SOURCE}:{yaml_folder()}"}),
    )  # fmt: skip
    code, *loaded = done.stderr.split()
    assert code == "0"
    assert "subprocess" in loaded
    assert not set(HEAVY) & set(loaded)


def yaml_folder() -> str:
    import os

    import yaml

    return os.path.dirname(os.path.dirname(yaml.__file__))


def test_a_proof_says_what_ran(tmp_path: Path) -> None:
    accept = "  - run: grep -q B b.txt\n  - contains: {in: b.txt, text: B}\n  - run: grep -q b b.txt\n    guard: true\n"
    text = spec("### Edit `b.txt`\nBefore:\n```\nb\n```\nAfter:\n```\nB b\n```\n", accept=accept.rstrip("\n"))
    repo = make_repo(tmp_path / "r", {"b.txt": "b\n", "specs/one.md": text})
    said = re.sub(r" \(\d+\.\d s\)", "", split_ci(repo, "check", "--prove").stdout)
    assert said == (
        "specs/one.md: a1 red on the base: grep -q B b.txt\n"
        "specs/one.md: a2 red on the base: b.txt contains 'B'\n"
        "specs/one.md: a3 guard green on the base: grep -q b b.txt\n"
        "1 spec, no errors\n"
    )


@pytest.mark.parametrize(
    ("accept", "config", "fix"),
    [
        pytest.param("run: 'echo \"ERROR: file or directory not found: tests/x.py\"; exit 4'", "",
                     "mend the path, or make the test with `Create`", id="a test that nobody makes"),
        pytest.param("run: test -f new.txt", "prepare: ['false']\nsandbox: none\n",
                     "mend that command under `prepare:` in .split-ci.yaml", id="prepare that fails"),
    ],
)  # fmt: skip
def test_prove_says_what_mends_it(tmp_path: Path, accept: str, config: str, fix: str) -> None:
    text = spec("### Create `new.txt`\n```\nn\n```\n", accept=f"  - {accept}")
    repo = make_repo(tmp_path / "r", {"a.txt": "a\n", ".split-ci.yaml": config, "specs/one.md": text})
    assert f"    fix: {fix}\n" in split_ci(repo, "check", "--prove", code=1).stdout


def test_prove_says_of_a_guard_that_it_is_red(tmp_path: Path) -> None:
    accept = "  - exists: new.txt\n  - run: test -f nope\n    guard: true"
    text = spec("### Create `new.txt`\n```\nn\n```\n", accept=accept)
    repo = make_repo(tmp_path / "r", {"a.txt": "a\n", "specs/one.md": text})
    assert "specs/one.md: a2 guard red on the base: test -f nope\n" in split_ci(repo, "check", "--prove", code=1).stdout


def test_an_id_does_for_a_file(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "a\n", "specs/one.md": spec("### Create `n`\n```\nn\n```\n")})
    assert split_ci(repo, "check", "one").stdout == "1 spec, no errors\n"
    assert split_ci(repo, "check", "two", code=2).stderr.splitlines()[-1] == "  next: split-ci status"
