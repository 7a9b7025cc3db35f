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
from split_ci.git import clean_env
from split_ci.patch import Hunk, Misfit, PatchFault, apply_hunks, parse, patch_paths
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
NAMES = [
    "a",
    "b.txt",
    "dir/a",
    "dir/deep/b",
    "with blank",
    "dir/tab\tname",
    "\u00e9t\u00e9",
    'q"uote',
    "back\\slash",
    "b/b",
    "a b/c",
]


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
@given(
    pair=trees(),
    options=st.sampled_from(
        [["-M"], ["-M", "-C", "--find-copies-harder"], ["--no-renames"], ["-M", "-U1"], ["-M", "--full-index"]]
    ),
)
def test_what_git_diff_writes_gives_the_new_tree(
    repo: Path, pair: tuple[dict[str, File], dict[str, File]], options: list[str]
) -> None:
    before, after = pair
    old, new = write_tree(repo, before), write_tree(repo, after)
    diff = git_diff(repo, *options, old, new)
    if not diff:
        return
    applied = apply_exact([Patch(diff, 1)], MemoryTree(before))
    assert applied.problems == ()
    result = {**before, **applied.files}
    assert {path: file for path, file in result.items() if file is not None} == after


PART = "diff --git a/x b/x\n--- a/x\n+++ b/x\n"
HUNK = "@@ -1 +1 @@\n-x\n+y\n"
AGAIN = "paste what `git diff` prints, unchanged"
PREFIXES = "make it with `git diff`, with its prefixes"
PLAIN_ONLY = "only plain files can be changed"
COUNTS = "the hunk of line 4 does not hold as many lines as its counts say"
HEADER = "this line is not `diff --git a/… b/…`"
BAD = {
    "nothing": ("", "SP129", 1, "the diff is empty", AGAIN),
    "words first": ("From 123\n" + PART + HUNK, "SP129", 1, HEADER, AGAIN),
    "no header": ("--- a/x\n+++ b/x\n" + HUNK, "SP129", 1, HEADER, AGAIN),
    "no prefixes": ("diff --git x x\n--- x\n+++ x\n" + HUNK, "SP129", 1, "the two names are not `a/NAME b/NAME`", PREFIXES),
    "two names": ("diff --git a/x b/y\n" + HUNK, "SP129", 1, "the two names are not `a/NAME b/NAME`", PREFIXES),
    "other names below": ("diff --git a/x b/x\n--- a/y\n+++ b/x\n", "SP129", 2, "this line is not `--- a/x`", AGAIN),
    "no plus line": ("diff --git a/x b/x\n--- a/x\n" + HUNK, "SP129", 3, "this line is not `+++ b/x`", AGAIN),
    "no hunk": (PART, "SP129", 3, "there is no hunk (`@@ … @@`) here", AGAIN),
    "nothing said": ("diff --git a/x b/x\nindex 1..2\n", "SP129", 2, "nothing is said about `x`", AGAIN),
    "half a rename": ("diff --git a/x b/y\nrename from x\n", "SP129", 1, "`rename from` and `rename to` belong together", AGAIN),
    "a bad hunk head": (PART + "@@ -1 1 @@\n", "SP129", 4, "this line is not `@@ -l,n +l,n @@`", AGAIN),
    "a hunk cut short": (PART + "@@ -1,2 +1,2 @@\n x\n", "SP129", 5, "the hunk of line 4 ends too early: its counts say more lines", AGAIN),
    "wrong counts": (PART + "@@ -1,2 +1,1 @@\n x\n+y\n", "SP129", 6, COUNTS, AGAIN),
    "a mark that is none": (PART + "@@ -1 +1 @@\n-x\n*y\n", "SP129", 6, COUNTS, AGAIN),
    "words after": (PART + HUNK + "-- \n2.39\n", "SP129", 7, HEADER, AGAIN),
    "a file twice": ((PART + HUNK) * 2, "SP129", 7, "`x` is in the diff twice", "make one diff of it"),
    "a bad quote": ('diff --git "a/\\9" "b/\\9"\n', "SP129", 1, 'the name "a/\\9" is not quoted as git does it', AGAIN),
    "a symlink": ("diff --git a/x b/x\nnew file mode 120000\n", "SP308", 2, "the diff changes a symlink", PLAIN_ONLY),
    "a submodule": ("diff --git a/x b/x\ndeleted file mode 160000\n", "SP308", 2, "the diff changes a submodule", PLAIN_ONLY),
    "an odd mode": (
        "diff --git a/x b/x\nold mode 100644\nnew mode 100664\n", "SP308", 3, "the diff changes a file of mode 100664", PLAIN_ONLY),
    "a binary": (
        "diff --git a/x b/x\nindex 1..2 100644\nGIT binary patch\nliteral 1\n", "SP308", 3, "a binary patch",
        "move or delete binary files; their content can't be written in a spec"),
}  # fmt: skip


