"""From two states back to sections: applied by the real parser and engine, they give the new state byte for byte."""

from __future__ import annotations

import os
import random
import subprocess
from typing import TYPE_CHECKING

import pytest

from split_ci import writing
from split_ci.edit import apply_exact
from split_ci.inverse import Delta, Span, is_binary, moves, removals, spans, ways
from split_ci.ports import Entry, File
from split_ci.spec import Create, Edit, Move, Patch, Replace, parse_spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from split_ci.spec import Exact


class Files:
    """A tree in memory."""

    def __init__(self, files: Mapping[str, File]) -> None:
        self.files = dict(files)

    def entry(self, path: str) -> Entry | None:
        if path in self.files:
            return Entry(self.files[path].mode, "1" * 40)
        return Entry("040000", "2" * 40) if any(name.startswith(path + "/") for name in self.files) else None

    def names(self, folder: str) -> list[str]:
        start = f"{folder}/" if folder else ""
        return list(dict.fromkeys(name[len(start) :].split("/")[0] for name in self.files if name.startswith(start)))

    def read(self, path: str) -> File | None:
        return self.files.get(path)

    def paths(self) -> dict[str, Entry]:
        return {path: Entry(file.mode, "1" * 40) for path, file in self.files.items()}


def hunks(old: bytes, new: bytes, folder: Path) -> bytes:
    """What git says."""
    for name, data in (("old", old), ("new", new)):
        (folder / name).write_bytes(data)
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", "diff", "--no-index", "--text", "-U3", "old", "new"], cwd=folder, env=env, capture_output=True, check=False
    )
    at = done.stdout.find(b"\n@@ ")
    return done.stdout[at + 1 :] if at >= 0 else b""


def applied(sections: Sequence[Exact], files: Mapping[str, File]) -> dict[str, File]:
    """The files after the sections, written as a spec and read back."""
    head = writing.front_matter([("title", "x"), ("status", "ready")], ["exists: x"])
    parsed = parse_spec(writing.document(head, "Because.\n", map(writing.section, sections)), "specs/a.md")
    assert parsed.spec is not None, parsed.problems
    assert not parsed.problems
    made = apply_exact(parsed.spec.changes, Files(files), "specs/a.md")
    assert not made.problems
    result = {**files, **made.files}
    return {path: file for path, file in result.items() if file is not None}


def delta(old: bytes, new: bytes, folder: Path, *, modes: tuple[str, str] = ("100644", "100644")) -> Delta:
    return Delta("a.txt", File(old, modes[0]), File(new, modes[1]), hunks(old, new, folder))


