from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from split_ci.git import Repo
from split_ci.notes import review_notes
from split_ci.store import Quarantine
from split_ci.verdict import CriterionDecision, Verdict
from tests.builders import commit, git, make_repo, spec, split_ci, write
from tests.invariants import leftovers
from tests.results_of import exact, published

if TYPE_CHECKING:
    from pathlib import Path

    from split_ci.verdict import Decision


def edit(path: str, before: str, after: str) -> str:
    return f"### Edit `{path}`\nBefore:\n```\n{before}\n```\nAfter:\n```\n{after}\n```\n"


BASE = {
    "a.txt": "one\ntwo\n", "b.txt": "b\n", "c.txt": "c\n", "local.txt": "l\n",
    "specs/a.md": spec(edit("a.txt", "two", "TWO"), title="Louder"), "specs/b.md": spec(edit("b.txt", "b", "B")),
    "specs/clash.md": spec(edit("a.txt", "two", "zwei")), "specs/later.md": spec(edit("c.txt", "c", "C"), extra="needs: [b]\n"),
}  # fmt: skip

LOUDER = spec(edit("a.txt", "two", "TWO"), accept="  - lacks: {in: a.txt, text: two}")


def review(repo: Path, id_: str, decision: Decision = "approve") -> None:
    head = git(repo, "rev-parse", f"split-ci/{id_}")
    verdict = Verdict(
        id_, "0" * 64, git(repo, "rev-parse", "HEAD"), head, "rules", recorded=False, decision=decision, summary="",
        findings=(), criteria=(CriterionDecision("a1", "met"),), receipts=(), lessons=(), review="1" * 16,
    )  # fmt: skip
    with Quarantine(Repo.find(str(repo))) as quarantine:
        update = review_notes(quarantine, [verdict])
        assert update
        quarantine.admit([update])


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    repo = make_repo(tmp_path / "r", BASE)
    for id_ in ("a", "b", "clash", "later"):
        assert published(repo, exact(repo, id_)).outcome.name == "done"
    return repo


def land(repo: Path, *ids: str, code: int = 0) -> dict[str, tuple[str, str]]:
    done = split_ci(repo, "land", "--format", "json", *ids, code=code)
    return {one["id"]: (one["outcome"], one["reason"]) for one in json.loads(done.stdout)["specs"]}


def test_approved_ones_land_in_the_order_of_their_needs_and_local_changes_stay(repo: Path) -> None:
    for id_ in ("later", "b", "a"):
        review(repo, id_)
    write(repo, {"local.txt": "mine\n", "new.txt": "n\n"})
    told = land(repo)
    clash = git(repo, "rev-parse", "split-ci/clash")
    assert told == {
        "clash": ("refused", f"split-ci/clash has no review of {clash[:12]}: not approved"),
        "a": ("done", ""), "b": ("done", ""), "later": ("done", ""),
    }  # fmt: skip
    assert list(told)[1:] == ["a", "b", "later"]
    assert git(repo, "status", "--porcelain").splitlines() == ["M local.txt", "?? new.txt"]
    assert [(repo / name).read_text() for name in ("a.txt", "b.txt", "c.txt", "local.txt")] == [
        "one\nTWO\n", "B\n", "C\n", "mine\n"
    ]  # fmt: skip
    assert (repo / "specs/landed/a.md").exists()
    assert not (repo / "specs/a.md").exists()
    assert git(repo, "log", "--merges", "--format=%an %s").splitlines()[-1] == "Ada Merge split-ci/a: Louder"
    again = land(repo)
    assert {id_: outcome for id_, (outcome, _) in again.items()} == {
        "a": "unchanged", "b": "unchanged", "later": "unchanged", "clash": "refused",
    }  # fmt: skip
    assert again["a"] == ("unchanged", "split-ci/a is merged already")
    assert leftovers(repo) == []


def test_it_stops_at_the_first_conflict_and_loses_nothing(repo: Path) -> None:
    for id_ in ("a", "clash", "later", "b"):
        review(repo, id_)
    told = land(repo, "a", "clash", "b", code=1)
    assert told == {"a": ("done", ""), "clash": ("blocked", "conflict in a.txt")}
    assert (repo / "a.txt").read_text() == "one\nTWO\n"
    assert git(repo, "status", "--porcelain") == ""
    assert git(repo, "show", "split-ci/clash:a.txt") == "one\nzwei"


def test_a_local_change_in_the_way_stays(repo: Path) -> None:
    review(repo, "a")
    review(repo, "b")
    write(repo, {"b.txt": "mine\n"})
    told = land(repo, code=1)
    assert told["a"] == ("done", "")
    assert told["b"] == ("blocked", "local changes are in the way, and stay: b.txt")
    said = split_ci(repo, "land", code=1).stdout
    assert said.splitlines()[-1] == "  next: git stash, or git commit; then split-ci land"
    assert (repo / "b.txt").read_text() == "mine\n"


