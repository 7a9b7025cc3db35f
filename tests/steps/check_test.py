from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from split_ci.errors import UsageError
from split_ci.git import Repo
from split_ci.steps.check import check
from tests.builders import commit, git, make_repo, spec, write

if TYPE_CHECKING:
    from pathlib import Path

    from split_ci.proof import Checked

EDIT = "### Edit `src/a.txt`\nBefore:\n```\n{}\n```\nAfter:\n```\nnew\n```\n"
GOOD, BAD = spec(EDIT.format("two")), spec(EDIT.format("four"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "work", {"src/a.txt": "one\ntwo\nthree\n"})


def found(root: Path, *paths: str, **source: object) -> dict[str, list[str]]:
    """Path -> its problems, as `code severity`."""
    checked: list[Checked] = check(Repo.find(str(root)), paths, cwd=str(root), **source)  # type: ignore[arg-type]
    return {one.path: [f"{p.code} {p.severity}" for p in one.problems] for one in checked}


def test_by_hand_specs_are_files_and_the_tree_is_the_index(root: Path) -> None:
    write(root, {"specs/a.md": GOOD, "src/a.txt": "nothing\n"})
    assert found(root) == {"specs/a.md": []}
    git(root, "add", "src/a.txt")
    assert found(root) == {"specs/a.md": ["SP301 error"]}


def test_staged_is_the_index_alone(root: Path) -> None:
    write(root, {"specs/a.md": BAD})
    assert found(root, staged=True) == {}
    git(root, "add", "specs")
    write(root, {"specs/a.md": GOOD})
    assert found(root, staged=True) == {"specs/a.md": ["SP301 error"]}
    assert found(root) == {"specs/a.md": []}


def test_at_a_commit_both_are_of_that_commit(root: Path) -> None:
    first = commit(root, {"specs/a.md": GOOD})
    commit(root, {"src/a.txt": "other\n"})
    assert found(root, at=first) == {"specs/a.md": []}
    assert found(root, at="HEAD") == {"specs/a.md": ["SP301 error"]}


def test_staged_honours_the_index_that_a_hook_is_given(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(root, {"specs/a.md": GOOD})
    other = root / ".git/other-index"
    write(root, {"specs/a.md": BAD})
    git(root, "read-tree", "HEAD", env={"GIT_INDEX_FILE": str(other)})
    git(root, "add", "specs", env={"GIT_INDEX_FILE": str(other)})
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/other-index")
    before = other.read_bytes(), (root / ".git/index").read_bytes()
    assert found(root, staged=True) == {"specs/a.md": ["SP301 error"]}
    assert (other.read_bytes(), (root / ".git/index").read_bytes()) == before


def test_what_a_commit_makes_stale_is_a_warning(root: Path) -> None:
    commit(
        root, {"specs/a.md": GOOD, "specs/b.md": spec("### Delete `src/a.txt`\n").replace("status: ready", "status: draft")}
    )
    write(root, {"src/a.txt": "other\n"})
    git(root, "add", "src")
    assert found(root, staged=True) == {"specs/a.md": ["SP301 warning"], "specs/b.md": []}
    write(root, {"specs/a.md": GOOD + "\n"})
    git(root, "add", "specs")
    assert found(root, staged=True)["specs/a.md"] == ["SP301 error"]


def test_what_the_tree_has_no_part_in_stays_an_error(root: Path) -> None:
    commit(root, {"specs/a.md": GOOD.replace("status: ready", "status: maybe")})
    assert found(root, staged=True) == {"specs/a.md": ["SP112 error"]}


def test_one_bad_spec_never_hides_the_others(root: Path) -> None:
    write(root, {"specs/a.md": b"\xff", "specs/b.md": "---\n[", "specs/c.md": BAD, "specs/d.md": GOOD})
    codes = found(root)
    assert codes["specs/a.md"] == ["SP101 error"]
    assert codes["specs/b.md"][0] == "SP103 error"
    assert codes["specs/c.md"] == ["SP301 error"]
    assert codes["specs/d.md"] == []


def test_a_broken_spec_does_not_make_it_a_need_that_is_missing(root: Path) -> None:
    write(
        root,
        {
            "specs/a.md": GOOD.replace("status: ready", "status: maybe"),
            "specs/b.md": spec("### Delete `src/a.txt`\n", extra="needs: [a]\n"),
        },
    )
    assert not any(code.startswith("SP601") for code in found(root)["specs/b.md"])


def test_what_is_no_pending_spec_is_left_out(root: Path) -> None:
    write(
        root, {f"specs/{name}": "x" for name in ("TEMPLATE.md", "README.md", "landed/old.md", "coaching/l.md", ".gitkeep")}
    )
    assert found(root) == {}


KINDS = {
    "executable": ("chmod", "SP114 error"), "link": ("link", "SP114 error"), "folder": ("folder", "SP114 error"),
    "other kind": ("txt", "SP114 error"), "name": ("name", "SP113 error"), "fifo": ("fifo", "SP114 error"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "code"), KINDS.values(), ids=KINDS)
def test_kinds_and_names_of_files(root: Path, kind: str, code: str) -> None:
    write(root, {"specs/good.md": GOOD})
    folder = root / "specs"
    if kind == "chmod":
        (folder / "good.md").chmod(0o755)
    elif kind == "link":
        (folder / "good.md").rename(root / "real.md")
        (folder / "good.md").symlink_to("../real.md")
    elif kind == "folder":
        write(root, {"specs/sub/x.md": GOOD})
    elif kind == "txt":
        write(root, {"specs/notes.txt": "x"})
    elif kind == "fifo":
        os.mkfifo(folder / "pipe.md")
    else:
        write(root, {"specs/Bad_Name.md": GOOD})
    assert any(code in codes for codes in found(root).values())


def test_ids_that_fall_together(root: Path) -> None:
    write(root, {"specs/fold.md": GOOD, "specs/FOLD.md": GOOD})
    assert "SP115 error" in found(root)["specs/fold.md"]
    assert {"SP113 error", "SP115 error"} <= set(found(root)["specs/FOLD.md"])


def test_an_id_that_has_landed(root: Path) -> None:
    commit(root, {"specs/landed/a.md": GOOD})
    write(root, {"specs/a.md": GOOD})
    assert found(root) == {}  # the same text: it has landed
    write(root, {"specs/a.md": GOOD.replace("Because", "Since")})
    assert found(root) == {"specs/a.md": ["SP115 error"]}


def test_paths_choose_among_the_specs(root: Path) -> None:
    write(root, {"specs/a.md": GOOD, "specs/b.md": BAD, "elsewhere/c.md": BAD})
    assert list(found(root, "specs/b.md")) == ["specs/b.md"]
    assert list(found(root, "specs")) == list(found(root, ".")) == ["specs/a.md", "specs/b.md"]
    assert found(root, "elsewhere/c.md") == {"elsewhere/c.md": ["SP301 error"]}
    assert list(found(root, "b")) == ["specs/b.md"]
    write(root, {"b": "a file that is called so"})
    assert list(found(root, "b")) == ["b"]


@pytest.mark.parametrize("path", ["specs/none.md", "nothing", "../x.md"])
def test_a_path_at_which_nothing_is(root: Path, path: str) -> None:
    write(root, {"specs/a.md": GOOD})
    with pytest.raises(UsageError, match="there is"):
        found(root, path)


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_called_like_the_folder_and_is_none_is_said(root: Path, kind: str) -> None:
    (root / "real").mkdir()
    (root / "specs").symlink_to("real") if kind == "link" else write(root, {"specs": "x\n"})
    with pytest.raises(UsageError, match="specs: a symlink is not" if kind == "link" else "specs: specs are looked for"):
        found(root)
    first = commit(root, {"real/a.md": BAD})
    for source in ({}, {"staged": True}, {"at": first}):
        with pytest.raises(UsageError, match="specs: specs are looked for in a folder"):
            found(root, **source)


def test_the_branch_of_lessons_is_nobody_s(root: Path) -> None:
    commit(root, {"specs/coaching.md": GOOD})
    assert found(root, at="HEAD") == {"specs/coaching.md": ["SP113 error"]}


def test_the_configuration_comes_from_the_same_source(root: Path) -> None:
    commit(root, {".split-ci.yaml": "specs: plans\nprotected: [src/**]\n", "plans/a.md": GOOD})
    write(root, {".split-ci.yaml": "specs: plans\n"})
    assert found(root) == {"plans/a.md": []}
    assert found(root, at="HEAD") == {"plans/a.md": ["SP204 error"]}


def test_a_bare_repository_has_commits_only(tmp_path: Path, root: Path) -> None:
    commit(root, {"specs/a.md": GOOD})
    git(root, "clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    assert found(tmp_path / "bare", at="HEAD") == {"specs/a.md": []}
    with pytest.raises(UsageError, match="there is no work tree here"):
        found(tmp_path / "bare")


def test_no_revision(root: Path) -> None:
    with pytest.raises(UsageError, match="no commit is named 'nowhere' here"):
        found(root, at="nowhere")


def test_an_unborn_branch(tmp_path: Path) -> None:
    root = make_repo(tmp_path)
    write(root, {"specs/a.md": spec("### Create `n`\n```\nx\n```\n")})
    git(root, "add", ".")
    assert found(root, staged=True) == found(root) == {"specs/a.md": []}


def test_what_is_only_intended_is_not_there_and_what_is_in_conflict_has_no_one_version(root: Path) -> None:
    write(
        root,
        {
            "n": "draft\n",
            "empty": "",
            "specs/a.md": spec("### Create `n`\n```\nx\n```\n"),
            "specs/b.md": spec("### Delete `empty`\n"),
        },
    )
    git(root, "add", "-N", "n")
    git(root, "add", "empty", "specs")
    assert found(root) == {"specs/a.md": [], "specs/b.md": []}
    blob = git(root, "hash-object", "-w", "--stdin", input=b"x")
    rows = f"0 {'0' * 40}\tempty\n100644 {blob} 1\tempty\n100644 {blob} 2\tempty\n"
    git(root, "update-index", "--index-info", input=rows.encode())
    assert found(root) == {"specs/a.md": [], "specs/b.md": ["SP310 error"]}


@pytest.fixture
def torn(root: Path) -> Path:
    """A merge that stopped: files, a spec and the configuration are in conflict, one of them because the other side has deleted it."""
    specs = {
        "specs/edits.md": spec("### Edit `a.txt`\nBefore:\n```\nours\n```\nAfter:\n```\nnew\n```\n"),
        "specs/makes.md": spec("### Create `gone.txt`\n```\nx\n```\n"),
        "specs/below.md": spec("### Create `a.txt/b`\n```\nx\n```\n"),
        "specs/asks.md": spec("### Instruct `b.txt`\nSay something.\n"),
        "specs/fine.md": spec("### Create `new.txt`\n```\nx\n```\n"),
    }
    yaml = "limits: {{rounds: {}}}\n"
    commit(
        root,
        {
            "a.txt": "one\n",
            "b.txt": "one\n",
            "gone.txt": "one\n",
            "specs/torn.md": GOOD,
            ".split-ci.yaml": yaml.format(1),
            **specs,
        },
    )
    git(root, "switch", "-q", "-c", "theirs")
    commit(
        root,
        {
            "a.txt": "theirs\n",
            "b.txt": "t\n",
            "gone.txt": None,
            "specs/torn.md": GOOD + "theirs\n",
            ".split-ci.yaml": yaml.format(2),
        },
    )
    git(root, "switch", "-q", "main")
    commit(
        root,
        {
            "a.txt": "ours\n",
            "b.txt": "o\n",
            "gone.txt": "o\n",
            "specs/torn.md": GOOD + "ours\n",
            ".split-ci.yaml": yaml.format(3),
        },
    )
    with pytest.raises(AssertionError):
        git(root, "merge", "-q", "theirs")
    return root


@pytest.mark.parametrize("staged", [False, True])
def test_a_file_in_conflict_is_named_and_what_to_type(torn: Path, staged: bool) -> None:
    write(torn, {".split-ci.yaml": "limits: {rounds: 3}\n"})
    git(torn, "add", ".split-ci.yaml")
    checked = {one.id: one for one in check(Repo.find(str(torn)), staged=staged)}
    said = {id_: [(p.code, p.severity) for p in one.problems] for id_, one in checked.items() if id_ != "torn"}
    conflict = [("SP310", "error")]
    assert said == {"edits": conflict, "makes": conflict, "below": conflict, "asks": conflict, "fine": []}
    (problem,) = checked["edits"].problems
    assert problem.message == "`a.txt` is in conflict: the index holds no one version of it"
    assert problem.fix == "`git status` shows all conflicts; resolve this one, then `git add a.txt`"
    assert not checked["torn"].ok
    if staged:
        assert [p.code for p in checked["torn"].problems] == ["SP310"]
    git(torn, "add", "-A")
    assert [p.code for p in check(Repo.find(str(torn)), ["edits"], cwd=str(torn), staged=staged)[0].problems] != ["SP310"]


def test_a_configuration_in_conflict_is_not_taken_for_none(torn: Path) -> None:
    with pytest.raises(UsageError, match=r"\.split-ci\.yaml: it is in conflict") as caught:
        check(Repo.find(str(torn)), staged=True)
    assert caught.value.hint == "resolve it, then git add .split-ci.yaml; git status shows all conflicts"
    with pytest.raises(UsageError, match=r"\.split-ci\.yaml:2"):  # by hand it is a file, with git's marks in it
        check(Repo.find(str(torn)))
