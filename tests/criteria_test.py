from __future__ import annotations

import hashlib

import pytest

from split_ci import criteria
from split_ci.criteria import broken, holds, judge_base, judge_result, judge_run, judge_trees, tail
from split_ci.ports import Entry
from split_ci.results import TAIL_BYTES, Execution
from split_ci.spec import Criterion, Red, parse_spec
from tests.builders import spec
from tests.promptly import promptly
from tests.trees import MemoryTree


def ended(code: int | None = 1, output: str = "", **fields: object) -> Execution:
    return Execution(code, 0.1, output.encode(), **fields)  # type: ignore[arg-type]


def run(**fields: object) -> Criterion:
    return Criterion("a1", "run", "make test", 5, **fields)  # type: ignore[arg-type]


MADE = ("src/pkg/new.py", "tests/new_test.py", "check.sh", "lib/parse.js")


@pytest.mark.parametrize(
    ("done", "why"),
    [
        pytest.param(ended(0), "", id="green"),
        pytest.param(ended(1, "AssertionError"), "", id="an ordinary failure"),
        pytest.param(ended(125), "", id="the last ordinary one"),
        pytest.param(
            ended(126, "sh: 1: ./x: Permission denied"),
            "exit 126: a command is missing or can't be run: sh: 1: ./x: Permission denied",
            id="126",
        ),
        pytest.param(ended(127, "/bin/sh: 1: ruff: not found"), "a command is missing: ruff", id="not found, dash"),
        pytest.param(ended(1, "bash: line 3: ruff: command not found"), "a command is missing: ruff", id="swallowed 127"),
        pytest.param(ended(127), "exit 127: a command is missing or can't be run", id="127 without a word"),
        pytest.param(ended(127, "/bin/sh: 1: ./check.sh: not found"), "", id="a script that the spec makes"),
        pytest.param(
            ended(2, "python3: can't open file '/checkout/check.sh': [Errno 2] No such file"),
            "",
            id="that python can't open",
        ),
        pytest.param(
            ended(2, "python3: can't open file '/checkout/o.py': [Errno 2]"),
            "a script is missing: /checkout/o.py",
            id="another script",
        ),
        pytest.param(ended(1, "ModuleNotFoundError: No module named 'pkg.new'"), "", id="a module that the spec makes"),
        pytest.param(
            ended(1, "E   ModuleNotFoundError: No module named 'yaml'"), "a module is missing: yaml", id="another module"
        ),
        pytest.param(ended(1, "/usr/bin/python3: No module named pytest"), "a module is missing: pytest", id="no pytest"),
        pytest.param(ended(4, "ERROR: file or directory not found: tests/new_test.py"), "", id="a test that the spec makes"),
        pytest.param(
            ended(4, "ERROR: file or directory not found: tests/b.py::c"),
            "a test is missing: tests/b.py::c",
            id="another test",
        ),
        pytest.param(ended(1, "Error: Cannot find module './lib/parse'"), "", id="a node module that the spec makes"),
        pytest.param(
            ended(1, "Error: Cannot find module 'lodash'"), "a module is missing: lodash", id="another node module"
        ),
        pytest.param(ended(1, "KeyError: not found"), "", id="words of the program"),
        pytest.param(ended(1, "open('x'): No such file or directory"), "", id="a file that the program misses"),
        pytest.param(ended(None, signal=11), "ended by SIGSEGV", id="signal"),
        pytest.param(ended(139), "exit 139: ended by SIGSEGV", id="a signal, by way of the shell"),
        pytest.param(ended(153), "resource limit: file size", id="file size, by way of the shell"),
        pytest.param(ended(255), "exit 255 is no ordinary failure (1 to 125)", id="255"),
        pytest.param(ended(None, cap="memory (8 GiB)"), "resource limit: memory (8 GiB)", id="cap"),
        pytest.param(ended(1, "Traceback\nMemoryError\n"), "resource limit: memory", id="an allocation that was refused"),
        pytest.param(ended(1, "dd: x: No space left on device"), "resource limit: disk", id="a full disk"),
        pytest.param(ended(None, fault="no sandbox"), "no sandbox", id="fault"),
    ],
)
def test_broken(done: Execution, why: str) -> None:
    assert broken(done, MADE) == why