def test_named_ones_must_be_approved(repo: Path) -> None:
    review(repo, "a", "request_changes")
    assert land(repo, "a", code=1) == {
        "a": ("refused", "split-ci/a is not approved: the review by rules says request_changes")
    }
    review(repo, "later")
    assert land(repo, "later", code=1) == {"later": ("refused", "it needs b, which has not landed")}


def test_what_was_squashed_has_landed(repo: Path) -> None:
    git(repo, "merge", "-q", "--squash", "split-ci/a")
    git(repo, "commit", "-q", "-m", "squashed")
    assert land(repo, "a") == {"a": ("unchanged", "specs/landed/a.md is there in the same text: landed already")}
    git(repo, "branch", "-q", "-D", "split-ci/a")
    assert land(repo, "a") == {"a": ("unchanged", "specs/landed/a.md is there: landed already")}


def test_a_spec_that_was_edited_since_does_not_land_as_it_was(repo: Path) -> None:
    review(repo, "a")
    commit(repo, {"specs/a.md": BASE["specs/a.md"].replace("\nTWO\n", "\nzwei\n")})
    assert land(repo, "a", code=1) == {"a": ("refused", "specs/a.md has changed since split-ci/a was made: split-ci run a")}
    assert (repo / "specs/a.md").exists()


def test_a_result_of_a_file_that_was_not_committed_lands(repo: Path) -> None:
    write(repo, {"specs/a.md": LOUDER.replace("\nTWO\n", "\nzwei\n")})
    split_ci(repo, "run", "specs/a.md")
    git(repo, "checkout", "-q", "--", "specs/a.md")
    assert land(repo, "a") == {"a": ("done", "")}
    assert (repo / "a.txt").read_text() == "one\nzwei\n"


def test_a_spec_that_was_never_committed_is_named_as_left(repo: Path) -> None:
    write(repo, {"specs/new.md": LOUDER})
    split_ci(repo, "run", "specs/new.md")
    said = split_ci(repo, "land", "new").stdout
    assert "\n  specs/new.md was never committed and is still there; what landed is its copy: rm specs/new.md\n" in said
    assert (repo / "specs/new.md").read_text() == LOUDER


def test_a_spec_that_was_committed_after_its_result_was_made_is_pending_no_more(repo: Path) -> None:
    write(repo, {"specs/new.md": LOUDER})
    split_ci(repo, "run", "specs/new.md")
    git(repo, "add", "specs/new.md")
    git(repo, "commit", "-q", "-m", "the spec")
    assert land(repo, "new") == {"new": ("done", "")}
    assert not (repo / "specs/new.md").exists()
    assert (repo / "specs/landed/new.md").read_text() == LOUDER
    assert git(repo, "status", "--porcelain") == ""
    assert land(repo, "new") == {"new": ("unchanged", "split-ci/new is merged already")}


@pytest.mark.parametrize("settings", [{".gitattributes": "*.md text eol=crlf\n"}, {}])
def test_a_work_tree_with_other_line_ends_has_the_same_spec(repo: Path, settings: dict[str, str]) -> None:
    """Before it is committed as afterwards: its result is of what git has committed."""
    commit(repo, settings)
    if not settings:
        git(repo, "config", "core.autocrlf", "true")
    write(repo, {"specs/new.md": LOUDER.replace("\n", "\r\n")})
    split_ci(repo, "run", "specs/new.md")
    git(repo, "add", "specs/new.md")
    git(repo, "commit", "-q", "-m", "the spec")
    assert "unchanged new" in split_ci(repo, "run", "new", "--dry-run").stdout
    assert land(repo, "new") == {"new": ("done", "")}
    assert git(repo, "show", "HEAD:specs/landed/new.md") == LOUDER.strip()
    assert git(repo, "status", "--porcelain") == ""


def test_a_pending_copy_of_a_landed_spec_is_no_merge_undone(repo: Path) -> None:
    write(repo, {"specs/new.md": LOUDER})
    split_ci(repo, "run", "specs/new.md")
    git(repo, "add", "specs/new.md")
    git(repo, "commit", "-q", "-m", "the spec")
    git(repo, "merge", "-q", "--no-edit", "split-ci/new")
    assert land(repo, "new") == {"new": ("unchanged", "split-ci/new is merged already")}


def test_what_builds_on_an_older_need_does_not_land(tmp_path: Path) -> None:
    later = spec(edit("c.txt", "c", "C"), extra="needs: [a]\n", accept="  - contains: {in: c.txt, text: C}")
    repo = make_repo(tmp_path / "n", {"a.txt": "one\ntwo\n", "c.txt": "c\n", "specs/a.md": LOUDER, "specs/later.md": later})
    split_ci(repo, "run")
    commit(repo, {"specs/a.md": LOUDER.replace("\nTWO\n", "\nzwei\n")})
    split_ci(repo, "run", "a")
    old = ("refused", "a has changed since split-ci/later was built on it: split-ci run later")
    assert land(repo) == {"a": ("done", ""), "later": old}
    assert land(repo, "later", code=1) == {"later": old}
    split_ci(repo, "run")
    assert land(repo, "later") == {"later": ("done", "")}
    assert (repo / "a.txt").read_text() == "one\nzwei\n"


