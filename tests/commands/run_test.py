"""`run` end to end: real specs, real git, real commands in the sandbox."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import commit, git, make_repo, spec, split_ci, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EDIT = """\
### Edit `a.txt`
Before:
```
one
```
After:
```
uno
```
"""
FIRST = spec(EDIT, accept="  - run: grep -q uno a.txt\n  - lacks: {in: a.txt, text: one}")
FILES = {"a.txt": "one\ntwo\nthree\nfour\nfive\n", "b.txt": "b\n", "specs/first.md": FIRST}


def dispatched(repo: Path, *words: str, code: int | None = 0) -> dict[str, Any]:
    """`run --format json`, by id."""
    done = split_ci(repo, "run", "--format", "json", *words, code=code)
    return {one["id"]: one for one in json.loads(done.stdout)["specs"]}


def state(repo: Path) -> tuple[str, ...]:
    """What belongs to the user: index, work tree, stash, HEAD and their own branches."""
    words = (
        ("status", "--porcelain=v2"),
        ("stash", "list"),
        ("rev-parse", "HEAD"),
        ("ls-files", "--stage"),
        ("branch", "--list", "main"),
    )
    return tuple(git(repo, *each) for each in words)


def test_a_ready_spec_becomes_a_branch(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", FILES)
    before = state(repo)
    one = dispatched(repo)["first"]
    assert (one["outcome"], one["branch"], one["rounds"]) == ("done", "split-ci/first", 1)
    assert one["edits"] == {"exact": 1, "adapted": 0, "model": 0}
    assert [(c["id"], c["red"], c["green"]) for c in one["criteria"]] == [("a1", True, True), ("a2", True, True)]
    assert one["review"]["decision"] == "approve"
    assert one["usd"] == 0
    assert git(repo, "show", "split-ci/first:a.txt") == "uno\ntwo\nthree\nfour\nfive"
    assert git(repo, "show", "split-ci/first:specs/landed/first.md") == FIRST.strip()
    assert git(repo, "ls-tree", "--name-only", "split-ci/first", "specs/") == "specs/landed"
    assert git(repo, "log", "-1", "--format=%(trailers:key=Spec,valueonly)|%an|%P", "split-ci/first").replace("\n", "") == (
        f"first|split-ci[bot]|{git(repo, 'rev-parse', 'HEAD')}"
    )
    assert state(repo) == before


def test_the_same_work_gives_the_same_commit(tmp_path: Path) -> None:
    heads = {dispatched(make_repo(tmp_path / name, FILES))["first"]["head"] for name in ("one", "two")}
    assert len(heads) == 1


def test_a_dirty_tree_is_not_touched(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", FILES)
    write(repo, {"a.txt": "mine\n", "new.txt": "mine too\n"})
    git(repo, "stash")
    write(repo, {"b.txt": "staged\n"})
    git(repo, "add", "b.txt")
    write(repo, {"b.txt": "staged and changed\n", "other.txt": "untracked\n"})
    before = state(repo)
    assert dispatched(repo)["first"]["outcome"] == "done"
    assert state(repo) == before
    assert (repo / "b.txt").read_text() == "staged and changed\n"


def landed(repo: Path) -> None:
    git(repo, "merge", "-q", "--squash", "split-ci/first")
    git(repo, "commit", "-q", "-m", "land it")


def a_new_generation(repo: Path) -> None:
    commit(repo, {"specs/first.md": FIRST.replace("uno", "eins")})


def head_moved(repo: Path) -> None:
    commit(repo, {"b.txt": "something else\n"})


def text_drifted(repo: Path) -> None:
    commit(repo, {"a.txt": "ONE\n"})


def a_person_on_the_branch(repo: Path) -> None:
    git(repo, "switch", "-q", "split-ci/first")
    commit(repo, {"b.txt": "by hand\n"})
    git(repo, "switch", "-q", "main")


def an_amended_branch(repo: Path) -> None:
    git(repo, "switch", "-q", "split-ci/first")
    git(repo, "commit", "-q", "--amend", "-m", "better words\n\nSpec: first")
    git(repo, "switch", "-q", "main")


def drifted_and_edited(repo: Path) -> None:
    commit(repo, {"a.txt": "ONE\n", "specs/first.md": FIRST.replace("uno", "eins")})


def nothing(_repo: Path) -> None:
    return


AGAIN = {
    "nothing happened": (nothing, "unchanged", True),
    "HEAD moved": (head_moved, "unchanged", True),
    "the text drifted after it was done": (text_drifted, "unchanged", True),
    "a new generation": (a_new_generation, "done", False),
    "a new generation that doesn't fit": (drifted_and_edited, "stale", True),
    "a person's commit": (a_person_on_the_branch, "blocked", True),
    "a person's amendment": (an_amended_branch, "blocked", True),
}


@pytest.mark.parametrize("name", AGAIN)
def test_what_happens_again(tmp_path: Path, name: str) -> None:
    happens: Callable[[Path], None]
    happens, outcome, kept = AGAIN[name]
    repo = make_repo(tmp_path / "r", FILES)
    dispatched(repo)
    happens(repo)
    head = git(repo, "rev-parse", "split-ci/first")
    one = dispatched(repo, code=None)["first"]
    assert one["outcome"] == outcome, one["reason"]
    assert (git(repo, "rev-parse", "split-ci/first") == head) is kept


def test_a_new_generation_after_a_persons_commit_is_blocked(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", FILES)
    dispatched(repo)
    a_person_on_the_branch(repo)
    a_new_generation(repo)
    head = git(repo, "rev-parse", "split-ci/first")
    one = dispatched(repo, code=1)["first"]
    assert one["outcome"] == "blocked"
    assert head[:12] in one["reason"]
    assert git(repo, "rev-parse", "split-ci/first") == head


def test_a_landed_spec_is_not_dispatched_again(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", FILES)
    dispatched(repo)
    landed(repo)
    assert dispatched(repo) == {}


SECOND = spec(
    "### Edit `a.txt`\nBefore:\n```\nuno\n```\nAfter:\n```\nUNO\n```\n",
    accept="  - contains: {in: a.txt, text: UNO}",
    extra="needs: [first]\n",
)
OTHER = spec("### Create `c.txt`\n```\nc\n```\n", accept="  - exists: c.txt")
BOTH = spec(
    "### Edit `c.txt`\nBefore:\n```\nc\n```\nAfter:\n```\nuno and c\n```\n",
    accept="  - run: grep -q uno a.txt && grep -q uno c.txt",
    extra="needs: [first, other]\n",
)


def test_a_need_is_stacked_on_its_branch(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {**FILES, "specs/second.md": SECOND})
    found = dispatched(repo)
    assert found["second"]["outcome"] == "done"
    assert found["second"]["base"] == found["first"]["head"]
    assert git(repo, "show", "split-ci/second:a.txt").startswith("UNO")


def test_several_needs_start_from_one_merge(tmp_path: Path) -> None:
    files = {**FILES, "specs/other.md": OTHER, "specs/both.md": BOTH}
    found = [dispatched(make_repo(tmp_path / name, files))["both"] for name in ("one", "two")]
    assert [one["outcome"] for one in found] == ["done", "done"]
    assert found[0]["head"] == found[1]["head"]
    repo = tmp_path / "one"
    assert git(repo, "show", "split-ci/both:a.txt").startswith("uno")
    assert len(git(repo, "rev-list", "--parents", "-1", found[0]["base"]).split()) == 3


def test_a_need_that_failed_blocks(tmp_path: Path) -> None:
    red = FIRST.replace("grep -q uno a.txt", "grep -q dos a.txt")
    repo = make_repo(tmp_path / "r", {**FILES, "specs/first.md": red, "specs/second.md": SECOND})
    found = dispatched(repo, code=1)
    assert found["first"]["outcome"] == "failed"
    assert "a1" in found["first"]["reason"]
    assert (found["second"]["outcome"], found["second"]["reason"]) == (
        "blocked",
        "it needs first, which has no result of its present text",
    )


def test_a_need_that_changed_makes_its_dependents_anew(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {**FILES, "specs/second.md": SECOND})
    old = dispatched(repo)["second"]["head"]
    commit(repo, {"specs/first.md": FIRST.replace("title: A change", "title: The same change")})
    found = dispatched(repo)
    assert (found["first"]["outcome"], found["second"]["outcome"]) == ("done", "done")
    assert found["second"]["head"] != old
    assert found["second"]["base"] == found["first"]["head"]


def test_a_need_that_landed_is_no_need(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", FILES)
    dispatched(repo)
    landed(repo)
    commit(repo, {"specs/second.md": SECOND})
    one = dispatched(repo)["second"]
    assert (one["outcome"], one["base"]) == ("done", git(repo, "rev-parse", "HEAD"))


def test_a_need_that_landed_with_another_text_makes_its_dependents_anew(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {**FILES, "specs/second.md": SECOND})
    old = dispatched(repo)["second"]["head"]
    commit(repo, {"specs/first.md": FIRST.replace("title: A change", "title: The same change")})
    found = dispatched(repo, "second", code=1)["second"]
    assert (found["outcome"], found["reason"]) == ("blocked", "it needs first, which has no result of its present text")
    dispatched(repo, "first")
    landed(repo)
    again = dispatched(repo)["second"]
    assert (again["outcome"], again["base"]) == ("done", git(repo, "rev-parse", "HEAD"))
    assert again["head"] != old


def test_overlap_orders_the_work_and_does_not_stack(tmp_path: Path) -> None:
    other = spec("### Instruct `a.txt`\nChange it.\n", accept="  - contains: {in: a.txt, text: x}")
    repo = make_repo(tmp_path / "r", {**FILES, "specs/other.md": other})
    found = dispatched(repo, code=1)
    assert found["first"]["base"] == git(repo, "rev-parse", "HEAD")
    assert found["other"]["outcome"] == "failed"
    assert "needs a model" in found["other"]["reason"]


BAD = {
    "green on the base": ("  - run: test -f a.txt", "failed", "a1"),
    "a tool that is missing": ("  - run: no-such-tool-here a.txt", "failed", "a1"),
    "red on the result": ("  - run: grep -q nothing a.txt", "failed", "a1"),
    "a guard that is red before": (
        "  - missing: specs/first.md\n  - run: grep -q uno a.txt\n    guard: true",
        "failed",
        "a2",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_criterion_that_proves_nothing_stops_the_spec(tmp_path: Path, name: str) -> None:
    accept, outcome, named = BAD[name]
    repo = make_repo(tmp_path / "r", {**FILES, "specs/first.md": spec(EDIT, accept=accept)})
    one = dispatched(repo, code=1)["first"]
    assert one["outcome"] == outcome
    assert named in one["reason"]
    assert git(repo, "for-each-ref", "refs/heads/split-ci") == ""


DRIFTED = spec("### Edit `b.txt`\nBefore:\n```\nbee\n```\nAfter:\n```\n```\n", accept="  - lacks: {in: b.txt, text: b}")


def test_one_bad_spec_does_not_end_the_others(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {**FILES, "specs/bad.md": "no front matter\n", "specs/drift.md": DRIFTED})
    found = dispatched(repo, code=1)
    assert {name: one["outcome"] for name, one in found.items()} == {"first": "done", "bad": "refused", "drift": "stale"}
    assert "specs/bad.md:1: SP103" in found["bad"]["reason"]


def test_a_named_spec_may_be_a_draft_outside_of_the_repository(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "one\n"})
    write(tmp_path, {"try.md": FIRST.replace("status: ready", "status: draft")})
    one = dispatched(repo, str(tmp_path / "try.md"))["try"]
    assert one["outcome"] == "done"
    assert git(repo, "ls-tree", "--name-only", "split-ci/try", "specs/landed/") == "specs/landed/try.md"


def test_dry_run_makes_nothing(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", FILES)
    done = split_ci(repo, "run", "--dry-run")
    assert done.stdout.startswith("would dispatch first on ")
    assert git(repo, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_dry_run_tells_what_a_run_then_does(tmp_path: Path) -> None:
    stale = spec(
        "### Edit `b.txt`\nBefore:\n```\nnot there\n```\nAfter:\n```\nx\n```\n", accept="  - contains: {in: b.txt, text: x}"
    )
    asks = spec("### Instruct `d.txt`\nWrite it.\n", accept="  - exists: d.txt")
    onto = OTHER.replace("status: ready", "status: ready\nneeds: [missing]")
    more = {
        "specs/second.md": SECOND,
        "specs/stale.md": stale,
        "specs/asks.md": asks,
        "specs/onto.md": onto,
        "specs/nothing.md": "x\n",
    }
    repo = make_repo(tmp_path / "r", {**FILES, **more})
    for name in ("first", "second"):
        foreseen = dispatched(repo, "--dry-run", code=1)
        first = "unchanged" if name == "second" else None
        assert (foreseen["first"]["outcome"], foreseen["second"]["outcome"]) == (first, None)
        dispatched(repo, name)
    foreseen, real = dispatched(repo, "--dry-run", code=1), dispatched(repo, code=1)
    assert {id_: one["outcome"] for id_, one in foreseen.items()} == {id_: one["outcome"] for id_, one in real.items()}
    assert [real[id_]["outcome"] for id_ in ("first", "second", "stale", "asks", "onto", "nothing")] == [
        "unchanged", "unchanged", "stale", "failed", "blocked", "refused",
    ]  # fmt: skip


def test_a_landed_spec_that_is_named_is_left_alone(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", FILES)
    dispatched(repo)
    git(repo, "merge", "-q", "--squash", "split-ci/first")
    git(repo, "commit", "-q", "-m", "squashed")
    git(repo, "branch", "-q", "-D", "split-ci/first")
    for words in (("first",), ("first", "--dry-run")):
        one = dispatched(repo, *words)["first"]
        assert (one["outcome"], one["reason"]) == ("unchanged", "it has landed")


def test_a_result_that_was_never_reviewed_is_reviewed_by_the_next_run(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", FILES)
    whole = dispatched(repo)["first"]
    git(repo, "update-ref", "-d", "refs/notes/split-ci-review")
    one = dispatched(repo)["first"]
    assert (one["outcome"], one["head"], one["review"]) == ("unchanged", whole["head"], whole["review"])
    assert "approve" in git(repo, "notes", "--ref=split-ci-review", "show", whole["head"])


def test_it_runs_inside_of_a_hook(tmp_path: Path) -> None:
    """A hook's GIT_INDEX_FILE, GIT_DIR and GIT_WORK_TREE must not put anything into the user's commit."""
    import sys

    from tests.builders import SOURCE

    repo = make_repo(tmp_path / "r", FILES)
    hook = repo / ".git" / "hooks" / "pre-commit"
    hook.write_text(f"#!/bin/sh\nPYTHONPATH={SOURCE} exec {sys.executable} -P -m split_ci run\n")
    hook.chmod(0o755)
    write(repo, {"b.txt": "staged\n", "a.txt": "not staged\n"})
    git(repo, "commit", "-q", "-m", "only b", "b.txt")
    assert git(repo, "show", "--name-only", "--format=", "HEAD") == "b.txt"
    assert git(repo, "status", "--porcelain") == "M a.txt"
    assert git(repo, "show", "split-ci/first:a.txt").startswith("uno")


@pytest.mark.parametrize("words", [("run", "nope"), ("run", "-j", "0"), ("run", "--base", "nowhere"), ("run", "../etc/x")])
def test_wrong_words_are_usage(tmp_path: Path, words: tuple[str, ...]) -> None:
    repo = make_repo(tmp_path / "r", FILES)
    done = split_ci(repo, *words, code=2)
    assert done.stderr.startswith("split-ci: error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param(FIRST, ["  next: split-ci land"], id="approved"),
        pytest.param(FIRST.replace("one\n```\nAfter", "nope\n```\nAfter"), ["  next: split-ci explain SP301"], id="stale"),
        pytest.param(FIRST.replace("grep -q uno a.txt", "test -f a.txt"),
                     ["  next: split-ci check --prove specs/first.md"], id="green on the base"),
        pytest.param(FIRST.replace("grep -q uno a.txt", "'echo over; echo there; grep -q due a.txt'"),
                     ["             | over", "             | there", "  next: mend the spec, then split-ci run first"],
                     id="red on the result, with what the command printed"),
    ],
)  # fmt: skip
def test_it_ends_with_what_to_type_next(tmp_path: Path, text: str, lines: list[str]) -> None:
    repo = make_repo(tmp_path / "r", FILES | {"specs/first.md": text})
    said = split_ci(repo, "run", code=None).stdout.splitlines()
    assert [line for line in said if "| " in line or "next:" in line] == lines
    assert said[-1] == lines[-1]


def test_a_key_that_is_not_there_is_named_with_what_to_type(tmp_path: Path) -> None:
    config = "models:\n  m: {api: openai, model: x, key: NO_SUCH_KEY}\narchitect: m\n"
    repo = make_repo(tmp_path / "r", FILES | {".split-ci.yaml": config})
    assert split_ci(repo, "run", code=2).stderr.splitlines()[-1] == "  next: export NO_SUCH_KEY=…"


def test_a_spec_that_no_rung_can_do_asks_for_a_model(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", FILES | {"specs/first.md": spec("### Instruct `a.txt`\nSay uno.\n")})
    last = "  next: name a model in `implementers` of .split-ci.yaml, then split-ci run first"
    assert split_ci(repo, "run", code=1).stdout.splitlines()[-1] == last
