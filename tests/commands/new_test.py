"""The command line of `new`: what is written where, what is printed, and what is never overwritten."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.builders import commit, git, make_repo, split_ci, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    make_repo(tmp_path, {"a.txt": "a\nb\n"})
    commit(tmp_path, {"a.txt": "a\nc\n", "new.txt": "x\n"}, message="Fix the loader\n\nBecause.")
    return tmp_path


def listed(root: Path) -> list[str]:
    return sorted(os.listdir(root / "specs")) if (root / "specs").is_dir() else []


def test_a_draft_goes_to_the_specs_folder_and_names_the_next_command(repo: Path) -> None:
    done = split_ci(repo, "new", "Fold the two loaders")
    assert done.stdout.splitlines() == [
        "specs/fold-the-two-loaders.md", "  next: fill it in, then split-ci check specs/fold-the-two-loaders.md",
    ]  # fmt: skip
    assert listed(repo) == ["fold-the-two-loaders.md"]
    assert "title: Fold the two loaders\nstatus: draft" in (repo / "specs/fold-the-two-loaders.md").read_text()


def test_a_draft_tells_check_what_is_left(repo: Path) -> None:
    split_ci(repo, "new", "Fold")
    done = split_ci(repo, "check", "specs/fold.md", code=1)
    assert "SP303 `path/of/a/file.txt` is not there" in done.stdout


def test_a_commit_is_written_ready_with_its_base(repo: Path) -> None:
    parent = git(repo, "rev-parse", "HEAD^")
    done = split_ci(repo, "new", "--from", "HEAD")
    assert done.stdout.splitlines() == [
        "specs/fix-the-loader.md",
        f"  next: split-ci run specs/fix-the-loader.md --base {parent[:12]}",
    ]
    text = (repo / "specs/fix-the-loader.md").read_text()
    assert text.startswith('---\ntitle: Fix the loader\nstatus: ready\naccept:\n  - blob: {path: "a.txt", id: ')
    git(repo, "read-tree", parent)
    assert split_ci(repo, "check", "specs/fix-the-loader.md").returncode == 0


def test_what_is_staged_in_json_from_a_folder_below(repo: Path) -> None:
    write(repo, {"a.txt": "a\nd\n", "below/x": "x\n", "pyproject.toml": "[x]\n"})
    git(repo, "add", "a.txt", "pyproject.toml")
    done = split_ci(repo / "below", "new", "--staged", "--id", "mine", "--format", "json")
    head = git(repo, "rev-parse", "HEAD")
    assert json.loads(done.stdout) == {
        "id": "mine", "path": "../specs/mine.md", "title": "Change 2 files", "base": head, "protected": ["pyproject.toml"], "waive": [],
        "next": f"split-ci run ../specs/mine.md --base {head[:12]}",
    }  # fmt: skip


def test_a_title_of_ones_own(repo: Path) -> None:
    split_ci(repo, "new", "Another title", "--from", "HEAD")
    assert "title: Another title\n" in (repo / "specs/another-title.md").read_text()


def test_the_configured_folder_and_an_out_file(repo: Path) -> None:
    write(repo, {".split-ci.yaml": "specs: plans/here\n"})
    split_ci(repo, "new", "Fold")
    assert (repo / "plans/here/fold.md").is_file()
    done = split_ci(repo, "new", "Fold", "--out", "other.md")
    assert done.stdout.startswith("other.md\n")
    assert (repo / "other.md").is_file()


def taken(root: Path, name: str) -> None:
    write(root, {name: "mine\n"})


def dangling(root: Path) -> None:
    (root / "specs").mkdir()
    (root / "specs/fold.md").symlink_to("nowhere")


REFUSED: list[tuple[str, Callable[[Path], object], list[str], int, str]] = [
    ("a spec of that name", lambda r: taken(r, "specs/fold.md"), ["Fold"], 1, "specs/fold.md is there already, and nothing is overwritten"),
    ("a name that falls together", lambda r: taken(r, "specs/FOLD.md"), ["Fold"], 1, "specs/FOLD.md is there already"),
    ("a landed spec", lambda r: taken(r, "specs/landed/fold.md"), ["Fold"], 1, "specs/landed/fold.md is there already"),
    ("a dangling link", dangling, ["Fold"], 1, "specs/fold.md is there"),
    ("an out file", lambda r: taken(r, "x.md"), ["Fold", "--out", "x.md"], 1, "x.md is there already, and nothing is overwritten"),
    ("an out folder that is not there", lambda r: None, ["Fold", "--out", "no/x.md"], 1, "no/x.md: there is no such folder"),
    ("a link as folder", lambda r: (r / "specs").symlink_to("/tmp"), ["Fold"], 1, "specs is not a plain folder"),
    ("a file as folder", lambda r: taken(r, "specs"), ["Fold"], 1, "specs is not a plain folder"),
    ("an id that is none", lambda r: None, ["Fold", "--id", "../x"], 2, "'../x' is not a spec id"),
    ("an id of capitals", lambda r: None, ["Fold", "--id", "Fold"], 2, "'Fold' is not a spec id"),
    ("an id too long", lambda r: None, ["Fold", "--id", "x" * 64], 2, "is not a spec id"),
    ("an id with another meaning", lambda r: None, ["Fold", "--id", "readme"], 2, "'readme' is not a spec id"),
    ("a device", lambda r: None, ["Fold", "--id", "con"], 2, "'con' is not a spec id"),
    ("an out that is no id", lambda r: None, ["Fold", "--out", "Fold.md"], 2, "'Fold' is not a spec id"),
    ("an out that is not markdown", lambda r: None, ["Fold", "--out", "fold.txt"], 2, "--out fold.txt: a spec's file is called <id>.md"),
    ("an out and another id", lambda r: None, ["Fold", "--out", "fold.md", "--id", "other"], 2, "--out fold.md: a spec's file is called"),
    ("no title", lambda r: None, [], 2, "new needs a title, --from REV or --staged"),
    ("an empty title", lambda r: None, [" "], 2, "the title must be one visible line"),
    ("a title too long", lambda r: None, ["x" * 73], 2, "the title has 73 characters: at most 72"),
    ("a revision that is none", lambda r: None, ["--from", "nope"], 2, "no commit is named 'nope' here"),
    ("a revision like an option", lambda r: None, ["--from=--all"], 2, "no commit is named '--all' here"),
    ("both sources", lambda r: None, ["--from", "HEAD", "--staged"], 2, "not allowed with argument"),
    ("a first commit", lambda r: None, ["--from", "HEAD^"], 1, "is a first commit"),
    ("nothing staged", lambda r: None, ["--staged"], 1, "the index changes nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "args", "code", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refusals_write_nothing(before: Callable[[Path], object], args: list[str], code: int, said: str, repo: Path) -> None:
    before(repo)
    state = git(repo, "status", "--porcelain", "-uall")
    done = split_ci(repo, "new", *args, code=code)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert git(repo, "status", "--porcelain", "-uall") == state


def test_what_cant_be_said_is_named_before_anything_is_written(repo: Path) -> None:
    commit(repo, {"pic.png": b"\0\1", "b.txt": "b\n"})
    done = split_ci(repo, "new", "--from", "HEAD", code=1)
    assert done.stderr.splitlines()[0].endswith("holds what a spec can't say: pic.png: binary content")
    assert listed(repo) == []


def test_a_bare_repository_needs_out(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    bare = tmp_path_factory.mktemp("bare") / "x.git"
    git(repo, "clone", "-q", "--bare", ".", str(bare))
    assert "has no specs folder" in split_ci(bare, "new", "--from", "HEAD", code=2).stderr
    out = bare.parent / "one.md"
    split_ci(bare, "new", "--from", "HEAD", "--out", str(out))
    assert "status: ready" in out.read_text()


def test_nothing_is_left_beside_the_spec(repo: Path) -> None:
    split_ci(repo, "new", "--from", "HEAD", "--id", "one")
    split_ci(repo, "new", "--from", "HEAD", "--id", "two")
    assert listed(repo) == ["one.md", "two.md"]
    assert (repo / "specs/one.md").stat().st_nlink == 1
    assert git(repo, "status", "--porcelain") == "?? specs/"
