"""The engine: exact sections on a tree, every verb, every end of line, and the reason where one does not take."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from split_ci.edit import MAX_BYTES, apply_exact, line_model
from split_ci.ports import File
from split_ci.spec import Create, Delete, Edit, Instruct, Move, Pair, Patch, Replace, parse_spec
from tests.trees import MemoryTree

Files = dict[str, str | bytes | File]
Ends = dict[str, str | bytes | File | None]


def edit(before: str, after: str, count: int = 1, path: str = "a") -> Edit:
    return Edit(path, (Pair(before, after, count, 20, 30),), 10)


def diff(path: str, body: str) -> str:
    return f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n{body}"


def rename(old: str, new: str) -> str:
    return f"diff --git a/{old} b/{new}\nsimilarity index 100%\nrename from {old}\nrename to {new}\n"


X = File(b"x\n", "100755")
TAKES: dict[str, tuple[list[object], Files, Ends, dict[str, str]]] = {
    "one line": ([edit("x\n", "y\n")], {"a": "1\nx\n2\n"}, {"a": "1\ny\n2\n"}, {}),
    "the first line": ([edit("1\n", "y\n")], {"a": "1\nx\n"}, {"a": "y\nx\n"}, {}),
    "all of it": ([edit("1\nx\n", "y\n")], {"a": "1\nx\n"}, {"a": "y\n"}, {}),
    "an empty after deletes": ([edit("x\n", "")], {"a": "1\nx\n2\n"}, {"a": "1\n2\n"}, {}),
    "an empty file is left": ([edit("x\n", "")], {"a": "x\n"}, {"a": ""}, {}),
    "an empty line": ([edit("\n", "y\n")], {"a": "1\n\n2\n"}, {"a": "1\ny\n2\n"}, {}),
    "three times": ([edit("x\n", "y\n", 3)], {"a": "x\nx\n1\nx"}, {"a": "y\ny\n1\ny"}, {}),
    "no final newline, in the middle": ([edit("x\n", "y\n")], {"a": "x\n1"}, {"a": "y\n1"}, {}),
    "no final newline, at the end": ([edit("1\n", "y\nz\n")], {"a": "x\n1"}, {"a": "x\ny\nz"}, {}),
    "no final newline, the end deleted": ([edit("1\n", "")], {"a": "x\n1"}, {"a": "x"}, {}),
    "no final newline, the only line": ([edit("1\n", "")], {"a": "1"}, {"a": ""}, {}),
    "carriage returns stay": ([edit("x\n", "y\nz\n")], {"a": "1\r\nx\r\n"}, {"a": "1\r\ny\r\nz\r\n"}, {}),
    "carriage returns, no final newline": ([edit("x\n", "y\nz\n")], {"a": "1\r\nx"}, {"a": "1\r\ny\r\nz"}, {}),
    "mixed line ends are raw": ([edit("x\r\n", "y\n")], {"a": "x\r\nx\n"}, {"a": "y\nx\n"}, {}),
    "written returns are literal": ([edit("x\r\n", "a\rb\n")], {"a": "x\r\n1\r\n"}, {"a": "a\rb\n1\r\n"}, {}),
    "a byte order mark stays": ([edit("x\n", "y\n")], {"a": "\ufeffx\n"}, {"a": "\ufeffy\n"}, {}),
    "marks, returns, no end": ([edit("2\n", "3\n")], {"a": "\ufeff1\r\n2"}, {"a": "\ufeff1\r\n3"}, {}),
    "the mode stays": ([edit("x\n", "y\n")], {"a": X}, {"a": File(b"y\n", "100755")}, {}),
    "odd line ends are text": ([edit("a\x0cb\u2028c\x85\n", "y\n")], {"a": "a\x0cb\u2028c\x85\n"}, {"a": "y\n"}, {}),
    "a NUL is text": ([edit("a\0\n", "b\0\n")], {"a": "a\0\n"}, {"a": "b\0\n"}, {}),
    "later sections see what earlier ones made": ([edit("x\n", "y\n"), edit("y\n", "z\n")], {"a": "x\n"}, {"a": "z\n"}, {}),
    "there and back is no change": ([edit("x\n", "y\n"), edit("y\n", "x\n")], {"a": "x\n"}, {}, {}),
    "pairs in order": ([Edit("a", (Pair("x\n", "y\n", 1, 2, 3), Pair("y\n", "z\n", 1, 4, 5)), 1)], {"a": "x\n"}, {"a": "z\n"}, {}),
    "create": ([Create("d/a", "x", True, 1)], {}, {"d/a": File(b"x", "100755")}, {}),
    "create, then edit": ([Create("a", "x\n", False, 1), edit("x\n", "y\n")], {}, {"a": "y\n"}, {}),
    "replace": ([Replace("a", "y\n", False, 1)], {"a": X}, {"a": File(b"y\n", "100755")}, {}),
    "replace follows line ends and mark": ([Replace("a", "1\n2", False, 1)], {"a": "\ufeffx\r\n"}, {"a": "\ufeff1\r\n2"}, {}),
    "replace makes executable": ([Replace("a", "x\n", True, 1)], {"a": "x\n"}, {"a": X}, {}),
    "delete": ([Delete("a", 1)], {"a": b"\xff"}, {"a": None}, {}),
    "delete, then create": ([Delete("a", 1), Create("a", "y\n", False, 2)], {"a": X}, {"a": "y\n"}, {}),
    "a file where a folder was": ([Delete("a/b", 1), Create("a", "y\n", False, 2)], {"a/b": "1"}, {"a/b": None, "a": "y\n"}, {}),
    "a folder where a file was": ([Move("a", "a/b", 1)], {"a": "1"}, {"a": None, "a/b": "1"}, {"a/b": "a"}),
    "move": ([Move("a", "d/b", 1)], {"a": File(b"\xff\0", "100755")}, {"a": None, "d/b": File(b"\xff\0", "100755")}, {"d/b": "a"}),
    "move twice": ([Move("a", "b", 1), Move("b", "c", 2)], {"a": "x"}, {"a": None, "c": "x"}, {"c": "a"}),
    "move there and back": ([Move("a", "b", 1), Move("b", "a", 2)], {"a": "x"}, {}, {}),
    "move, then edit by the new name": ([Move("a", "b", 1), edit("x\n", "y\n", path="b")], {"a": "x\n"}, {"a": None, "b": "y\n"}, {}),
    "edit, then move": ([edit("x\n", "y\n"), Move("a", "b", 1)], {"a": "x\n"}, {"a": None, "b": "y\n"}, {}),
    "move, then create at the old path": ([Move("a", "b", 1), Create("a", "n", False, 2)], {"a": "x"}, {"a": "n", "b": "x"}, {"b": "a"}),
    "swap by moves": (
        [Move("a", "t", 1), Move("b", "a", 2), Move("t", "b", 3)], {"a": "1", "b": "2"}, {"a": "2", "b": "1"}, {"a": "b", "b": "a"}),
    "patch": ([Patch(diff("a", "@@ -1,2 +1,2 @@\n x\n-y\n+z\n"), 1)], {"a": "x\ny\n"}, {"a": "x\nz\n"}, {}),
    "patch follows line ends": ([Patch(diff("a", "@@ -1,2 +1,2 @@\n x\n-y\n+z\n"), 1)], {"a": "x\r\ny\r\n"}, {"a": "x\r\nz\r\n"}, {}),
    "patch of what is not UTF-8": ([Patch(diff("a", "@@ -1,2 +1,2 @@\n x\n-\udcff\n+z\n"), 1)], {"a": b"x\n\xff\n"}, {"a": "x\nz\n"}, {}),
    "patch swaps": ([Patch(rename("a", "b") + rename("b", "a"), 1)], {"a": "1", "b": "2"}, {"a": "2", "b": "1"}, {"a": "b", "b": "a"}),
    "patch in another place": (
        [Patch(diff("a", "@@ -1,3 +1,3 @@\n x\n-y\n+z\n v\n".replace("-1,3 +1,3", "-7,3 +7,3")), 1)], {"a": "0\nx\ny\nv\n"}, {"a": "0\nx\nz\nv\n"}, {}),
    "instructions are passed over": ([Instruct(("a",), "x", 1), edit("x\n", "y\n")], {"a": "x\n"}, {"a": "y\n"}, {}),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "files", "ends", "moved"), TAKES.values(), ids=TAKES.keys())
def test_sections_take(changes: list[object], files: Files, ends: Ends, moved: dict[str, str]) -> None:
    applied = apply_exact(changes, MemoryTree(files), "specs/x.md")  # type: ignore[arg-type]
    assert applied.problems == ()
    expected = MemoryTree({path: end for path, end in ends.items() if end is not None}).files
    assert applied.files == {path: expected.get(path) for path in ends}
    assert applied.moved == moved
    assert applied.left == ()
    assert applied.edits == sum(
        0 if isinstance(c, Instruct) else len(c.pairs) if isinstance(c, Edit) else 1 for c in changes
    ) + ("swaps" in repr(changes) or len(repr(changes).split("rename from")) > 2)


LINK, GITLINK = File(b"x", "120000"), File(b"", "160000")
GONE = "make the diff again, against the base"
FAILS: dict[str, tuple[list[object], Files, list[str]]] = {
    "an indentation": ([edit("\tx\n", "y\n")], {"a": "1\n  x\n"}, [
        "20 SP301 the text of `Before` is not in `a`: line 2 differs only in blanks | copy the lines from `a` as they are"]),
    "blanks at line ends": ([edit("x\n1\n", "y\n")], {"a": "x \n1\n"}, [
        "20 SP301 the text of `Before` is not in `a`: line 1 differs only in blanks at line ends | copy the lines from `a` as they are"]),
    "case": ([edit("X\n", "y\n")], {"a": "1\nx\n"}, [
        "20 SP301 the text of `Before` is not in `a`: line 2 differs only in upper and lower case | copy the lines from `a` as they are"]),
    "line ends": ([edit("x\n2\n", "y\n")], {"a": "1\nx\r\n2\n"}, [
        "20 SP301 the text of `Before` is not in `a`: line 2 differs only in its line ends (carriage returns are written `\\r`, in an `escaped` fence) | copy the lines from `a` as they are"]),
    "part of a line": ([edit("bc\n", "y\n")], {"a": "1\nabcd\n"}, [
        "20 SP301 the text of `Before` is not in `a`: it is only a part of line 2; whole lines are compared | copy the lines from `a` as they are"]),
    "one line of three": ([edit("x\nq\nz\n", "y\n")], {"a": "1\nx\ny\nz\n"}, [
        "20 SP301 the text of `Before` is not in `a`: nearest at line 2, where `q` is asked for and line 3 is `y` | copy the lines from `a` as they are"]),
    "words": ([edit("def load(path, mode):\n", "y\n")], {"a": "1\ndef load(path):\n"}, [
        "20 SP301 the text of `Before` is not in `a`: nearest is line 2: `def load(path):` | copy the lines from `a` as they are"]),
    "nothing like it": ([edit("foo\n", "y\n")], {"a": "1\n"}, [
        "20 SP301 the text of `Before` is not in `a`: no line of it is like this | copy the lines from `a` as they are"]),
    "an empty file": ([edit("foo\n", "y\n")], {"a": ""}, [
        "20 SP301 the text of `Before` is not in `a`: the file is empty | copy the lines from `a` as they are"]),
    "done already": ([edit("x\n", "y\n")], {"a": "1\ny\n"}, [
        "20 SP301 the text of `Before` is not in `a`: that of `After` is, at line 2 | take the pair away if it is done already"]),
    "changed earlier": ([edit("x\n", "z\n"), edit("x\n", "y\n")], {"a": "x\n"}, [
        "20 SP301 the text of `Before` is not in `a`: an earlier section or pair changed it | write `Before` as that leaves the text"]),
    "twice": ([edit("x\n", "y\n")], {"a": "x\n1\nx\n"}, [
        "20 SP302 the text of `Before` is in `a` 2 times (lines 1, 3), not once | add a line of context, or write `Before (2 times):`"]),
    "many times": ([edit("x\n", "y\n")], {"a": "x\n" * 9}, [
        "20 SP302 the text of `Before` is in `a` more than 5 times (lines 1, 2, 3, 4, 5, …), not once | add a line of context"]),
    "too few times": ([edit("x\n", "y\n", 3)], {"a": "x\n1\nx\n"}, [
        "20 SP302 the text of `Before` is in `a` 2 times (lines 1, 3), not 3 times | write `Before (2 times):`"]),
    "once and not twice": ([edit("x\n", "y\n", 2)], {"a": "x\n1\n"}, [
        "20 SP302 the text of `Before` is in `a` once (line 1), not 2 times | write `Before:`"]),
    "an overlap": ([edit("x\nx\n", "y\n")], {"a": "x\nx\nx\n"}, [
        "20 SP302 the text of `Before` is in `a` 2 times (lines 1, 2), not once | add a line of context, or write `Before (2 times):`"]),
    "an overlap that counts right": ([edit("x\nx\n", "y\n", 2)], {"a": "x\nx\nx\n"}, [
        "20 SP302 the text of `Before` is in `a` 2 times (lines 1, 2), and overlaps itself | add a line of context"]),
    "two pairs fail, both are told": ([Edit("a", (Pair("p\n", "y\n", 1, 2, 3), Pair("1\n", "z\n", 1, 4, 5), Pair("q\n", "", 1, 6, 7)), 1)], {"a": "1\n"}, [
        "2 SP301 the text of `Before` is not in `a`: no line of it is like this | copy the lines from `a` as they are",
        "6 SP301 the text of `Before` is not in `a`: no line of it is like this | copy the lines from `a` as they are"]),
    "edit what is not there": ([edit("x\n", "y\n")], {}, ["10 SP303 `a` is not there | mend the path, or make the file with `Create`"]),
    "delete twice": ([Delete("a", 1), Delete("a", 2)], {"a": ""}, ["2 SP303 `a` is not there | mend the path, or make the file with `Create`"]),
    "create what is there": ([Create("a", "", False, 3)], {"a": ""}, ["3 SP304 `a` is there already | use `Edit` or `Replace`, or delete it first"]),
    "move onto a file": ([Move("a", "b", 3)], {"a": "", "b": ""}, ["3 SP304 `b` is there already | use `Edit` or `Replace`, or delete it first"]),
    "not UTF-8": ([edit("x\n", "y\n")], {"a": b"\xff"}, [
        "10 SP305 `a` is not UTF-8 text | such a file can be moved, deleted or patched, not edited"]),
    "replace what is not UTF-8": ([Replace("a", "x\n", False, 3)], {"a": b"\xff"}, [
        "3 SP305 `a` is not UTF-8 text | such a file can be moved, deleted or patched, not edited"]),
    "pairs that undo each other": ([Edit("a", (Pair("x\n", "y\n", 1, 2, 3), Pair("y\n", "x\n", 1, 4, 5)), 1)], {"a": "x\n"}, [
        "1 SP307 nothing would change in `a` | take the section away, or mend `After`"]),
    "replace by itself": ([Replace("a", "x\n", False, 3)], {"a": "x\r\n"}, [
        "3 SP307 nothing would change in `a` | take the section away, or mend its text"]),
    "a mode that it has": ([Patch("diff --git a/a b/a\nold mode 100644\nnew mode 100755\n", 3)], {"a": X}, ["3 SP307 nothing would change | take the section away"]),
    "too large": ([Create("a", "x" * (MAX_BYTES + 1), False, 3)], {}, [
        "3 SP309 `a` would have 8,388,609 bytes, at most 8,388,608 are written | make the file smaller, or leave it out"]),
    "a hunk that does not fit": ([Patch(diff("a", "@@ -1,2 +1,2 @@\n x\n-y\n+z\n"), 3, 4)], {"a": "x\n"}, [
        f"8 SP306 a hunk does not fit `a`: its old lines (from line 1) are not there | {GONE}"]),
    "a hunk that fits twice": ([Patch(diff("a", "@@ -9,3 +9,3 @@\n x\n-y\n+z\n v\n"), 3, 4)], {"a": "x\ny\nv\n" * 2}, [
        f"8 SP306 a hunk does not fit `a`: its old lines are not at line 9, and more than once elsewhere (lines 1, 4) | {GONE}"]),
    "a hunk without context": ([Patch(diff("a", "@@ -1,0 +2 @@\n+z\n"), 3, 4)], {"a": "x\n"}, [
        f"8 SP306 a hunk does not fit `a`: it has no line of context, and the file is not empty | {GONE}"]),
    "a patch that deletes half": ([Patch("diff --git a/a b/a\ndeleted file mode 100644\n", 3, 4)], {"a": "x\n"}, [
        f"5 SP306 the diff deletes `a` and leaves lines of it | {GONE}"]),
    "a patch onto a file": ([Patch(rename("a", "b"), 3, 4)], {"a": "x\n", "b": ""}, [
        "5 SP304 `b` is there already | use `Edit` or `Replace`, or delete it first"]),
    "a patch that is none": ([Patch("x\n", 3, 4)], {}, ["5 SP129 this line is not `diff --git a/… b/…` | paste what `git diff` prints, unchanged"]),
    "a symlink": ([edit("x\n", "y\n")], {"a": LINK}, ["10 SP202 `a` is a symlink | name the file itself, by its own path"]),
    "a symlink on the way": ([Create("a/b/c", "", False, 3)], {"a": LINK}, [
        "3 SP202 `a` is a symlink, on the way to `a/b/c` | name the file itself, by its own path"]),
    "a submodule": ([Delete("a", 3)], {"a": GITLINK}, ["3 SP208 `a` is a submodule | change it in its own repository"]),
    "in a submodule": ([edit("x\n", "y\n", path="a/b")], {"a": GITLINK}, [
        "10 SP208 `a` is a submodule, on the way to `a/b` | change it in its own repository"]),
    "a folder": ([Create("a", "", False, 3)], {"a/b": ""}, ["3 SP207 `a` is a folder | name a file"]),
    "below a file": ([Move("b", "a/c", 3)], {"a": "", "b": ""}, ["3 SP207 `a` is a file, on the way to `a/c` | mend the path, or move that file away first"]),
    "below a file that was made": ([Create("a", "", False, 3), Create("a/b", "", False, 4)], {}, [
        "4 SP207 `a` is a file, on the way to `a/b` | mend the path, or move that file away first"]),
    "outside": ([Create("../a", "", False, 3)], {}, [
        "3 SP201 `../a` is not a path below the root | write it relative to the root, without `.` and `..`"]),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "files", "expected"), FAILS.values(), ids=FAILS.keys())
def test_a_section_that_fails_says_why_and_leaves_no_trace(changes: list[object], files: Files, expected: list[str]) -> None:
    tree = MemoryTree(files)
    last = changes[-1]
    applied = apply_exact([*changes, Create("after", "", False, 99)], tree, "specs/x.md")  # type: ignore[list-item]
    assert [f"{p.line} {p.code} {p.message} | {p.fix}" for p in applied.problems] == expected
    assert applied.left == (last,)
    assert applied.reasons == (applied.problems,)
    assert all(p.path == "specs/x.md" for p in applied.problems)
    without = apply_exact([*changes[:-1], Create("after", "", False, 99)], tree)  # type: ignore[list-item]
    assert applied.files == without.files
    assert applied.files["after"] == File(b"")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab\r\n\ufeff \0\u00e9", max_size=30) | st.binary(max_size=20))
def test_a_line_model_gives_its_bytes_back(content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    model = line_model(data)
    assert model is None or model.data() == data


LINES = st.lists(
    st.sampled_from(["a", "b", "", " a", "a ", "\ta", "```", "````", "---", "# x", "Before:", "\u00e9"]),
    min_size=1,
    max_size=12,
)


def fenced(lines: list[str]) -> str:
    return "\n".join(["`````", *lines, "`````"])


@settings(max_examples=200, deadline=None)
@given(data=st.data(), lines=LINES, returns=st.booleans(), final=st.booleans(), mark=st.booleans())
def test_an_edit_written_out_changes_those_lines_and_no_others(
    data: st.DataObject, lines: list[str], returns: bool, final: bool, mark: bool
) -> None:
    at = data.draw(st.integers(0, len(lines) - 1))
    end = data.draw(st.integers(at + 1, len(lines)))
    new = data.draw(LINES)
    eol = "\r\n" if returns and len(lines) > 1 else "\n"

    def content(of: list[str]) -> bytes:
        return (
            (("\ufeff" if mark else "") + "".join(line + eol for line in of))
            .removesuffix("" if final or not of else eol)
            .encode()
        )

    places = [i for i in range(len(lines)) if lines[i : i + end - at] == lines[at:end]]
    text = f"---\ntitle: x\naccept: [{{missing: b}}]\n---\n## Changes\n### Edit `a`\nBefore:\n{fenced(lines[at:end])}\nAfter:\n{fenced(new)}\n"
    spec = parse_spec(text.encode(), "specs/x.md").spec
    if spec is None or not spec.changes or (not final and lines[-1] == ""):  # after is before; or no such file
        return
    applied = apply_exact(spec.changes, MemoryTree({"a": content(lines)}))
    if len(places) > 1:
        assert [p.code for p in applied.problems] == ["SP302"]
    else:
        assert applied.problems == ()
        assert applied.files == {"a": File(content([*lines[:at], *new, *lines[end:]]))}
