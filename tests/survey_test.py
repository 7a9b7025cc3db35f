"""What a designer is shown: a map that fits, and files of the commit alone, within the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from split_ci.git import Repo
from split_ci.survey import FILE_BYTES, Reading, render_map, sizes
from tests.builders import git, make_repo

if TYPE_CHECKING:
    from pathlib import Path

FILES: dict[str, str | bytes] = {
    "a.txt": "one\n", "src/b.py": "x = 1\n", "bin": b"\xff\0", "big": "x" * (FILE_BYTES + 1), "läufer.md": "ü\n", ".env": "K=1\n",
}  # fmt: skip


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    root = make_repo(tmp_path / "r", FILES)
    (root / "link").symlink_to("a.txt")
    (root / "out").symlink_to("/etc/passwd")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "links")
    (root / "later.txt").write_text("not in any commit")
    return Repo.find(str(root))


def test_the_map_holds_plain_files_of_the_commit(repo: Repo) -> None:
    found = sizes(repo, repo.commit("HEAD"))
    assert set(found) == set(FILES)
    assert render_map({"a.txt": 4, "src/b.py": 6}) == '"a.txt" 4\n"src/b.py" 6\n'


def test_a_map_that_does_not_fit_is_told_by_folders() -> None:
    files = {f"src/pkg{n % 7}/deep/file{n}.py": 10 for n in range(2000)} | {"README.md": 5}
    told = render_map(files, 2000)
    assert len(told.encode()) <= 2000
    assert '"README.md" 5\n' in told
    assert '"src/pkg0/deep/" 286 files, 2860\n' in told
    flat = render_map({f"file{n}": 1 for n in range(2000)}, 300)
    assert len(flat.encode()) <= 330
    assert flat.endswith(" more\n")
    assert render_map({}) == "\n"


ROWS = {
    "../a.txt": "the path",
    "/etc/passwd": "the path",
    ".git/config": "the path",
    "later.txt": "there is no such file",
    "src": "not a plain file",
    "link": "not a plain file",
    "out": "not a plain file",
    "bin": "not UTF-8 text",
    "big": "65537 bytes: at most",
    "a\nb": "the path",
}


@pytest.mark.parametrize(("path", "fault"), ROWS.items(), ids=[ascii(path) for path in ROWS])
def test_what_is_not_shown(repo: Repo, path: str, fault: str) -> None:
    [page] = Reading(repo.tree(repo.commit("HEAD"))).pages([path])
    assert page.text == ""
    assert page.fault.startswith(fault)


def test_files_are_shown_once_and_within_the_budget(repo: Repo) -> None:
    reading = Reading(repo.tree(repo.commit("HEAD")), 10)
    pages = reading.pages(["src/b.py", "a.txt", "src/b.py", "läufer.md"])
    assert [page.text for page in pages] == ["x = 1\n", "one\n", "", ""]
    assert pages[2].fault == "you were shown it already"
    assert pages[3].fault.startswith("3 bytes: at most")
    assert list(reading.read) == ["src/b.py", "a.txt"]
