"""The rules reviewer: what it finds, for whom, and the twins in which there is nothing to find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from split_ci.lesson import Lesson, lesson_faults
from split_ci.ports import File
from split_ci.reviewers.rules import count_lines
from split_ci.reviewers.teaching import TEXTS
from split_ci.steps.review import cases
from split_ci.verdict import verify
from tests.builders import spec
from tests.reviewed import judge, make_result, results_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EDIT = "### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\ntwo\n```\n"
WRITE = EDIT + "\n### Instruct `c.py`\nWrite it.\n"
FILES: dict[str, str | bytes] = {"a.txt": "one\n", "b.txt": "b\n", "c.py": "def test_c():\n    pass\n"}

# name: (the sections, extra front matter, what a model wrote, then (rule, path, cause) of each finding)
MODEL: dict[str, tuple[str, str, Mapping[str, str | File | None], list[tuple[str, str, str]]]] = {
    "what it was asked": (WRITE, "", {"c.py": "def test_c():\n    go()\n"}, []),
    "a path under allow": (WRITE, 'allow: ["data/**"]\n', {"data/x.json": "{}\n"}, []),
    "a path that isn't named": (WRITE, "", {"b.txt": "c\n"}, [("scope", "b.txt", "implementer")]),
    "a file that isn't named, deleted": (WRITE, "", {"b.txt": None}, [("scope", "b.txt", "implementer")]),
    "what an exact section wrote": (WRITE, "", {"a.txt": "three\n"}, [("frozen", "a.txt", "implementer")]),
    "an exact section undone": (WRITE, "", {"a.txt": "one\n"}, [("scope", "a.txt", "implementer")]),
    "a protected path": (WRITE, 'allow: ["**"]\n', {"Makefile": "x:\n"}, [("scope", "Makefile", "implementer")]),
    "the configuration": (
        WRITE,
        'allow: ["**"]\n',
        {".split-ci.yaml": "{}\n"},
        [("scope", ".split-ci.yaml", "implementer")],
    ),
    "another spec": (WRITE, 'allow: ["**"]\n', {"specs/two.md": "x\n"}, [("scope", "specs/two.md", "implementer")]),
    "an executable": (WRITE, "", {"c.py": File(b"def test_c():\n    pass\n", "100755")}, [("scope", "c.py", "implementer")]),
    "an invisible character": (WRITE, "", {"c.py": "def test_c():\n    a\u200bb\n"}, [("SP413", "c.py", "implementer")]),
    "an invisible character, waived": (WRITE, "waive: [SP413]\n", {"c.py": "def test_c():\n    a\u200bb\n"}, []),
    "a deleted test": (WRITE, "", {"c.py": "x = 1\n"}, [("tests", "c.py", "implementer")]),
    "a skip": (WRITE, "", {"c.py": "@pytest.mark.skip\ndef test_c():\n    pass\n"}, [("tests", "c.py", "implementer")]),
    "an early end": (WRITE, "", {"c.py": "sys.exit(0)\ndef test_c():\n    pass\n"}, [("tests", "c.py", "implementer")]),
}


@pytest.mark.parametrize("row", MODEL)
def test_what_a_model_did(row: str, tmp_path: Path) -> None:
    sections, extra, model, wanted = MODEL[row]
    result = make_result(tmp_path / "r", FILES, spec(sections, extra=extra), model=model)
    verdict = judge(result)
    assert [(f.rule, f.path, f.cause) for f in verdict.findings] == wanted
    assert verdict.decision == ("request_changes" if wanted else "incomplete")
    assert bool(verdict.waived) == ("waived" in row)
    with result.repo.objects() as objects:
        (case,) = cases(result.repo, [result.subject()], objects)
        assert verify(verdict, case).findings == verdict.findings  # every quote is in its file


DELETE = "### Delete `src/old.py`\n"
MOVE = "### Move `src/old.py` to `src/new.py`\n"

# name: (the file that may still name src/old.py, its text, the sections, how many findings)
REFERENCES: dict[str, tuple[str, str, str, int]] = {
    "a path in a script": ("run.sh", "python src/old.py --now\n", DELETE, 1),
    "a path from the root of a link": ("a.html", '<a href="/src/old.py">\n', DELETE, 1),
    "a path from its own folder": ("src/use.c", '#include "old.py"\n', DELETE, 1),
    "a path with two dots": ("tools/x.sh", "cat ../src/old.py\n", DELETE, 1),
    "moved": ("run.sh", "python src/old.py\n", MOVE, 1),
    "an import of the module": ("use.py", "import src.old\n", DELETE, 1),
    "an import as": ("use.py", "import os, src.old as o\n", DELETE, 1),
    "an import from the module": ("use.py", "from src.old import x\n", DELETE, 1),
    "an import of the name": ("use.py", "from src import old\n", DELETE, 1),
    "an import without src": ("use.py", "from old import x\n", DELETE, 1),
    "a relative import": ("src/use.py", "from .old import x\n", DELETE, 1),
    "a relative import of the name": ("src/use.py", "from . import a, old\n", DELETE, 1),
    "a dotted name in a string": ("use.py", "patch('src.old.x')\n", DELETE, 1),
    "an entry point": ("x.cfg", 'run = "src.old:main"\n', DELETE, 1),
    "two lines": ("run.sh", "python src/old.py\n\npython src/old.py\n", DELETE, 2),
    "prose": ("docs/a.txt", "src/old.py\n", DELETE, 0),
    "Markdown": ("README.md", "`src/old.py`\n", DELETE, 0),
    "another file of that name": ("run.sh", "python lib/src/old.py\n", DELETE, 0),
    "a longer name": ("run.sh", "python src/old.pyc src/very_old.py\n", DELETE, 0),
    "a word": ("use.py", "old = 1\nprint(old)\n", DELETE, 0),
    "another module": ("use.py", "import src.older\nfrom src.older import old_x\n", DELETE, 0),
    "another package's": ("use.py", "from lib2.old import x\n", DELETE, 0),
    "from another folder": ("lib/use.c", '#include "old.py"\n', DELETE, 0),
    "the same line, changed by the spec": (
        "run.sh", "python src/old.py\n",
        DELETE + "\n### Edit `run.sh`\nBefore:\n```\npython src/old.py\n```\nAfter:\n```\npython src/new.py\n```\n", 0,
    ),
    "a new line of the spec": ("run.sh", "x\n", DELETE + "\n### Edit `run.sh`\nBefore:\n```\nx\n```\nAfter:\n```\nsh src/old.py\n```\n", 1),
    "nothing removed": ("run.sh", "python src/gone.py\n", EDIT, 0),
}  # fmt: skip


@pytest.mark.parametrize("row", REFERENCES)
def test_references_to_what_is_gone(row: str, tmp_path: Path) -> None:
    path, text, sections, count = REFERENCES[row]
    files = {"a.txt": "one\n", "src/old.py": "x = 1\n", "src/a.py": "", path: text}
    verdict = judge(make_result(tmp_path / "r", files, spec(sections)))
    assert [(f.rule, f.path, f.cause) for f in verdict.findings] == [("SP415", path, "spec")] * count
    assert verdict.decision == ("request_changes" if count else "approve")
    if count:
        assert verdict.findings[0].message == "this names src/old.py, which is gone"
        assert [lesson.audience for lesson in verdict.lessons] == ["architect"]
    else:
        assert verdict.lessons == ()


def test_a_package_that_still_has_the_name_is_no_reference(tmp_path: Path) -> None:
    files = {"src/old.py": "x = 1\n", "src/__init__.py": "from src.new import y as old\n", "use.py": "from src import old\n"}
    assert judge(make_result(tmp_path / "r", files, spec(DELETE))).decision == "approve"


def test_a_module_that_became_a_package_is_no_reference(tmp_path: Path) -> None:
    files = {"src/old.py": "x = 1\n", "use.py": "import src.old\n"}
    sections = "### Move `src/old.py` to `src/old/__init__.py`\n"
    assert judge(make_result(tmp_path / "r", files, spec(sections))).decision == "approve"


def test_a_reference_may_be_meant(tmp_path: Path) -> None:
    files = {"src/old.py": "x = 1\n", "run.sh": "python src/old.py\n"}
    verdict = judge(make_result(tmp_path / "r", files, spec(DELETE, extra="waive: [SP415]\n")))
    assert verdict.decision == "approve"
    assert verdict.waived == ("SP415 run.sh:1: this names src/old.py, which is gone",)


FORBID = Lesson("no-print", "implementer", "Log through the logger.", ("src/**",), (), r"\bprint\(", (("spec", "x"),), 2)
CREATE = "### Create `src/a.py`\n```py\nx = 1\n{line}\n```\n"


def test_a_lesson_that_forbids_costs_no_tokens(tmp_path: Path) -> None:
    result = make_result(tmp_path / "r", {"a.txt": "one\n"}, spec(CREATE.format(line="print(x)")))
    verdict = judge(result, lessons=[FORBID])
    assert [(f.rule, f.path, f.line, f.quote) for f in verdict.findings] == [("no-print", "src/a.py", 2, "print(x)")]
    assert [(each.id, each.taught) for each in verdict.lessons] == [("no-print", 1)]
    assert judge(result).decision == "approve"


@pytest.mark.parametrize("line", ["log(x)", "blueprint(x)"])
def test_its_good_twin(line: str, tmp_path: Path) -> None:
    verdict = judge(make_result(tmp_path / "r", {"a.txt": "one\n"}, spec(CREATE.format(line=line))), lessons=[FORBID])
    assert verdict.decision == "approve"


def test_only_added_lines_are_forbidden(tmp_path: Path) -> None:
    sections = "### Edit `src/a.py`\nBefore:\n```\nx = 1\n```\nAfter:\n```\nx = 2\n```\n"
    verdict = judge(make_result(tmp_path / "r", {"src/a.py": "x = 1\nprint(x)\n"}, spec(sections)), lessons=[FORBID])
    assert verdict.decision == "approve"


def test_a_forbid_far_into_a_long_line_is_seen(tmp_path: Path) -> None:
    result = make_result(tmp_path / "r", {"a.txt": "one\n"}, spec(CREATE.format(line="y" * 5000 + " print(x)")))
    assert judge(result, lessons=[FORBID]).decision == "request_changes"


def test_criteria_come_from_exit_codes(tmp_path: Path) -> None:
    accept = "  - missing: x\n  - missing: y\n  - missing: z"
    result = make_result(tmp_path / "r", FILES, spec(EDIT, accept=accept))
    results = results_of(result.spec, result.base, result.results.tree, [True, False, None])
    verdict = judge(result, results=results)
    assert [c.decision for c in verdict.criteria] == ["met", "not_met", "unknown"]
    assert verdict.decision == "request_changes"


def test_results_of_something_else_are_none(tmp_path: Path) -> None:
    result = make_result(tmp_path / "r", FILES, spec(EDIT))
    verdict = judge(result, results=result.results._replace(tree="0" * 40))
    assert [c.decision for c in verdict.criteria] == ["unknown"]
    assert verdict.decision == "incomplete"


def test_there_is_a_receipt_for_every_changed_file(tmp_path: Path) -> None:
    sections = EDIT + "\n### Delete `b.txt`\n\n### Create `d/e.txt`\n```\n1\n2\n```\n\n### Move `c.py` to `f.py`\n"
    verdict = judge(make_result(tmp_path / "r", FILES, spec(sections)))
    assert [(r.path, r.blob is None, r.lines, r.shown, r.decision) for r in verdict.receipts] == [
        ("a.txt", False, 1, 1, "ok"),
        ("b.txt", True, 0, 0, "ok"),
        ("c.py", True, 0, 0, "ok"),
        ("d/e.txt", False, 2, 2, "ok"),
        ("f.py", False, 2, 2, "ok"),
    ]
    assert verdict.decision == "approve"


def test_the_same_result_gets_the_same_review(tmp_path: Path) -> None:
    result = make_result(tmp_path / "r", FILES, spec(EDIT))
    assert judge(result) == judge(result)


@pytest.mark.parametrize("key", TEXTS, ids=str)
def test_what_the_rules_teach_passes_their_own_rules(key: Any) -> None:
    assert lesson_faults(Lesson("x", "implementer", TEXTS[key])) == []


@pytest.mark.parametrize(("data", "lines"), [(b"", 0), (b"a", 1), (b"a\n", 1), (b"a\nb", 2), (b"\n\n", 2)])
def test_lines_are_counted_with_a_last_one_that_has_no_end(data: bytes, lines: int) -> None:
    assert count_lines(data) == lines