LINES = b"".join(b"line %d\n" % n for n in range(40))
CRLF = LINES.replace(b"\n", b"\r\n")
TEXTS = [
    ("one line", LINES, LINES.replace(b"line 7\n", b"line seven\n")),
    ("first and last", LINES, LINES.replace(b"line 0\n", b"zero\n").replace(b"line 39\n", b"end\n")),
    ("inserted", LINES, LINES.replace(b"line 20\n", b"line 20\nmore\n")),
    ("inserted at the start", LINES, b"start\n" + LINES),
    ("inserted at the end", LINES, LINES + b"end\n"),
    ("deleted", LINES, LINES.replace(b"line 20\nline 21\n", b"")),
    ("all but one deleted", LINES, b"line 20\n"),
    ("no final newline, both", LINES + b"x", LINES.replace(b"line 3\n", b"three\n") + b"x"),
    ("no final newline, the last line", LINES + b"x", LINES + b"y"),
    ("final newline lost", LINES, LINES[:-1]),
    ("final newline gained", LINES[:-1], LINES),
    ("last line dropped, no newline", LINES + b"x", LINES[:-1]),
    ("emptied", LINES, b""),
    ("filled", b"", LINES),
    ("filled, no newline", b"", b"x"),
    ("one empty line", b"\n", b"\n\n"),
    ("only empty lines", b"\n" * 9, b"\n" * 7),
    ("crlf", CRLF, CRLF.replace(b"line 7\r\n", b"seven\r\n")),
    ("crlf, no final newline", CRLF + b"x", CRLF.replace(b"line 7\r\n", b"") + b"x"),
    ("crlf to lf", CRLF, LINES),
    ("lf to crlf", LINES, CRLF),
    ("mixed line ends", CRLF + LINES, CRLF + LINES.replace(b"line 7\n", b"7\n")),
    ("one end mended", CRLF + b"x\n" + CRLF, CRLF + b"x\r\n" + CRLF),
    ("one end broken", CRLF, CRLF.replace(b"line 7\r\n", b"line 7\n")),
    ("lone returns", b"a\rb\rc\n" + LINES, b"a\rB\rc\n" + LINES),
    ("only a return", b"\r", b"\r\r"),
    ("bom kept", b"\xef\xbb\xbf" + LINES, b"\xef\xbb\xbf" + LINES.replace(b"line 0\n", b"zero\n")),
    ("bom kept, crlf", b"\xef\xbb\xbf" + CRLF, b"\xef\xbb\xbf" + CRLF.replace(b"line 0\r\n", b"zero\r\n")),
    ("bom gained", LINES, b"\xef\xbb\xbf" + LINES),
    ("bom lost", b"\xef\xbb\xbf" + LINES, LINES),
    ("bom within", LINES, LINES + b"a\xef\xbb\xbfb\n"),
    ("trailing blanks gained", LINES, LINES.replace(b"line 7\n", b"line 7  \n")),
    ("trailing blanks lost", b"a \nb\t\nc\n", b"a\nb\nc\n"),
    ("tabs", b"\ta\n\t\tb\n", b"\ta\n\tb\n"),
    ("form feed", b"a\n\x0c\nb\n", b"a\n\x0c\nc\n"),
    ("other line ends", "a\u2028b\x85c\x0bd\n\n".encode(), "a\u2028b\x85c\x0bd\u2029\n\n".encode()),
    ("invisible", "a\u200bb\n".encode(), "a\u200b\u202eb\n".encode()),
    ("a nul far down", b"x" * 9000 + b"\n\0\na\n", b"x" * 9000 + b"\n\0\nb\n"),
    ("fences", b"```\na\n````\n", b"```\nb\n`````\n"),
    ("front matter", b"---\na: 1\n---\n", b"---\na: 2\n---\n"),
    ("conflict marks", b"<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n", b"y\n"),
    ("diff in a file", b"--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n", b"--- a\n+++ b\n@@ -1 +1 @@\n-x\n+z\n"),
    ("a spec in a file", b"## Changes\n### Edit `x`\nBefore:\n", b"## Changes\n### Edit `y`\nBefore:\n"),
    ("escapes in a file", b"a\\r\\n\\x20 \n", b"a\\r\\n\\x20 \\\n"),
    ("the same block many times", b"a\nb\n" * 50, b"a\nb\n" * 25 + b"c\n" + b"a\nb\n" * 25),
    ("a line twice", b"x\ny\nx\n", b"x\ny\nz\n"),
    ("moved block", LINES, LINES[100:] + LINES[:100]),
    ("not utf-8 beside it", b"caf\xe9\n\nb\nc\n", b"caf\xe9\n\nb\nd\n"),
    ("from not utf-8 to utf-8", b"caf\xe9\nb\n", "café\nb\n".encode()),
    ("one line of a megabyte", b"x" * 1_000_000 + b"\n", b"y" * 1_000_000 + b"\n"),
    ("one line of a megabyte, no newline", b"x" * 1_000_000, b"x" * 999_999 + b"y"),
    ("entities", b"&amp;&#10;<br>\n", b"&amp;&#13;<br>\n"),
]


@pytest.mark.parametrize(("old", "new"), [row[1:] for row in TEXTS], ids=[row[0] for row in TEXTS])
def test_the_first_way_gives_the_new_bytes(old: bytes, new: bytes, tmp_path: Path) -> None:
    for one, other in ((old, new), (new, old)):
        found = ways(delta(one, other, tmp_path))
        if b"\xe9" in other and b"\xe9" not in one:
            continue
        assert applied(found[0], {"a.txt": File(one)}) == {"a.txt": File(other)}


@pytest.mark.parametrize(("old", "new"), [row[1:] for row in TEXTS], ids=[row[0] for row in TEXTS])
def test_mode_and_content_together(old: bytes, new: bytes, tmp_path: Path) -> None:
    change = delta(old, new, tmp_path, modes=("100644", "100755"))
    assert applied(ways(change)[0], {"a.txt": File(old)}) == {"a.txt": File(new, "100755")}


@pytest.mark.parametrize(
    ("old", "new"), [row[1:] for row in TEXTS if b"\xe9" not in row[2]], ids=[r[0] for r in TEXTS if b"\xe9" not in r[2]]
)
def test_created_with_any_content(old: bytes, new: bytes) -> None:
    for data in {old, new} - {b"caf\xe9\nb\n"}:
        for mode in ("100644", "100755"):
            for way in ways(Delta("d/a.txt", None, File(data, mode))):
                assert applied(way, {}) == {"d/a.txt": File(data, mode)}


