"""git's diffs: what git writes is applied byte for byte, what it would not write is refused by line."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from split_ci.change import Patch
from split_ci.edit import apply_exact
from split_ci.patch import Hunk, Misfit, PatchFault, apply_hunks, parse, patch_paths
from split_ci.git import clean_env
from split_ci.ports import File
from tests.builders import PERSON, git, make_repo
from tests.trees import MemoryTree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LINE = st.sampled_from(
    [b"a", b"b", b"c", b"", b" x", b"\tx", b"x ", b"+", b"-", b"--- a/x", b"+++ b/x", b"@@ -1 +1 @@", b"\\ No", b"diff --git a b",
     b"\xc3\xa9", b"\xff", b"\x00", b"q\rq", b"x" * 300]
)  # fmt: skip
END = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n"])
NAMES = ["a", "b.txt", "dir/a", "dir/deep/b", "with blank", "dir/tab\tname", "\u00e9t\u00e9", 'q"uote', "back\\slash", "b/b", "a b/c"]


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    end = draw(END)
    lines = draw(st.lists(LINE, max_size=12))
    text = b"".join(line + (end if draw(st.integers(0, 9)) else b"\n") for line in lines)
    return text if draw(st.booleans()) else text.removesuffix(b"\n")


@st.composite
def edited(draw: st.DrawFn, data: bytes) -> bytes:
    """A content that shares most lines with another."""
    lines = data.split(b"\n")
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(lines)))
        lines[at : at + draw(st.integers(0, 2))] = draw(st.lists(LINE, max_size=2))
    return b"\n".join(lines)


@st.composite
def trees(draw: st.DrawFn) -> tuple[dict[str, File], dict[str, File]]:
    """Two small trees: files that stay, change, change mode, come, go and move."""
    mode = st.sampled_from(["100644", "100644", "100755"])
    before: dict[str, File] = {}
    after: dict[str, File] = {}
    free = draw(st.permutations(NAMES))
    for name, target in zip(free[:6], free[6:], strict=False):
        old = File(draw(contents()), draw(mode))
        new = File(draw(edited(old.data)), draw(mode))
        what = draw(st.sampled_from(["change", "change", "come", "go", "move", "stay"]))
        if what != "come":
            before[name] = old
        if what in ("change", "come"):
            after[name] = new
        elif what == "stay":
            after[name] = old
        elif what == "move":
            after[target] = new if draw(st.booleans()) else old
    return before, after


def write_tree(repo: Path, files: Mapping[str, File]) -> str:
    for entry in repo.iterdir():
        if entry.name != ".git":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for name, file in files.items():
        path = repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        path.chmod(0o755 if file.mode == "100755" else 0o644)
    git(repo, "add", "-A")
    return git(repo, "write-tree")


def git_diff(repo: Path, *args: str) -> str:
    """A diff, byte for byte."""
    done = subprocess.run(["git", "diff", "--text", *args], cwd=repo, env=clean_env(PERSON), capture_output=True, check=True)
    return done.stdout.decode("utf-8", "surrogateescape")


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_repo(tmp_path_factory.mktemp("patch") / "repo", {})
    (root / ".git/info/attributes").write_text("* -text\n")
    return root


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(pair=trees(), options=st.sampled_from([["-M"], ["-M", "-C", "--find-copies-harder"], ["--no-renames"], ["-M", "-U1"], ["-M", "--full-index"]]))
def test_what_git_diff_writes_gives_the_new_tree(repo: Path, pair: tuple[dict[str, File], dict[str, File]], options: list[str]) -> None:
    before, after = pair
    old, new = write_tree(repo, before), write_tree(repo, after)
    diff = git_diff(repo, *options, old, new)
    if not diff:
        return
    applied = apply_exact([Patch(diff, 1)], MemoryTree(before))
    assert applied.problems == ()
    result = {**before, **applied.files}
    assert {path: file for path, file in result.items() if file is not None} == after