@pytest.mark.parametrize(("diff", "code", "line", "message", "fix"), BAD.values(), ids=BAD.keys())
def test_what_git_would_not_write_is_refused(diff: str, code: str, line: int, message: str, fix: str) -> None:
    assert parse(diff) == PatchFault(code, line, message, fix)
    assert patch_paths(diff) == ()


def test_the_paths_of_a_patch() -> None:
    diff = (
        PART
        + HUNK
        + "diff --git a/n b/n\nnew file mode 100644\n"
        + "diff --git a/d b/d\ndeleted file mode 100755\n"
        + 'diff --git a/o "b/\\303\\244"\nsimilarity index 100%\nrename from o\nrename to "\\303\\244"\n'
        + "diff --git a/o b/c\nsimilarity index 100%\ncopy from o\ncopy to c\n"
    )
    assert patch_paths(diff) == (
        ("x", "change"), ("n", "create"), ("d", "delete"), ("o", "move"), ("\u00e4", "move"), ("o", "copy"), ("c", "copy"),
    )  # fmt: skip


def hunk(start: int, before: bytes, after: bytes, *, tail: bool = True) -> Hunk:
    return Hunk(start, tuple(before.splitlines(keepends=True)), tuple(after.splitlines(keepends=True)), tail, 1)


AB, CB = b"a\nb\n", b"c\nb\n"
FITS: dict[str, tuple[bytes, list[Hunk], bytes | str]] = {
    "where it says": (AB + AB, [hunk(3, AB, CB)], AB + CB),
    "elsewhere, once": (b"0\n" + AB, [hunk(9, AB, CB)], b"0\n" + CB),
    "elsewhere, twice": (AB + AB, [hunk(9, AB, CB)], "its old lines are not at line 9, and more than once elsewhere (lines 1, 3)"),
    "elsewhere, after the one before": (b"0\n" + AB + AB, [hunk(9, b"0\n" + AB, b"0\n"), hunk(12, AB, CB)], b"0\n" + CB),
    "a stated line counts only where all do": (
        b"0\n" + AB + AB + b"z\n" + AB, [hunk(2, AB, CB), hunk(5, b"z\n", b"y\n")],
        "its old lines are not at line 2, and more than once elsewhere (lines 2, 4, 7)"),
    "a part of a line": (b"xa\nb\n", [hunk(2, AB, CB)], "its old lines (from line 2) are not there"),
    "from line 1, further down": (b"0\n" + AB, [hunk(1, AB, CB)], "its old lines (from line 1) are not there"),
    "at the end, with more below": (AB + b"c\n", [hunk(2, b"b\n", b"x\n", tail=False)], "its old lines (from line 2) are not there"),
    "at the end": (b"0\n" + AB, [hunk(2, b"b\n", b"b\nx\n", tail=False)], b"0\n" + AB + b"x\n"),
    "no final newline": (b"a\nb", [hunk(1, b"a\nb", AB, tail=False)], AB),
    "another final newline": (AB, [hunk(1, b"a\nb", b"a\nc", tail=False)], "its old lines (from line 1) are not there"),
    "into an empty file": (b"", [hunk(0, b"", b"a\n", tail=False)], b"a\n"),
    "no context": (b"a\n", [hunk(1, b"", b"b\n", tail=False)], "it has no line of context, and the file is not empty"),
    "returns follow": (b"a\r\nb\r\n", [hunk(1, AB, CB)], b"c\r\nb\r\n"),
    "returns written out": (b"a\r\nb\r\n", [hunk(1, b"a\r\nb\r\n", b"c\nb\r\n")], b"c\nb\r\n"),
    "mixed ends are raw": (b"a\r\nb\n", [hunk(1, AB, CB)], "its old lines (from line 1) are not there"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "hunks", "expected"), FITS.values(), ids=FITS.keys())
def test_where_hunks_fit(data: bytes, hunks: list[Hunk], expected: bytes | str) -> None:
    found = apply_hunks(data, tuple(hunks))
    assert (found.message if isinstance(found, Misfit) else found) == expected
