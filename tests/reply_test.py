"""Answers of models: what is a block, what is not, and where a block may write. Nothing is applied by half."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from split_ci.ports import File
from split_ci.reply import Block, apply_answer, parse_answer
from tests.models.answers import block
from tests.tasks import task

if TYPE_CHECKING:
    from collections.abc import Mapping

ONE = block("src/a.py", "old\n", "new\n")

READ = {
    "plain": (ONE, [("src/a.py", "old\n", "new\n")]),
    "words around": (f"Here it is:\n\n{ONE}\nThat should do.\n", [("src/a.py", "old\n", "new\n")]),
    "two": (ONE + "\n" + block("docs/b.md", "x\n", ""), [("src/a.py", "old\n", "new\n"), ("docs/b.md", "x\n", "")]),
    "fenced": (f"```python\n{ONE}```\n", [("src/a.py", "old\n", "new\n")]),
    "fenced below its path": (
        "src/a.py\n```python\n<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n```\n", [("src/a.py", "old\n", "new\n")]
    ),
    "half a fence": (f"```\n{ONE}", [("src/a.py", "old\n", "new\n")]),
    "a path in quotes": (ONE.replace("src/a.py", "`src/a.py`"), [("src/a.py", "old\n", "new\n")]),
    "a path as a heading": (ONE.replace("src/a.py", "### **src/a.py**:"), [("src/a.py", "old\n", "new\n")]),
    "a path with a blank": (ONE.replace("src/a.py", "src/a b.py"), [("src/a b.py", "old\n", "new\n")]),
    "the path said once": (
        ONE + "\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n", [("src/a.py", "old\n", "new\n"), ("src/a.py", "x\n", "y\n")]
    ),
    "doubled": (ONE + ONE, [("src/a.py", "old\n", "new\n")]),
    "carriage returns": (ONE.replace("\n", "\r\n"), [("src/a.py", "old\n", "new\n")]),
    "a new file": (block("src/n.py", "", "a\n\nb\n"), [("src/n.py", "", "a\n\nb\n")]),
    "conflict markers in the text": (
        block("src/a.py", "<<<<<<< HEAD\nx\n>>>>>>> branch\n", "x\n"), [("src/a.py", "<<<<<<< HEAD\nx\n>>>>>>> branch\n", "x\n")]
    ),
    "nine signs around a divider": (
        "d.rst\n<<<<<<<<< SEARCH\nInstall\n=======\n=========\nInstalling\n==========\n>>>>>>>>> REPLACE\n",
        [("d.rst", "Install\n=======\n", "Installing\n==========\n")],
    ),
    "order is kept": (ONE + block("b", "1\n", "2\n") + ONE, [("src/a.py", "old\n", "new\n"), ("b", "1\n", "2\n")]),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_blocks_are_read(name: str) -> None:
    text, blocks = READ[name]
    answer = parse_answer(text)
    assert [b[:3] for b in answer.blocks] == blocks
    assert answer.faults == ()


NOT_READ = {
    "nothing": ("", "end", 0, [("empty", "")]),
    "blanks": (" \n\n", "end", 0, [("empty", "")]),
    "prose": ("I have changed the file as you asked.", "end", 0, [("no-block", "")]),
    "a diff": ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", "end", 0, [("no-block", "")]),
    "refused": ("I can't help with that.", "refusal", 0, [("refused", "")]),
    "refused, with a block": (ONE, "refusal", 0, [("refused", "")]),
    "cut off in a block": (ONE + "docs/b.md\n<<<<<<< SEARCH\nx\n====", "length", 1, [("cut-off", "")]),
    "cut off between blocks": (ONE, "length", 1, [("cut-off", "")]),
    "cut off before anything": ("", "length", 0, [("cut-off", "")]),
    "no end": (ONE.replace(">>>>>>> REPLACE\n", ""), "end", 0, [("unfinished", "src/a.py")]),
    "no divider": (ONE.replace("=======\n", ""), "end", 0, [("unfinished", "src/a.py")]),
    "a block in a block": ("a\n<<<<<<< SEARCH\nx\n" + ONE, "end", 1, [("unfinished", "a")]),
    "two dividers": (block("d.rst", "Install\n=======\n", "x\n"), "end", 0, [("divider", "d.rst")]),
    "no path": ("<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n", "end", 0, [("no-path", "")]),
    "a sentence as path": ("Now change this.\n" + ONE.split("\n", 1)[1], "end", 0, [("no-path", "")]),
    "the path of a block before prose": (ONE + "and then\n\nwe go on.\n" + ONE.split("\n", 1)[1], "end", 1, [("no-path", "")]),
    "four hundred and one blocks": ("".join(block(f"f{n}", "a\n", "b\n") for n in range(401)), "end", 0, [("too-much", "")]),
    "three megabytes": ("x" * 3_000_000, "end", 0, [("too-much", "")]),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_READ)
def test_what_is_no_block_has_a_name(name: str) -> None:
    text, stop, blocks, faults = NOT_READ[name]
    answer = parse_answer(text, stop)
    assert len(answer.blocks) == blocks
    assert [(f.kind, f.path) for f in answer.faults] == faults


FILES: Mapping[str, str | bytes | File] = {
    "src/a.py": "one\ntwo\nthree\n",
    "src/twice.py": "x = 1\nx = 1\n",
    "src/crlf.txt": "one\r\ntwo\r\n",
    "src/bare.txt": "one\ntwo",
    "src/run.sh": File(b"echo\n", "100755"),
    "src/empty.txt": "",
    "src/link": File(b"a.py", "120000"),
    "src/bytes.bin": b"\xff\xfe\n",
    "docs/app.md": "# App\n",
    "tests/a_test.py": "def test(): ...\n",
    "Makefile": "all:\n",
}

APPLIED = {
    "replace": (block("src/a.py", "two\n", "2\n"), {"src/a.py": b"one\n2\nthree\n"}),
    "remove": (block("src/a.py", "two\n", ""), {"src/a.py": b"one\nthree\n"}),
    "insert": (block("src/a.py", "two\n", "two\n2.5\n"), {"src/a.py": b"one\ntwo\n2.5\nthree\n"}),
    "one after the other": (
        block("src/a.py", "two\n", "2\n") + block("src/a.py", "2\nthree\n", "2\n3\n"), {"src/a.py": b"one\n2\n3\n"}
    ),
    "line ends stay": (block("src/crlf.txt", "two\n", "2\n2.5\n"), {"src/crlf.txt": b"one\r\n2\r\n2.5\r\n"}),
    "a missing final newline stays missing": (block("src/bare.txt", "two\n", "2\n"), {"src/bare.txt": b"one\n2"}),
    "a new file": (block("src/sub/n.py", "", "n\n"), {"src/sub/n.py": b"n\n"}),
    "an empty file": (block("src/empty.txt", "", "n\n"), {"src/empty.txt": b"n\n"}),
    "regex characters": (
        block("src/a.py", "one\n", "(.*) [x]\n") + block("src/a.py", "(.*) [x]\n", "$1 \\1\n"),
        {"src/a.py": b"$1 \\1\ntwo\nthree\n"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", APPLIED)
def test_blocks_are_applied(name: str) -> None:
    text, files = APPLIED[name]
    taken = apply_answer(parse_answer(text), task(FILES), {})
    assert taken.faults == ()
    assert {path: file and file.data for path, file in taken.files.items()} == files


def test_a_path_with_the_signs_of_a_glob_is_itself() -> None:
    given = task(FILES, writable=("app/[id].tsx",))
    assert apply_answer(parse_answer(block("app/[id].tsx", "", "x\n")), given, {}).faults == ()
    assert [f.kind for f in apply_answer(parse_answer(block("app/x.tsx", "", "x\n")), given, {}).faults] == ["outside"]


def test_a_mode_stays() -> None:
    taken = apply_answer(parse_answer(block("src/run.sh", "echo\n", "true\n")), task(FILES), {})
    assert taken.files == {"src/run.sh": File(b"true\n", "100755")}


REFUSED = {
    "absent": (block("src/a.py", "four\n", "4\n"), "absent"),
    "part of a line": (block("src/a.py", "tw\n", "4\n"), "absent"),
    "twice": (block("src/twice.py", "x = 1\n", "x = 2\n"), "twice"),
    "empty search in a file": (block("src/a.py", "", "all new\n"), "exists"),
    "no such file": (block("src/b.py", "x\n", "y\n"), "not-there"),
    "no change": (block("src/a.py", "two\n", "two\n"), "same"),
    "not text": (block("src/bytes.bin", "x\n", "y\n"), "not-text"),
    "a symlink": (block("src/link", "a.py\n", "/etc/passwd\n"), "path"),
    "below a symlink": (block("src/link/x.py", "", "y\n"), "path"),
    "below a file": (block("src/a.py/x.py", "", "y\n"), "path"),
    "a folder": (block("docs", "", "y\n"), "outside"),
    "a folder below": (block("src/sub", "", "y\n"), ""),
    "a twin by case": (block("src/A.py", "", "y\n"), "path"),
    "up": (block("../x", "", "y\n"), "path"),
    "up inside": (block("src/../../x", "", "y\n"), "path"),
    "absolute": (block("/etc/passwd", "", "y\n"), "path"),
    "a drive": (block("C:\\x", "", "y\n"), "path"),
    "dot": (block("./src/b.py", "", "y\n"), "path"),
    "git's own": (block("src/.git/config", "", "y\n"), "path"),
    "git's own, hidden": (block("src/.g\u200cit/config", "", "y\n"), "path"),
    "the spec": (block("specs/a.md", "", "y\n"), "out-of-reach"),
    "coaching": (block("specs/coaching/x.md", "", "y\n"), "out-of-reach"),
    "the configuration": (block(".split-ci.yaml", "", "y\n"), "out-of-reach"),
    "a workflow": (block(".github/workflows/x.yml", "", "y\n"), "protected"),
    "a protected path of the configuration": (block("src/vendored/x.py", "", "y\n"), "protected"),
    "a frozen file": (block("src/frozen.py", "", "y\n"), "frozen"),
    "in a frozen folder": (block("src/check/x.py", "", "y\n"), "frozen"),
    "not named": (block("tests/a_test.py", "def test(): ...\n", ""), "outside"),
    "a placeholder": (block("src/a.py", "two\n", "2\n# ... rest unchanged ...\n"), "text"),
    "a hidden character": (block("src/a.py", "two\n", "2\u202e\n"), "text"),
    "a secret": (block("src/a.py", "two\n", "key = 'ghp_" + "a1B2" * 9 + "'\n"), "text"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_block_is_refused_and_the_good_one_beside_it_holds(name: str) -> None:
    text, kind = REFUSED[name]
    given = task(FILES, writable=("docs/**", "src/**", ".github/**", ".split-ci.yaml", "specs/**"), protected=("src/vendored/**",),
                 frozen=("src/frozen.py", "src/check"))  # fmt: skip
    good = block("docs/app.md", "# App\n", "# The app\n")
    taken = apply_answer(parse_answer(good + "\n" + text), given, {})
    if not kind:
        assert taken.faults == ()
        return
    assert [f.kind for f in taken.faults] == [kind]
    assert [b.path for b in taken.held] == ["docs/app.md"]
    assert set(taken.files) == {"docs/app.md"}


def test_a_waived_judgement_holds() -> None:
    text = block("src/a.py", "two\n", "2\n# ... rest unchanged ...\n")
    assert apply_answer(parse_answer(text), task(FILES, extra="waive: [SP411]\n"), {}).faults == ()


def test_earlier_answers_are_the_ground_of_later_ones() -> None:
    given = task(FILES)
    first = apply_answer(parse_answer(block("src/a.py", "two\n", "2\n")), given, {})
    second = apply_answer(parse_answer(block("src/a.py", "2\n", "zwei\n")), given, first.files)
    assert second.files["src/a.py"] == File(b"one\nzwei\nthree\n")


def test_a_block_knows_its_line() -> None:
    assert parse_answer("a\n\n" + ONE).blocks == (Block("src/a.py", "old\n", "new\n", 4),)


PIECES = st.sampled_from([
    "src/a.py", "docs/b c.md:", "```", "```python", "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE", "<<<<<<<<< SEARCH",
    "=========", ">>>>>>>>> REPLACE", "<<<<<<< HEAD", "", " ", "x = 1", "\r", "\0", "words.",
])  # fmt: skip
TEXTS = st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=20), max_size=6)


@given_that(st.lists(PIECES, max_size=30).map("\n".join), st.sampled_from(["end", "length", "refusal"]))
def test_no_answer_is_too_odd_to_be_read(text: str, stop: str) -> None:
    answer = parse_answer(text, stop)
    assert answer.blocks or answer.faults
    taken = apply_answer(answer, task(FILES), {})
    assert len(taken.held) + len(taken.faults) == len(answer.blocks) + len(answer.faults)


@given_that(TEXTS, TEXTS)
def test_a_block_says_what_it_was_made_of(search: list[str], replace: list[str]) -> None:
    before, after = ("".join(f"| {line}\n" for line in lines) for lines in (search, replace))
    assert [b[:3] for b in parse_answer(block("src/a.py", before, after)).blocks] == [("src/a.py", before, after)]
