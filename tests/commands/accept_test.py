from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING

import jsonschema
import pytest

from split_ci.changeset import digest_of
from split_ci.changeset import load as load_changeset
from split_ci.results import load
from tests.builders import git, make_repo, spec, split_ci

if TYPE_CHECKING:
    from pathlib import Path

NEW = "### Create `new.txt`\n```\nnew\n```\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "repo", {"a.txt": "old\n"})


def changeset(root: Path, accept: str) -> Path:
    (root / "specs").mkdir(exist_ok=True)
    (root / "specs/x.md").write_text(spec(NEW, accept=accept))
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "spec")
    split_ci(root, "implement", "specs/x.md", "--base", "HEAD", "--out", "../changeset.json")
    return root.parent / "changeset.json"


def test_results_are_written_and_bound_to_the_changeset(root: Path) -> None:
    path = changeset(root, "  - run: test -e new.txt\n  - exists: new.txt")
    before = git(root, "for-each-ref"), git(root, "status", "--porcelain")
    done = split_ci(root, "accept", str(path), "--out", "../results.json", "--twice")
    assert "✓ a1 test -e new.txt" in done.stdout
    assert "x: 2 of 2 criteria are as required" in done.stdout
    text = (root.parent / "results.json").read_text()
    jsonschema.validate(json.loads(text), json.loads(files("split_ci").joinpath("schemas/results.schema.json").read_text()))
    results = load(text)
    assert results.ok
    assert results.changeset == digest_of(load_changeset(path.read_text()))
    assert (git(root, "for-each-ref"), git(root, "status", "--porcelain")) == before
    assert sorted(p.name for p in root.parent.iterdir()) == ["changeset.json", "repo", "results.json"]


def test_red_is_exit_1_and_says_why(root: Path) -> None:
    path = changeset(root, "  - run: 'echo ::error::x; test -e other.txt'")
    done = split_ci(root, "accept", str(path), "--out", "../results.json", code=1)
    assert "✗ a1" in done.stdout
    assert "red on the result: exit 1" in done.stdout
    assert "\n::error" not in done.stdout
    assert not load((root.parent / "results.json").read_text()).ok


def test_json(root: Path) -> None:
    path = changeset(root, "  - exists: new.txt")
    done = split_ci(root, "accept", str(path), "--out", "../results.json", "--format", "json")
    assert json.loads(done.stdout)["ok"] is True


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        pytest.param(None, 2, "changeset.json: no such file", id="none"),
        pytest.param("{}", 1, "changeset: kind is missing", id="not one"),
        pytest.param('{"x": ', 1, "changeset: not JSON", id="half"),
    ],
)
def test_what_is_no_changeset_is_refused(root: Path, text: str | None, code: int, message: str) -> None:
    path = root.parent / "changeset.json"
    if text is not None:
        path.write_text(text)
    done = split_ci(root, "accept", str(path), "--out", "../results.json", code=code)
    assert message in done.stderr
    assert not (root.parent / "results.json").exists()


def test_a_spec_of_another_digest_is_refused(root: Path) -> None:
    path = changeset(root, "  - exists: new.txt")
    path.write_text(path.read_text().replace("Because.", "Because!"))
    done = split_ci(root, "accept", str(path), "--out", "../results.json", code=1)
    assert "its spec is not the one that it names" in done.stderr or "digest" in done.stderr


def test_what_a_model_did_to_a_frozen_file_is_not_judged(root: Path) -> None:
    path = changeset(root, "  - run: grep -qx old a.txt && test -e new.txt")
    value = json.loads(path.read_text())
    was = git(root, "rev-parse", "HEAD:a.txt")
    value["changes"].insert(0, {**value["changes"][0], "path": "a.txt", "was": was, "by": "model"})
    path.write_text(json.dumps(value, sort_keys=True))
    split_ci(root, "accept", str(path), "--out", "../results.json")
