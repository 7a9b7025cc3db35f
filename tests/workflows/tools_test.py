"""What others' tools say about the workflows: zizmor as an auditor, and GitHub's own parser where npm could install it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from split_ci.workflows import Setting, render
from tests.builders import write

ROOT = Path(__file__).resolve().parents[2]
ZIZMOR = Path(sys.executable).with_name("zizmor")
PARSER = ROOT / ".venv/workflows"
SPEC = ".github/workflows/split-ci-spec.yml"
KEYS = Setting("main", implementer_keys=("CHEAP_KEY",), architect_keys=("STRONG_KEY",))
parser_there = pytest.mark.skipif(not (PARSER / "done").exists(), reason="make workflows installs GitHub's parser")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """What `init` writes into a repository with models, and our own exceptions."""
    write(tmp_path, {**render(KEYS), ".github/zizmor.yml": (ROOT / ".github/zizmor.yml").read_text()})
    return tmp_path


def change(files: Path, path: str, old: str, new: str) -> None:
    text = (files / path).read_text()
    assert old in text
    (files / path).write_text(text.replace(old, new, 1))


def zizmor(folder: Path) -> list[str]:
    done = subprocess.run(
        [ZIZMOR, "--offline", "--no-progress", "--quiet", "--persona", "auditor", "--format", "json", ".github"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return [finding["ident"] for finding in json.loads(done.stdout)]


def test_an_auditor_finds_nothing(files: Path) -> None:
    assert zizmor(files) == []


def test_an_auditor_finds_nothing_here() -> None:
    assert zizmor(ROOT) == []


AUDITED = {
    "artipacked": ("          persist-credentials: false\n", ""),
    "unpinned-uses": ("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7"),
    "excessive-permissions": ("permissions: {}", "permissions: write-all"),
    "template-injection": ('split-ci admit "$SPEC"', 'split-ci admit "${{ inputs.spec }}"'),
    "secrets-outside-env": ("    environment:\n      name: split-ci-implementer\n      deployment: false\n", ""),
}


@pytest.mark.parametrize(("finding", "old", "new"), [(name, *texts) for name, texts in AUDITED.items()], ids=AUDITED)
def test_an_auditor_finds_what_is_planted(files: Path, finding: str, old: str, new: str) -> None:
    change(files, SPEC, old, new)
    assert finding in zizmor(files)


def parse(*files: Path) -> subprocess.CompletedProcess[str]:
    script = Path(__file__).with_name("parse.mjs")
    return subprocess.run(["node", script, PARSER, *files], capture_output=True, text=True, check=False)


@parser_there
def test_github_parses_all_of_them(files: Path) -> None:
    done = parse(*files.glob(".github/*/*.yml"), *files.glob(".github/actions/*/action.yml"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


PARSED = {
    "a key": ("deployment: false", "deploy: false", "Unexpected value 'deploy'"),
    "a value": ("queue: max", "queue: many", "Unexpected value 'many'"),
    "a right": ("statuses: write", "status: write", "Unexpected value 'status'"),
    "a need": ("needs: admit\n", "needs: nobody\n", "Job 'implement' depends on unknown job 'nobody'."),
    "a function": ("!cancelled()", "!canceled()", "Unrecognized function: 'canceled'"),
    "a context": ("vars.SPLIT_CI_PAUSED", "secrets.SPLIT_CI_PAUSED", "Unrecognized named-value: 'secrets'"),
}


@parser_there
@pytest.mark.parametrize(("old", "new", "message"), PARSED.values(), ids=PARSED)
def test_github_parses_nothing_else(files: Path, old: str, new: str, message: str) -> None:
    change(files, SPEC, old, new)
    done = parse(files / SPEC)
    assert done.returncode == 1
    assert message in done.stdout
