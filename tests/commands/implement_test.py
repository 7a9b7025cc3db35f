"""`split-ci implement`: the whole ladder from the command line, one changeset in a file that is whole or not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from split_ci.changeset import load
from tests.builders import commit, git, make_repo, spec, split_ci
from tests.models.answers import block

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"docs/app.md": "# App\n\nRun it.\n", "src/app.py": "import os\nold()\n"}
EXACT = "### Edit `src/app.py`\nBefore:\n```\nold()\n```\nAfter:\n```\nnew()\n```\n"
PROSE = "### Instruct `docs/app.md`\nSay that it is new.\n"
RED = "  - lacks: {in: docs/app.md, text: Run it.}"
CONFIG = """\
models:
  cheap: {api: scripted, model: small, replies: replies.json}
  keyed: {api: openai, model: small, key: NO_SUCH_KEY}
implementers: [exact, %s]
"""
REPLIES = [
    {"match": {"spec": "prose", "round": 1}, "text": block("docs/app.md", "Run it.\n", "Run the new one.\n"),
     "usage": {"input": 900, "cached": 100, "output": 50, "usd": 0.001}},
    {"match": {"spec": "prose", "round": 2}, "text": block("docs/app.md", "Run the new one.\n", "Run the newest.\n")},
    {"match": {"spec": "down"}, "fail": "503"},
    {"match": {"spec": "idle"}, "text": "I would rather not."},
]  # fmt: skip


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    specs = {"exact": EXACT, "prose": EXACT + PROSE, "down": PROSE, "idle": PROSE}
    files = {f"specs/{name}.md": spec(changes, accept=RED) for name, changes in specs.items()}
    return make_repo(
        tmp_path / "r",
        {**FILES, **files, ".split-ci.yaml": CONFIG % "cheap", "replies.json": json.dumps({"replies": REPLIES})},
    )


def implemented(repo: Path, *args: str, code: int = 0) -> tuple[dict[str, object], Path]:
    out = repo.parent / "out.json"
    done = split_ci(repo, "implement", *args, "--base", "main", "--out", str(out), "--format", "json", code=code)
    found: dict[str, object] = json.loads(done.stdout)
    return found, out


def test_an_exact_spec_needs_no_key(repo: Path) -> None:
    commit(repo, {".split-ci.yaml": CONFIG % "keyed"})
    said, out = implemented(repo, "exact")
    assert (said["outcome"], said["implementer"]) == ("done", "exact")
    assert [c.path for c in load(out.read_text()).changes] == ["src/app.py"]
    assert git(repo, "status", "--porcelain") == ""


def test_the_same_exact_spec_gives_the_same_file(repo: Path) -> None:
    first = implemented(repo, "exact")[1].read_bytes()
    assert implemented(repo, "specs/exact.md")[1].read_bytes() == first


def test_a_spec_with_prose_asks_the_rung(repo: Path) -> None:
    said, out = implemented(repo, "prose")
    changeset = load(out.read_text())
    assert (said["outcome"], said["implementer"]) == ("done", "cheap (scripted)")
    assert said["edits"] == {"exact": 1, "adapted": 0, "model": 1}
    assert {c.path: c.by for c in changeset.changes} == {"docs/app.md": "model", "src/app.py": "exact"}
    assert changeset.usage == (1, 900, 100, 50, 0.001)
    assert sorted(p.name for p in out.parent.iterdir()) == ["out.json", "r"]
    assert [p.name for p in (repo / ".git/split-ci/journal").iterdir()] == [f"{changeset.attempt}.jsonl"]


def test_a_later_round_starts_from_the_head(repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "split-ci/prose")
    head = commit(repo, {"docs/app.md": "# App\n\nRun the new one.\n", "src/app.py": "import os\nnew()\n"})
    git(repo, "checkout", "-q", "main")
    _, out = implemented(repo, "prose", "--parent", head, "--round", "2")
    changeset = load(out.read_text())
    assert (changeset.round, changeset.parent) == (2, head)
    assert {c.path: c.by for c in changeset.changes} == {"docs/app.md": "model", "src/app.py": "exact"}
    assert changeset.changes[0].file
    assert changeset.changes[0].file.data.endswith(b"Run the newest.\n")


ENDS = {
    "the world": ("down", 4, "failed", "scripted: 503 (recorded) (try again later)"),
    "the answer is no": ("idle", 1, "failed", "the same answer twice: no edit block"),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_did_not_come_to_an_end_is_written_too(repo: Path, name: str) -> None:
    id_, code, outcome, reason = ENDS[name]
    said, out = implemented(repo, id_, code=code)
    assert (said["outcome"], said["reason"]) == (outcome, reason)
    assert load(out.read_text()).outcome == (outcome, reason)


def test_attempts_that_gave_up_before_are_written_beside_it(repo: Path) -> None:
    commit(repo, {".split-ci.yaml": (CONFIG % "cheap, dear").replace("  keyed:", "  dear: {api: scripted, model: big, replies: dear.json}\n  keyed:"),
                  "dear.json": json.dumps({"replies": [REPLIES[0] | {"match": {}}]})})  # fmt: skip
    said, out = implemented(repo, "idle")
    assert said["outcome"] == "done"
    other = load((out.parent / "out.1.json").read_text())
    assert (other.implementer, other.outcome.name) == ("cheap (scripted)", "failed")


BAD = {
    "no such spec": (["nothing"], 2, "split-ci: error: specs/nothing.md is not in "),
    "no such file": (["specs/nothing.md"], 2, "split-ci: error: specs/nothing.md: no such file"),
    "a round without a head": (["exact", "--round", "2"], 2, "split-ci: error: a round after the first starts from a head"),
    "a broken spec": (["broken.md"], 1, "split-ci: error: specs/broken.md:1: SP103: "),
    "no key": (["prose"], 2, "split-ci: error: models.keyed: the environment variable NO_SUCH_KEY is not set"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_can_t_be_implemented(repo: Path, name: str) -> None:
    args, code, message = BAD[name]
    (repo / "broken.md").write_text("no front matter\n")
    if name == "no key":
        commit(repo, {".split-ci.yaml": CONFIG % "keyed"})
    out = repo.parent / "out.json"
    done = split_ci(repo, "implement", *args, "--base", "main", "--out", str(out), code=code)
    assert done.stderr.startswith(message)
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_words_for_people(repo: Path) -> None:
    done = split_ci(repo, "implement", "idle", "--base", "main", "--out", "out.json", code=1)
    assert (
        done.stdout
        == """\
idle: failed by cheap (scripted) (0 exact, 0 adapted, 0 model)
  cheap (scripted): the same answer twice: no edit block
  out.json
"""
    )
