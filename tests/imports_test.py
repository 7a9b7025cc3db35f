"""What a hook pays for at every commit: a fresh interpreter runs `check` and must not have loaded anything heavy."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from split_ci.git import clean_env
from tests.builders import SOURCE, make_repo, spec

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"git", "gitdb", "openai", "anthropic", "githubkit", "asyncio", "rich", "dataclasses", "inspect", "pathlib", "logging", "email",
         "http", "ssl", "importlib.metadata", "importlib.resources", "unittest", "markdown_it", "tomllib", "multiprocessing"}  # fmt: skip
RUN = """
import sys
before = set(sys.modules)
from split_ci.main import main
code = main(sys.argv[1:])
sys.stdout.flush()
sys.stderr.write("\\n".join(sorted(set(sys.modules) - before)))
sys.exit(code)
"""
EDIT = "### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\n1\n```\n"
FILES = {
    "a.txt": "one\ntwo\n",
    ".split-ci.yaml": "models: {cheap: {api: openai, model: m, key: CHEAP_KEY}}\nimplementers: [exact, cheap]\n",
    "specs/good.md": spec(EDIT, accept="  - lacks: {in: a.txt, text: one}"),
}


def loaded(repo: Path, *args: str, code: int = 0) -> set[str]:
    """The modules that a command loads in an interpreter of its own."""
    env = {key: value for key, value in clean_env().items() if not key.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUN, *args],
        cwd=repo, env={**env, "PYTHONPATH": SOURCE}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return set(done.stderr.splitlines())


@pytest.mark.parametrize("form", ["text", "github"])
@pytest.mark.parametrize("where", [[], ["--staged"], ["--at", "HEAD"]], ids=["by hand", "the hook", "a commit"])
def test_check_loads_nothing_heavy(tmp_path: Path, where: list[str], form: str) -> None:
    repo = make_repo(tmp_path / "r", FILES)
    found = loaded(repo, "check", *where, "--format", form)
    assert "split_ci.steps.check" in found
    assert not found & HEAVY
    assert "json" not in found


def test_a_problem_costs_no_more(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", FILES | {"a.txt": "two\n"})
    assert not loaded(repo, "check", code=1) & HEAVY


def test_without_a_spec_no_yaml_is_loaded(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "one\n"})
    assert not {name for name in loaded(repo, "check", "--staged") if name.partition(".")[0] in ("yaml", "_yaml")}


def test_the_version_loads_next_to_nothing(tmp_path: Path) -> None:
    found = loaded(tmp_path, "--version")
    assert not {name for name in found if name.startswith("split_ci")} - {
        "split_ci",
        "split_ci.errors",
        "split_ci.main",
        "split_ci.report",
        "split_ci.report.help",
        "split_ci.report.terminal",
    }


def test_the_test_sees_what_is_loaded(tmp_path: Path) -> None:
    """A planted fault: a package on the path whose import is heavy."""
    (tmp_path / "planted.py").write_text("import asyncio\n")
    done = subprocess.run(
        [sys.executable, "-c", "import planted, sys; print('asyncio' in sys.modules)"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "True\n"
    assert "asyncio" in HEAVY
