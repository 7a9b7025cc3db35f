"""review, comment, coach, record and status as a person types them: exit codes, files, one line for each fault."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from split_ci import changeset, results
from split_ci.lesson import Lesson, render_lesson
from split_ci.report.status import as_json
from split_ci.steps.status import STATES, Status
from split_ci.verdict import CAUSES, DECISIONS, dump
from tests.builders import SOURCE, commit, git, make_repo, spec, split_ci, write
from tests.reviewed import Result, judge, make_result

if TYPE_CHECKING:
    from pathlib import Path

EDIT = "### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\ntwo\n```\n"
LESSON = Lesson("log", "implementer", "Log through the logger. A review found a print.", ("src/**",))


def schema(name: str) -> Any:
    with open(f"{SOURCE}/split_ci/schemas/{name}.schema.json", encoding="utf-8") as file:
        return json.load(file)


@pytest.fixture
def result(tmp_path: Path) -> Result:
    made = make_result(tmp_path / "r", {"a.txt": "one\n"}, spec(EDIT))
    write(tmp_path, {"changeset.json": changeset.dump(made.changeset), "results.json": results.dump(made.results)})
    return made


def test_the_steps_of_a_workflow_in_their_order(result: Result, tmp_path: Path) -> None:
    root = tmp_path / "r"
    done = split_ci(root, "review", "split-ci/one", "--accept", "../results.json", "--out", "../review.json", "--exit-code")
    assert done.stdout.splitlines()[0] == "split-ci review of one: approved, by rules"
    text = (tmp_path / "review.json").read_text()
    assert text == dump(judge(result)) + "\n"
    jsonschema.validate(json.loads(text), schema("verdict"))
    split_ci(root, "comment", "../review.json")
    split_ci(root, "comment", "../review.json")
    assert "approved, by rules" in git(root, "log", "--notes=split-ci*", "-1", "split-ci/one")
    assert split_ci(root, "coach", "../review.json").stdout == "nothing new to teach\n"
    split_ci(root, "record", "../changeset.json", "../results.json", "../review.json")
    again = split_ci(root, "record", "../review.json", "../changeset.json", "--format", "json")
    assert json.loads(again.stdout)["changed"] is False
    shown = json.loads(split_ci(root, "status", "--format", "json").stdout)
    jsonschema.validate(shown, schema("status"))
    assert [(one["id"], one["state"], one["branch"]) for one in shown["specs"]] == [("one", "approved", "split-ci/one")]
    assert git(root, "status", "--porcelain") == ""


@pytest.mark.parametrize("name", ["one", "split-ci/one", "refs/heads/split-ci/one"])
def test_a_result_goes_by_several_names(name: str, result: Result, tmp_path: Path) -> None:
    assert result.head
    args = ("review", name, "--accept", "../results.json", "--out", "../review.json", "--format", "json")
    assert json.loads(split_ci(tmp_path / "r", *args).stdout)["decision"] == "approve"


def test_an_exit_code_is_asked_for(tmp_path: Path) -> None:
    text = spec(EDIT + "\n### Delete `old.py`\n")
    made = make_result(tmp_path / "r", {"a.txt": "one\n", "old.py": "", "run.sh": "sh ./old.py\n"}, text)
    write(tmp_path, {"results.json": results.dump(made.results)})
    args = ("review", "one", "--accept", "../results.json", "--out", "../review.json")
    done = split_ci(tmp_path / "r", *args)
    assert "run.sh:1: SP415: this names old.py, which is gone (spec)" in done.stdout
    split_ci(tmp_path / "r", *args, "--exit-code", code=1)
    taught = split_ci(tmp_path / "r", "coach", "../review.json").stdout
    assert taught.startswith("taught when-spec-removes-")
    assert split_ci(tmp_path / "r", "coach", "../review.json").stdout == "nothing new to teach\n"


FAULTS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "no such result": (("review", "two", "--accept", "../results.json", "--out", "x"), 2, "no result is named 'two' here"),
    "no result": (("review", "main", "--accept", "../results.json", "--out", "x"), 1, "is not a result"),
    "no results": (
        ("review", "one", "--accept", "../none.json", "--out", "x"),
        2,
        "../none.json: No such file or directory",
    ),
    "broken results": (("review", "one", "--accept", "a.txt", "--out", "x"), 1, "results"),
    "a review that is none": (("comment", "../results.json"), 1, "../results.json: kind is missing"),
    "an unknown verb": (("coach", "lits"), 2, "coach has no 'lits', and there is no such file"),
    "names for a verb without": (("coach", "list", "x"), 2, "coach list takes no names"),
    "nothing to record": (("record", "a.txt"), 1, "a.txt: not JSON"),
    "another object": (("record", "../object.json"), 1, "../object.json: neither a changeset nor results nor a review"),
}


@pytest.mark.parametrize("row", FAULTS)
def test_a_fault_is_one_line(row: str, result: Result, tmp_path: Path) -> None:
    args, code, message = FAULTS[row]
    assert result.head
    write(tmp_path, {"object.json": "{}"})
    done = split_ci(tmp_path / "r", *args, code=code)
    assert message in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "r/x").exists()


def test_an_approval_without_its_receipts_is_not_posted(result: Result, tmp_path: Path) -> None:
    verdict = judge(result)
    write(tmp_path, {"less.json": dump(verdict._replace(receipts=())), "more.json": dump(verdict)})
    done = split_ci(tmp_path / "r", "comment", "../less.json", code=1)
    assert "../less.json: it approves, and holds no receipt for a.txt" in done.stderr
    stale = verdict._replace(receipts=tuple(r._replace(blob="0" * 40) for r in verdict.receipts))
    write(tmp_path, {"stale.json": dump(stale)})
    assert split_ci(tmp_path / "r", "comment", "../stale.json", code=None).returncode == 1
    assert git(tmp_path / "r", "for-each-ref", "refs/notes") == ""
    split_ci(tmp_path / "r", "comment", "../more.json")


def test_a_review_of_something_that_is_not_here(result: Result, tmp_path: Path) -> None:
    write(tmp_path, {"review.json": dump(judge(result)._replace(head="0" * 40))})
    done = split_ci(tmp_path / "r", "comment", "../review.json", code=1)
    assert "../review.json: the result 000000000000 is not here" in done.stderr


@pytest.fixture
def lessons(tmp_path: Path) -> Path:
    return make_repo(
        tmp_path / "l", {"a.txt": "one\n", "specs/coaching/log.md": render_lesson(LESSON), "specs/one.md": spec(EDIT)}
    )


def test_lessons_are_listed_and_shown(lessons: Path) -> None:
    listed = split_ci(lessons, "coach", "list").stdout
    assert listed.startswith("log  for the implementer, src/**; taught 1, carried 0\n")
    assert "- Log through the logger." in split_ci(lessons, "coach", "show", "src/a.py").stdout
    assert split_ci(lessons, "coach", "show", "one").stdout == "no lesson fits\n"
    shown = json.loads(split_ci(lessons, "coach", "show", "src/a.py", "--format", "json").stdout)
    assert [each["id"] for each in shown["lessons"]] == ["log"]
    assert split_ci(lessons, "coach", "tidy").stdout == "nothing to tidy\n"
    assert split_ci(lessons, "coach", "measure").stdout == "log: passed at once never tried with it, never tried without\n"


BAD: dict[str, tuple[dict[str, str | bytes], str]] = {
    "a bad one": ({"specs/coaching/bad.md": "---\nfor: implementer\n---\nSee https://example.org.\n"}, "SP703"),
    "a double": ({"specs/coaching/same.md": render_lesson(LESSON)}, "SP704"),
    "no front matter": ({"specs/coaching/x.md": "x\n"}, "SP701"),
    "a text file": ({"specs/coaching/x.txt": "x\n"}, "SP701"),
}


@pytest.mark.parametrize("row", BAD)
def test_lessons_are_checked_from_files_index_and_commits(row: str, lessons: Path) -> None:
    files, code = BAD[row]
    assert split_ci(lessons, "coach", "check").returncode == 0
    write(lessons, files)
    assert code in split_ci(lessons, "coach", "check", code=1).stdout
    assert split_ci(lessons, "coach", "check", "--staged").returncode == 0
    git(lessons, "add", "-A")
    assert code in split_ci(lessons, "coach", "check", "--staged", code=1).stdout
    assert "::error file=" in split_ci(lessons, "coach", "check", "--staged", "--format", "github", code=1).stdout
    assert split_ci(lessons, "coach", "check", "--at", "HEAD").returncode == 0
    commit(lessons, {})
    assert code in split_ci(lessons, "coach", "check", "--at", "HEAD", code=1).stdout


def test_a_link_in_the_folder_is_not_followed(lessons: Path) -> None:
    (lessons / "specs/coaching/link.md").symlink_to("log.md")
    assert "not a plain file" in split_ci(lessons, "coach", "check", code=1).stdout


def test_without_lessons_there_is_nothing_to_check(tmp_path: Path) -> None:
    root = make_repo(tmp_path / "r")
    assert split_ci(root, "coach", "check", "--staged").stdout == "no lessons\n"
    assert split_ci(root, "coach", "list").stdout == "0 lessons\n"
    assert split_ci(root, "status").stdout == "no specs\n"


def test_status_is_a_table_of_plain_lines(result: Result, tmp_path: Path) -> None:
    assert result.head
    lines = split_ci(tmp_path / "r", "status", "--offline").stdout.splitlines()
    assert lines[0].split() == ["spec", "state", "criteria", "rounds", "cost", "branch", "waits", "for,", "or", "why"]
    assert lines[1].split()[:2] == ["one", "done"]


def test_the_schemas_enumerate_what_the_code_knows() -> None:
    item = schema("status")["properties"]["specs"]["items"]
    assert item["properties"]["state"]["enum"] == list(STATES)
    verdict = schema("verdict")["properties"]
    assert verdict["decision"]["enum"] == list(DECISIONS)
    assert verdict["findings"]["items"]["properties"]["cause"]["enum"] == list(CAUSES)
    for state in STATES:
        jsonschema.validate({"specs": [as_json(Status("one", state))]}, schema("status"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"specs": [as_json(Status("one", "great"))]}, schema("status"))


def test_a_lesson_s_front_matter_fits_its_schema() -> None:
    full = LESSON._replace(implementers=("cheap",), forbid="x", taught_by=(("spec", "one"), ("commit", "c" * 40)), taught=2)
    front = yaml.safe_load(render_lesson(full).split(b"---\n")[1])
    jsonschema.validate(front, schema("lesson"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**front, "for": "everyone"}, schema("lesson"))


def test_lessons_that_wait_to_be_merged_are_named(lessons: Path) -> None:
    assert json.loads(split_ci(lessons, "coach", "list", "--format", "json").stdout)["waiting"] == []
    git(lessons, "branch", "split-ci/coaching")
    git(lessons, "checkout", "-q", "split-ci/coaching")
    commit(lessons, {"specs/coaching/quote.md": render_lesson(LESSON._replace(id="quote", text="Quote what you replace."))})
    git(lessons, "checkout", "-q", "main")
    said = split_ci(lessons, "coach", "list").stdout
    assert "1 lesson\non split-ci/coaching and not live: quote\n  next: git merge split-ci/coaching" in said
    git(lessons, "merge", "-q", "split-ci/coaching")
    assert "not live" not in split_ci(lessons, "coach", "list").stdout