@pytest.mark.parametrize(
    ("criterion", "done", "ok", "reason", "code"),
    [
        pytest.param(run(), ended(1), True, "", "", id="red first"),
        pytest.param(run(), ended(0), False, "it is green on the base, before any change", "SP504", id="green"),
        pytest.param(run(), ended(None, signal=9), False, "it proves nothing on the base: ended by SIGKILL", "SP505", id="signal"),
        pytest.param(run(guard=True), ended(0), True, "", "", id="guard"),
        pytest.param(
            run(guard=True), ended(1, "1 failed"), False, "the guard is red before the change: exit 1: 1 failed", "SP506", id="red guard"
        ),
        pytest.param(run(red=Red(exit=3)), ended(3), True, "", "", id="as asked"),
        pytest.param(
            run(red=Red(3, "no such")), ended(3, "other"), False,
            "on the base it fails otherwise than `red` says (exit 3, text 'no such'): exit 3: other", "SP505", id="another text",
        ),
        pytest.param(run(red=Red(text="yaml")), ended(1, "No module named 'yaml'"), True, "", "", id="asked for what else is broken"),
        pytest.param(run(red=Red(exit=127)), ended(127, "sh: 1: x: not found"), True, "", "", id="asked for 127"),
        pytest.param(
            run(red=Red(exit=3)), ended(None, cap="time (1 s)"), False, "it proves nothing on the base: resource limit: time (1 s)", "SP505", id="cap",
        ),
    ],
)  # fmt: skip
def test_judge_base(criterion: Criterion, done: Execution, ok: bool, reason: str, code: str) -> None:
    assert judge_base(criterion, done) == (ok, reason, code)


def test_judge_result_goes_by_the_exit_code_alone() -> None:
    assert judge_result(ended(0, "FAILED 12 tests")).ok
    said = judge_result(ended(1, "✓ a1 ok\nall criteria are as required"))
    assert said == (False, "red on the result: exit 1: all criteria are as required", "")
    assert not judge_result(ended(None, "", cap="time (1 s)")).ok


def test_a_result_is_null_where_the_question_does_not_apply() -> None:
    only_base = judge_run(run(), ended(1), None)
    assert (only_base.red, only_base.green) == (True, None)
    guard = judge_run(run(guard=True), ended(0), ended(0))
    assert (guard.red, guard.green) == (None, True)
    red_guard = judge_run(run(guard=True), ended(1), ended(0))
    assert (red_guard.red, red_guard.green, red_guard.code) == (None, False, "SP506")


class HashedTree(MemoryTree):
    """With an id for each content, as git has it."""

    def entry(self, path: str) -> Entry | None:
        return self.paths().get(path) or super().entry(path)

    def paths(self) -> dict[str, Entry]:
        return {path: Entry(file.mode, hashlib.sha1(file.data).hexdigest()) for path, file in self.files.items()}


TREE = HashedTree(
    {
        "src/a.py": "import old\n",
        "src/b.txt": "new\nold line\n",
        "specs/landed/x.md": "quotes secret words\n",
        "bin": b"\xff\x00",
        "umlaut.txt": "naïve é\n",
    }
)


@pytest.mark.parametrize(
    ("kind", "subject", "fields", "expected"),
    [
        pytest.param("exists", "src/a.py", {}, True, id="exists"),
        pytest.param("exists", "src", {}, True, id="a folder exists"),
        pytest.param("exists", "src/*.md", {}, False, id="no match"),
        pytest.param("missing", "src/none", {}, True, id="missing"),
        pytest.param("missing", "**/*.txt", {}, False, id="a glob that matches"),
        pytest.param("contains", "**/*.py", {"text": "import old"}, True, id="contains"),
        pytest.param("contains", "src/none", {"text": ""}, False, id="no file contains nothing"),
        pytest.param("contains", "**", {"regex": "^old"}, True, id="every line starts anew"),
        pytest.param("lacks", "**/*.py", {"text": "new"}, True, id="lacks"),
        pytest.param("lacks", "**", {"text": "secret words"}, True, id="specs are not looked into"),
        pytest.param("lacks", "specs/**", {"text": "secret words"}, False, id="unless they are named"),
        pytest.param("lacks", "**", {"regex": "(?i)IMPORT"}, False, id="lacks no regex"),
        pytest.param("contains", "umlaut.txt", {"regex": "na[ïi]ve"}, True, id="a set of letters beyond ASCII"),
        pytest.param("contains", "umlaut.txt", {"regex": "[è]"}, False, id="half of a letter is none"),
        pytest.param("contains", "umlaut.txt", {"regex": r"na\u00efve"}, True, id="an escape for a letter"),
        pytest.param("contains", "bin", {"regex": r"^.\x00$"}, True, id="what is no text is searched too"),
    ],
)
def test_holds(kind: str, subject: str, fields: dict[str, str], expected: bool) -> None:
    assert holds(Criterion("a1", kind, subject, 1, **fields), TREE) is expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("mode", "expected"), [(None, True), ("100644", True), ("100755", False)])