def test_random_edits(tmp_path: Path) -> None:
    rng = random.Random(7)
    for _ in range(60):
        lines = [
            rng.choice(["a", "b", "", "  x", "def f():", "}"]) + rng.choice(["\n", "\n", "\n", "\r\n"])
            for _ in range(rng.randrange(60))
        ]
        new = list(lines)
        for _ in range(rng.randrange(1, 9)):
            at = rng.randrange(len(new) + 1)
            new[at : at + rng.randrange(3)] = [rng.choice("abcd") + "\n" for _ in range(rng.randrange(3))]
        old_data, new_data = "".join(lines).encode(), "".join(new).encode()[: rng.choice([None, -1])]
        if old_data != new_data:
            for way in ways(delta(old_data, new_data, tmp_path))[:1]:
                assert applied(way, {"a.txt": File(old_data)}) == {"a.txt": File(new_data)}


def kinds(found: list[tuple[Exact, ...]]) -> list[str]:
    return [" ".join(type(change).__name__ for change in way) for way in found]


def test_a_small_change_is_an_edit_and_a_new_text_a_replace(tmp_path: Path) -> None:
    assert kinds(ways(delta(LINES, LINES.replace(b"line 7\n", b"7\n"), tmp_path))) == ["Edit", "Patch", "Replace"]
    assert kinds(ways(delta(LINES, LINES.upper(), tmp_path)))[0] == "Replace"
    assert kinds(ways(delta(LINES, LINES[:-1], tmp_path)))[0] == "Patch"
    assert kinds(ways(delta(LINES, LINES, tmp_path, modes=("100644", "100755")))) == ["Patch", "Delete Create"]
    assert kinds(ways(delta(CRLF, CRLF.replace(b"line 7", b"7"), tmp_path)))[0] == "Edit"


def test_a_before_is_grown_until_it_is_there_once(tmp_path: Path) -> None:
    old = b"if a:\n    x()\nelse:\n    y()\n" * 2 + b"end\n"
    [change] = ways(delta(old, old.replace(b"    y()\nend\n", b"    z()\nend\n"), tmp_path))[0]
    assert isinstance(change, Edit)
    assert [(pair.before, pair.after) for pair in change.pairs] == [("else:\n    y()\nend\n", "else:\n    z()\nend\n")]


def test_an_insertion_repeats_an_anchor_that_is_seen(tmp_path: Path) -> None:
    [change] = ways(delta(b"a\n\nb\n", b"a\n\nnew\nb\n", tmp_path))[0]
    assert isinstance(change, Edit)
    [pair] = change.pairs
    assert (pair.before, pair.after) == ("\nb\n", "\nnew\nb\n")


def test_a_file_changed_everywhere_is_not_a_thousand_pairs(tmp_path: Path) -> None:
    old = b"".join(b"line %d\nkeep %d\nkeep too\nand this\n" % (n, n) for n in range(400))
    found = ways(delta(old, old.replace(b"line ", b"LINE "), tmp_path))
    assert "Edit" not in kinds(found)
    assert applied(found[0], {"a.txt": File(old)}) == {"a.txt": File(old.replace(b"line ", b"LINE "))}


def test_five_thousand_lines(tmp_path: Path) -> None:
    old = b"".join(b"value_%d = %d\n" % (n % 97, n % 13) for n in range(5000))
    lines = old.split(b"\n")
    for n in range(100, 5000, 450):
        lines[n] += b" # touched"
    new = b"\n".join(lines)
    found = ways(delta(old, new, tmp_path))
    assert applied(found[0], {"a.txt": File(old)}) == {"a.txt": File(new)}


def test_content_that_is_no_text_has_no_way() -> None:
    assert ways(Delta("x", None, File(b"\xff\xfe"))) == []
    assert is_binary(b"a\0b")
    assert not is_binary(b"a" * 8000 + b"\0")


def test_spans_are_the_changed_lines_and_near_ones_are_one() -> None:
    diff = "@@ -1,9 +1,9 @@\n a\n-b\n+B\n c\n-d\n e\n f\n g\n+h\n i\n@@ -20,0 +20 @@ fn\n+x\n\\ No newline at end of file\n"
    assert spans(diff) == [Span(1, 4, 1, 3), Span(7, 7, 6, 7), Span(20, 20, 19, 20)]