def test_a_merge_that_was_undone_is_said(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "n", {"a.txt": "one\ntwo\n", "specs/a.md": LOUDER})
    split_ci(repo, "run")
    assert land(repo, "a") == {"a": ("done", "")}
    git(repo, "revert", "--no-edit", "-m1", "HEAD")
    again = "split-ci/a was merged, and that was undone since: split-ci drop a, then split-ci run a"
    assert land(repo, "a", code=1) == {"a": ("refused", again)}
    split_ci(repo, "drop", "a")
    split_ci(repo, "run", "a")
    assert land(repo, "a") == {"a": ("done", "")}


DEADLY = """\
#!/bin/sh
printf x >> "{count}"
if [ "$(wc -c < "{count}")" -eq {at} ]; then
  kill -9 "$(cut -d' ' -f4 "/proc/$PPID/stat")" "$PPID"
fi
exec cat
"""


@pytest.mark.parametrize("at", [1, 3])
@pytest.mark.parametrize("edited", [False, True], ids=["as it was left", "and then edited"])
def test_killed_with_its_git_it_lands_when_it_is_run_again(tmp_path: Path, at: int, edited: bool) -> None:
    changes = "".join(edit(f"{name}.txt", "old", "new") for name in "abcd") + "### Create `new.txt`\n```\nn\n```\n"
    files = {f"{name}.txt": "old\n" for name in "abcd"}
    many = spec(changes, accept="  - exists: new.txt")
    repo = make_repo(tmp_path / "n", {**files, ".gitattributes": "*.txt filter=deadly\n", "specs/many.md": many})
    split_ci(repo, "run")
    script = tmp_path / "filter"
    script.write_text(DEADLY.format(count=tmp_path / "count", at=at))
    script.chmod(0o755)
    git(repo, "config", "filter.deadly.smudge", str(script))
    assert split_ci(repo, "land", code=None).returncode == -9
    assert git(repo, "status", "--porcelain") != ""
    if edited:
        write(repo, {"d.txt": "mine\n"})
        assert land(repo, code=1) == {"many": ("blocked", "local changes are in the way, and stay: d.txt")}
        assert (repo / "d.txt").read_text() == "mine\n"
        write(repo, files)
    assert land(repo) == {"many": ("done", "")}
    assert git(repo, "status", "--porcelain") == ""
    assert (repo / "a.txt").read_text() + (repo / "new.txt").read_text() == "new\nn\n"
    assert leftovers(repo) == []


def test_killed_alone_its_git_ends_the_landing(tmp_path: Path) -> None:
    files = {"a.txt": "old\n", ".gitattributes": "*.txt filter=slow\n"}
    change = spec(edit("a.txt", "old", "new"), accept="  - contains: {in: a.txt, text: new}")
    repo = make_repo(tmp_path / "n", {**files, "specs/one.md": change})
    split_ci(repo, "run")
    script = tmp_path / "filter"
    script.write_text('#!/bin/sh\nkill -9 "$(cut -d\' \' -f4 "/proc/$PPID/stat")"\nsleep 0.7\nexec cat\n')
    script.chmod(0o755)
    git(repo, "config", "filter.slow.smudge", str(script))
    assert split_ci(repo, "land", code=None).returncode == -9
    assert land(repo)["one"][0] in ("unchanged", "done")  # done where it makes the very same merge, in the same second
    assert (repo / "a.txt").read_text() == "new\n"
    assert git(repo, "status", "--porcelain") == ""
    land(repo)  # what the git that went on alone had said is removed by whoever comes after its end
    assert leftovers(repo) == []


def unknown(_: Path) -> list[str]:
    return ["land", "nothing"]


def detached(repo: Path) -> list[str]:
    git(repo, "checkout", "-q", "--detach")
    return ["land"]


def merging(repo: Path) -> list[str]:
    (repo / ".git/MERGE_HEAD").write_text(git(repo, "rev-parse", "HEAD") + "\n")
    return ["land"]


WRONG = {
    "there is no branch split-ci/nothing": unknown,
    "HEAD is detached: no branch is checked out": detached,
    "a merge is under way in this work tree": merging,
}


@pytest.mark.parametrize("said", WRONG)
def test_where_nothing_can_land(repo: Path, said: str) -> None:
    done = split_ci(repo, *WRONG[said](repo), code=2)
    assert done.stderr.splitlines()[0] == f"split-ci: error: {said}"


def test_a_bare_repository(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repo), "bare")
    assert "is a bare repository: landing needs a work tree" in split_ci(tmp_path / "bare", "land", code=2).stderr


def test_in_words(repo: Path) -> None:
    review(repo, "a")
    said = split_ci(repo, "land", "a").stdout
    assert said == f"a: landed: as {git(repo, 'rev-parse', 'HEAD')[:12]}\n"
    commit(repo, {"x": "x"})