def test_blob(mode: str | None, expected: bool) -> None:
    entry = TREE.entry("src/a.py")
    assert entry is not None
    assert holds(Criterion("a1", "blob", "src/a.py", 1, blob=entry.oid, mode=mode), TREE) is expected
    assert not holds(Criterion("a1", "blob", "src/a.py", 1, blob="0" * 40), TREE)


@pytest.mark.parametrize(
    ("guard", "base", "result", "red", "green", "reason"),
    [
        (False, False, True, True, True, ""),
        (False, True, True, False, True, "it holds on the base, before any change"),
        (False, False, False, True, False, "it does not hold on the result"),
        (True, True, True, None, True, ""),
        (True, False, True, None, False, "the guard does not hold before the change"),
    ],
)
def test_judge_trees(guard: bool, base: bool, result: bool, red: bool | None, green: bool, reason: str) -> None:
    one = judge_trees(Criterion("a1", "exists", "x", 1, guard=guard), base, result)
    assert (one.red, one.green, one.reason) == (red, green, reason)


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        pytest.param(b"plain\n\ttext\n", "plain\n\ttext\n", id="plain"),
        pytest.param(
            b"::add-mask::e\n  ::error::x\n##[group]y",
            "| ::add-mask::e\n  | ::error::x\n| ##[group]y",
            id="workflow commands",
        ),
        pytest.param(b"\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07", "red link", id="escape sequences"),
        pytest.param(b"done\rFAILED\x08\x00", "done\\rFAILED\\x08\\x00", id="overwrites"),
        pytest.param(b"\xff\xe2\x80\xaex", "\ufffd\\u202ex", id="not text, and turned round"),
    ],
)
def test_tail_is_safe_to_show(output: bytes, shown: str) -> None:
    assert tail(output) == shown


@pytest.mark.parametrize("unit", [b"x", "é".encode(), b"\x00", b"line\n"])
def test_tail_is_short(unit: bytes) -> None:
    assert 3000 < len(tail(unit * 100_000).encode()) <= TAIL_BYTES


def test_made_by_names_what_a_spec_may_bring() -> None:
    text = spec(
        "### Create `a.py`\n```\nx\n```\n### Move `b.py` to `c.py`\n### Instruct `d.md`\nWrite it.\n"
        "### Patch\n```diff\ndiff --git a/e b/e\nnew file mode 100644\n--- /dev/null\n+++ b/e\n@@ -0,0 +1 @@\n+x\n"
        'diff --git "a/\\303\\251.sh" "b/\\303\\251.sh"\nnew file mode 100755\n```\n'
    )
    parsed = parse_spec(text.encode(), "specs/x.md").spec
    assert parsed is not None
    assert criteria.made_by(parsed) == ("a.py", "c.py", "d.md", "e", "é.sh")


def test_a_file_whose_name_looks_like_a_glob_is_found_by_its_name() -> None:
    tree = MemoryTree({"app/[id]/page.js": "x", "app/i/page.js": "y"})
    for path, there in (("app/[id]/page.js", True), ("app/[id]", True), ("app/[no]", False)):
        assert holds(Criterion("a1", "exists", path, 1), tree) is there
        assert holds(Criterion("a1", "missing", path, 1), tree) is not there
    assert holds(Criterion("a1", "contains", "app/[id]/page.js", 1, text="x"), tree)


@pytest.mark.parametrize(
    ("output", "why"),
    [
        pytest.param("ModuleNotFoundError: No module named 'x\n::error::y'", "", id="a name of two lines"),
        pytest.param("env: \x1b[2Ja\r::error::y: No such file or directory", "a command is missing: a\\r::error::y", id="a terminal's orders"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_in_one_line_that_nobody_obeys(output: str, why: str) -> None:
    assert broken(ended(1, output)) == why


@pytest.mark.parametrize(
    "output", ["python" * 200_000, "x: error: unrecognized arguments: a" + " " * 1_000_000 + "x", "sh" * 500_000]
)
def test_no_output_takes_ages_to_judge(output: str) -> None:
    with promptly():
        broken(ended(1, output))