MOVES = [
    ("one", [("a", "b")], {"a": "1"}, {"b": "1"}),
    ("a chain", [("a", "b"), ("b", "c")], {"a": "1", "b": "2"}, {"b": "1", "c": "2"}),
    ("two swapped", [("a", "b"), ("b", "a")], {"a": "1", "b": "2"}, {"b": "1", "a": "2"}),
    ("a round of three", [("a", "b"), ("b", "c"), ("c", "a")], {"a": "1", "b": "2", "c": "3"}, {"b": "1", "c": "2", "a": "3"}),
    ("into a folder of its name", [("a", "a/b")], {"a": "1"}, {"a/b": "1"}),
    ("out of a folder to its name", [("a/b", "a")], {"a/b": "1"}, {"a": "1"}),
    ("a file for a folder and back", [("a", "b/x"), ("b", "a/x")], {"a": "1", "b": "2"}, {"b/x": "1", "a/x": "2"}),
    ("folders that change names", [("a/x", "b/x"), ("b/x", "a/x"), ("b/y", "c/y")], {"a/x": "1", "b/x": "2", "b/y": "3"},
     {"b/x": "1", "a/x": "2", "c/y": "3"}),
    ("names in between are taken", [("split-ci-moving-0", "a"), ("a", "split-ci-moving-0")], {"a": "1", "split-ci-moving-0": "2"},
     {"a": "2", "split-ci-moving-0": "1"}),
]  # fmt: skip


@pytest.mark.parametrize(("pairs", "before", "after"), [row[1:] for row in MOVES], ids=[row[0] for row in MOVES])
def test_moves_in_an_order_that_works(pairs: list[tuple[str, str]], before: dict[str, str], after: dict[str, str]) -> None:
    same = File(b"")
    found = moves(Delta(target, same, same, b"", source) for source, target in pairs)
    files = {path: File(text.encode()) for path, text in before.items()}
    assert applied(found, files) == {path: File(text.encode()) for path, text in after.items()}


def test_deletions_come_first_and_make_room() -> None:
    deltas = [Delta("a", File(b"1"), None), Delta("a/b", None, File(b"2\n"))]
    sections = [*removals(deltas), *ways(deltas[1])[0]]
    assert applied(sections, {"a": File(b"1")}) == {"a/b": File(b"2\n")}
    deltas = [Delta("a/b", File(b"1"), None), Delta("a/c", File(b"1"), None), Delta("a", None, File(b"2\n"))]
    sections = [*removals(deltas), *ways(deltas[2])[0]]
    assert applied(sections, {"a/b": File(b"1"), "a/c": File(b"1")}) == {"a": File(b"2\n")}


def test_a_binary_file_that_moves_and_changes_its_mode() -> None:
    delta_ = Delta("b", File(b"", "100644"), File(b"", "100755"), b"", "a")
    sections = [*moves([delta_]), *ways(delta_)[0]]
    assert [type(change) for change in sections] == [Move, Patch]
    assert applied(sections, {"a": File(b"\0\xff")}) == {"b": File(b"\0\xff", "100755")}


def test_a_patch_depends_on_no_settings_and_ends_no_line_in_a_blank(tmp_path: Path) -> None:
    old = LINES + b"def f():\n\n    a\n\n    b\n\n    c\n    d"
    [change] = ways(delta(old, old + b"\n", tmp_path))[0]
    assert isinstance(change, Patch)
    assert change.diff == (
        "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -45,4 +45,4 @@\n     b\n\n     c\n-    d\n"
        "\\ No newline at end of file\n+    d\n"
    )


def test_a_name_that_git_quotes(tmp_path: Path) -> None:
    path = 'we"ird na`me é.txt'
    change = delta(LINES, LINES[:-1], tmp_path)._replace(path=path)
    assert kinds(ways(change))[0] == "Patch"
    assert applied(ways(change)[0], {path: File(LINES)}) == {path: File(LINES[:-1])}


def test_every_way_is_right(tmp_path: Path) -> None:
    for way in ways(delta(LINES, LINES.replace(b"line 7\n", b"7\n"), tmp_path)):
        assert applied(way, {"a.txt": File(LINES)})["a.txt"].data == LINES.replace(b"line 7\n", b"7\n")
    assert [type(way[0]) for way in ways(Delta("x", None, File(b"a")))] == [Create, Patch]
    assert Replace in {type(way[0]) for way in ways(delta(LINES, b"a\n", tmp_path))}
