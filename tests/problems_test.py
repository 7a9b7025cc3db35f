"""Every code has a row and a section; every section's example has the problem, and the mended one has not."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from split_ci.problems import CODES, problem
from split_ci.report.explain import sections
from tests.builders import PERSON, commit, git, make_repo, split_ci

if TYPE_CHECKING:
    from pathlib import Path

FOUND_BY_OTHERS = {"SP415", "SP701", "SP702", "SP703", "SP704", "SP801"}  # no example of theirs is for `check`
BASE = {
    "src/greet.py": 'def greet(name):\n    return "hello " + name\n',
    "docs/intro.md": "Greets people.\n",
    "pyproject.toml": '[project]\nname = "greeter"\n',
}
FRONT_MATTER = 'title: Greet shorter\nstatus: ready\naccept:\n  - lacks: {in: "src/*.py", text: hello}\n'
CHANGES = """\
### Edit `src/greet.py`
Before:
```python
    return "hello " + name
```
After:
```python
    return "hi " + name
```
"""
FENCE = re.compile(r"^(?P<mark>`{3,})(?P<info>yaml|markdown|sh)\n(?P<text>.*?)^(?P=mark)$", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    code: str
    side: str  # Wrong or Right
    text: str


def examples() -> list[Example]:
    found = []
    for code, text in sections().items():
        wrong, mark, right = text.partition("\nRight:")
        assert mark, f"{code} says nothing of how to mend it"
        assert "Wrong:" in wrong, f"{code} shows nothing wrong"
        if code not in FOUND_BY_OTHERS:
            found += [Example(code, "Wrong", wrong), Example(code, "Right", right)]
    return found


def build(root: Path, text: str) -> None:
    """The repository that an example describes; its commands are typed last."""
    make_repo(root, BASE)
    fences = {m["info"]: m["text"] for m in FENCE.finditer(text)}
    assert fences, "an example without a fence"
    (root / "specs").mkdir()
    front, changes = fences.get("yaml", FRONT_MATTER), fences.get("markdown", CHANGES)
    (root / "specs/example.md").write_text(
        f"---\n{front}---\n\n## Why\nBecause.\n\n## Changes\n\n{changes}", encoding="utf-8"
    )
    if "sh" in fences:
        subprocess.run(
            ["sh", "-e", "-c", fences["sh"]], cwd=root, env={**PERSON, "PATH": "/usr/bin:/bin:/usr/local/bin"}, check=True
        )


def codes_of(root: Path, *args: str) -> set[str]:
    done = split_ci(root, "check", "--format", "json", *args, code=None)
    assert done.returncode in (0, 1), done.stderr
    found = {p["code"] for spec in json.loads(done.stdout)["specs"] for p in spec["problems"]}
    assert (done.returncode == 1) == any(CODES[code].severity == "error" for code in found)
    return found


@pytest.mark.parametrize("example", examples(), ids=lambda e: f"{e.code}-{e.side.lower()}")
def test_each_example_is_what_it_says(tmp_path: Path, example: Example) -> None:
    build(tmp_path, example.text)
    if example.code in ("SP504", "SP505", "SP506"):
        commit(tmp_path, {})
        found = codes_of(tmp_path, "--prove")
    else:
        if example.code != "SP310":  # it would be resolved
            git(tmp_path, "add", "--all", "--ignore-errors")
        found = codes_of(tmp_path)
    if example.side == "Wrong":
        assert example.code in found
    else:
        assert found == set()


def test_each_code_has_a_section_and_each_section_a_code() -> None:
    assert list(sections()) == list(CODES)


def test_headings_are_the_titles_of_the_codes() -> None:
    from importlib.resources import files

    text = (files("split_ci") / "problems.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (SP\d{3}) (.*)$", text, re.MULTILINE) == [(code, row.title) for code, row in CODES.items()]


def test_only_judgements_of_taste_and_likelihood_can_be_waived() -> None:
    assert {code for code, row in CODES.items() if row.waivable} == {"SP411", "SP412", "SP413", "SP414", "SP415"}


def test_a_problem_has_the_severity_of_its_code() -> None:
    assert problem("SP209", "specs/a.md", 3, "x").severity == "warning"
    assert problem("SP201", "specs/a.md", 3, "x").severity == "error"


def test_a_problem_without_a_code_is_a_bug() -> None:
    with pytest.raises(KeyError):
        problem("SP999", "specs/a.md", 1, "x")
