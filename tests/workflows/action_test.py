"""The action that every job starts with, for real: it installs this project from its locked requirements."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from split_ci import __version__
from split_ci.git import clean_env
from split_ci.workflows import ACTION
from tests.builders import write

ROOT = Path(__file__).resolve().parents[2]
STEPS = {step["name"]: step for step in yaml.safe_load((ROOT / ACTION).read_text())["runs"]["steps"]}
PYTHON = f"{Path(sys.base_prefix) / 'bin'}:{os.defpath}"  # without what this environment has installed
real = pytest.mark.skipif(not os.environ.get("SPLIT_CI_REAL_INSTALL"), reason="make test-action installs for real")


def run(step: str, cwd: Path, temp: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    """A step's script, as GitHub's runner starts it."""
    temp.mkdir(exist_ok=True)
    env = clean_env({"RUNNER_TEMP": str(temp), "GITHUB_PATH": str(temp / "path"), "PATH": path or PYTHON})
    script = STEPS[step]["run"]
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )  # fmt: skip


def test_without_a_source_it_says_what_to_do(tmp_path: Path) -> None:
    done = run("install", tmp_path, tmp_path / "temp")
    assert done.returncode == 1
    assert done.stdout.startswith("::error::.github/split-ci/source.txt is not there: split-ci init --source")
    assert not (tmp_path / "temp/split-ci").exists()


def test_without_a_source_a_runner_s_own_is_taken(tmp_path: Path) -> None:
    write(tmp_path, {"bin/split-ci": "#!/bin/sh\n"})
    (tmp_path / "bin/split-ci").chmod(0o755)
    done = run("install", tmp_path, tmp_path / "temp", f"{tmp_path / 'bin'}:{os.defpath}")
    assert done.returncode == 0
    assert done.stdout.startswith("::notice::.github/split-ci/source.txt is not there: this runner has")
    assert not (tmp_path / "temp/split-ci").exists()


@real
def test_it_puts_split_ci_and_nothing_else_on_the_path(tmp_path: Path) -> None:
    done = run("install", ROOT, tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "path").read_text().splitlines()
    assert os.listdir(folder) == ["split-ci"]
    for module in ("anthropic", "openai", "githubkit"):
        subprocess.run([tmp_path / "split-ci/venv/bin/python", "-P", "-c", f"import {module}"], check=True)
    said = subprocess.run([Path(folder) / "split-ci", "--version"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert said.stdout == f"split-ci {__version__}\n"


@real
def test_a_requirement_without_its_hash_is_not_installed(tmp_path: Path) -> None:
    write(tmp_path, {".github/split-ci/requirements.txt": "pyyaml\n", ".github/split-ci/source.txt": ".\n"})
    done = run("install", tmp_path, tmp_path / "temp")
    assert done.returncode == 1
    assert "--require-hashes" in done.stderr


@real
def test_the_sandbox_is_tried(tmp_path: Path) -> None:
    assert run("make the sandbox work", tmp_path, tmp_path).returncode == 0
