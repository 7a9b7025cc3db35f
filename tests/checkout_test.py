from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import pytest

from split_ci import checkout
from split_ci.checkout import PREFIX, Pool, held_folder, prune
from split_ci.errors import WorldError
from split_ci.git import Repo
from tests.builders import SOURCE, commit, git, make_repo

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"a.txt": "one\n", "src/b.py": "print()\n", "src/deep/c.txt": "c\n"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return make_repo(tmp_path / "repo", FILES)


def head(root: Path) -> str:
    return git(root, "rev-parse", "HEAD")


def read(path: str) -> str:
    if os.path.islink(path):
        return os.readlink(path)
    with open(path, "rb") as file:
        return file.read().decode()


def files(folder: str) -> dict[str, str]:
    found = {}
    for at, folders, names in os.walk(folder):
        if ".git" in folders:
            folders.remove(".git")
        for name in names:
            path = os.path.join(at, name)
            found[os.path.relpath(path, folder)] = read(path)
    return found


def test_a_checkout_is_the_commit(root: Path) -> None:
    with Pool(Repo.find(str(root))) as pool, pool.checkout(head(root)) as one:
        assert files(one.folder) == FILES
        assert not one.folder.startswith(str(root))
    assert os.listdir(tempfile.gettempdir()) == []


def spoil_content(folder: Path) -> None:
    (folder / "a.txt").write_text("two\n")


def spoil_same_size_and_time(folder: Path) -> None:
    at = os.stat(folder / "a.txt")
    (folder / "a.txt").write_text("ONE\n")
    os.utime(folder / "a.txt", ns=(at.st_atime_ns, at.st_mtime_ns))


def spoil_by_deleting(folder: Path) -> None:
    (folder / "src/b.py").unlink()


def spoil_mode(folder: Path) -> None:
    (folder / "a.txt").chmod(0o755)


def leave_files(folder: Path) -> None:
    (folder / "src/left.py").write_text("x")
    (folder / "new/sub").mkdir(parents=True)
    (folder / "new/sub/x").write_text("x")
    (folder / "empty").mkdir()


def leave_ignored_files(folder: Path) -> None:
    (folder / ".gitignore").write_text("*\n")
    (folder / "src/ignored.pyc").write_text("x")


def leave_a_repository(folder: Path) -> None:
    make_repo(folder / "nested", {"x": "y"})


def replace_folder_by_symlink(folder: Path) -> None:
    outside = folder.parent.parent.parent / "outside"
    outside.mkdir()
    (outside / "b.py").write_text("mine\n")
    subprocess.run(["rm", "-r", str(folder / "src")], check=True)
    (folder / "src").symlink_to(outside)


def replace_file_by_folder(folder: Path) -> None:
    (folder / "a.txt").unlink()
    (folder / "a.txt").mkdir()
    (folder / "a.txt/x").write_text("x")


def lock_folder(folder: Path) -> None:
    (folder / "locked/in").mkdir(parents=True)
    (folder / "locked/in").chmod(0)
    (folder / "locked").chmod(0o500)


def poison_git(folder: Path) -> None:
    (folder / ".git/config").write_text("[core]\n\tfsmonitor = touch /tmp/split-ci-owned\n\thooksPath = /tmp\n")
    (folder / ".git/info/attributes").write_text("* filter=x\n")
    (folder / ".git/index").write_bytes(b"")


def replace_git_by_link(folder: Path) -> None:
    subprocess.run(["rm", "-r", str(folder / ".git")], check=True)
    (folder / ".git").symlink_to("/")


def dig_deep(folder: Path) -> None:
    here = os.getcwd()
    os.chdir(folder)
    try:
        for _ in range(3000):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_content, spoil_same_size_and_time, spoil_by_deleting, spoil_mode, leave_files, leave_ignored_files, leave_a_repository,
        replace_folder_by_symlink, replace_file_by_folder, lock_folder, poison_git, replace_git_by_link, dig_deep,
    ],
)  # fmt: skip
def test_whatever_is_done_to_a_checkout_the_next_is_clean(root: Path, spoil: object) -> None:
    from pathlib import Path as Folder

    first = head(root)
    second = commit(root, {"a.txt": "changed\n", "src/deep/c.txt": None})
    with Pool(Repo.find(str(root)), most=1) as pool:
        with pool.checkout(first) as one:
            spoil(Folder(one.folder))  # type: ignore[operator]
        with pool.checkout(first) as one:
            assert files(one.folder) == FILES
            assert not os.access(os.path.join(one.folder, "a.txt"), os.X_OK)
            assert sorted(os.listdir(one.folder)) == [".git", "a.txt", "src"]
            assert git(Folder(one.folder), "status", "--porcelain") == ""
            spoil_content(Folder(one.folder))
        with pool.checkout(second) as one:
            assert files(one.folder) == {"a.txt": "changed\n", "src/b.py": "print()\n"}
    assert os.listdir(tempfile.gettempdir()) in ([], ["outside"])


def test_files_that_did_not_change_are_not_written_again(root: Path) -> None:
    first, second = head(root), commit(root, {"a.txt": "changed\n"})
    with Pool(Repo.find(str(root)), most=1) as pool:
        with pool.checkout(first) as one:
            before = os.stat(os.path.join(one.folder, "src/b.py"))
        with pool.checkout(second) as one:
            after = os.stat(os.path.join(one.folder, "src/b.py"))
            assert files(one.folder)["a.txt"] == "changed\n"
    assert (before.st_ino, before.st_ctime_ns) == (after.st_ino, after.st_ctime_ns)


@pytest.mark.parametrize(
    "attributes",
    [
        "* eol=crlf text",
        "* filter=x",
        "* ident",
        "*.txt working-tree-encoding=UTF-16",
        "* text=auto",
        "* -text filter=lfs diff=lfs",
    ],
)
def test_contents_are_blobs_whatever_attributes_and_configuration_say(root: Path, attributes: str) -> None:
    texts = {"a.txt": "one\ntwo $Id$\n", ".gitattributes": attributes + "\n", "crlf.bin": "a\r\nb\n"}
    for key, value in (
        ("core.autocrlf", "true"),
        ("filter.x.smudge", "touch owned"),
        ("filter.x.required", "true"),
        ("core.fsmonitor", "touch owned"),
    ):
        git(root, "config", key, value)
    blobs = [
        (path, git(root, "hash-object", "-w", "--stdin", "--no-filters", input=text.encode()))
        for path, text in texts.items()
    ]
    lines = "".join(f"100644 blob {oid}\t{path}\n" for path, oid in blobs)
    tree = git(root, "mktree", input=lines.encode())
    made = git(root, "commit-tree", tree, "-m", "x")
    with Pool(Repo.find(str(root))) as pool, pool.checkout(made) as one:
        assert files(one.folder) == texts
        assert (
            subprocess.run(["git", "status", "--porcelain"], cwd=one.folder, capture_output=True, check=True).stdout == b""
        )


def test_symlinks_submodules_and_odd_names(root: Path) -> None:
    blob = git(root, "hash-object", "-w", "--stdin", input=b"../../../etc/passwd")
    git(root, "update-index", "--add", "--cacheinfo", f"120000,{blob},link")
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{head(root)},module")
    git(root, "update-index", "--add", "--cacheinfo", f"100644,{blob},back\\slash: odd")
    git(root, "commit", "-q", "-m", "odd")
    with Pool(Repo.find(str(root))) as pool, pool.checkout(head(root)) as one:
        assert os.readlink(os.path.join(one.folder, "link")) == "../../../etc/passwd"
        assert os.listdir(os.path.join(one.folder, "module")) == []
        assert os.path.isfile(os.path.join(one.folder, "back\\slash: odd"))


def test_the_git_inside_knows_the_commit_and_nobody(root: Path) -> None:
    git(root, "remote", "add", "origin", "https://token@example.org/x")
    with Pool(Repo.find(str(root))) as pool, pool.checkout(head(root)) as one:
        inside = {"cwd": one.folder, "capture_output": True, "text": True, "check": True}
        assert subprocess.run(["git", "rev-parse", "HEAD"], **inside).stdout.strip() == head(root)  # type: ignore[call-overload]  # noqa: PLW1510
        assert subprocess.run(["git", "ls-files"], **inside).stdout.split() == sorted(FILES)  # type: ignore[call-overload]  # noqa: PLW1510
        assert subprocess.run(["git", "remote", "-v"], **inside).stdout == ""  # type: ignore[call-overload]  # noqa: PLW1510
        subprocess.run(["git", "diff", "--exit-code", "HEAD"], **inside)  # type: ignore[call-overload]  # noqa: PLW1510


def test_a_commit_that_is_not_there(root: Path) -> None:
    with Pool(Repo.find(str(root))) as pool:
        with pytest.raises(WorldError, match=r"^git read-tree can't make a checkout: "), pool.checkout("1" * 40):
            pass
        with pool.checkout(head(root)) as one:
            assert files(one.folder) == FILES


def test_the_repository_is_not_touched(root: Path) -> None:
    before = git(root, "status", "--porcelain=v2", "--branch"), sorted(os.listdir(root / ".git"))
    index = (root / ".git/index").read_bytes()
    with Pool(Repo.find(str(root))) as pool, pool.checkout(head(root)):
        pass
    assert (git(root, "status", "--porcelain=v2", "--branch"), sorted(os.listdir(root / ".git"))) == before
    assert (root / ".git/index").read_bytes() == index


def test_what_a_killed_run_left_is_removed_and_what_a_live_one_holds_is_not(root: Path) -> None:
    program = (
        "import os, signal, sys, tempfile; tempfile.tempdir = sys.argv[2]; from split_ci.checkout import Pool; from split_ci.git import Repo\n"
        "with Pool(Repo.find(sys.argv[1])) as pool, pool.checkout(sys.argv[3]): os.kill(os.getpid(), signal.SIGKILL)"
    )
    temporary = tempfile.gettempdir()
    subprocess.run(
        [sys.executable, "-c", program, str(root), temporary, head(root)],
        env={**os.environ, "PYTHONPATH": SOURCE},
        check=False,
    )
    assert [name.startswith(PREFIX) for name in os.listdir(temporary)] == [True]
    repo = Repo.find(str(root))
    with Pool(repo) as one, one.checkout(head(root)) as held:
        with Pool(repo):
            assert len(os.listdir(temporary)) == 2
        assert files(held.folder) == FILES
    assert os.listdir(temporary) == []


def test_a_stranger_beside_is_left_alone(root: Path) -> None:
    stranger = os.path.join(tempfile.gettempdir(), PREFIX + "x")
    os.mkdir(stranger)
    with Pool(Repo.find(str(root))):
        pass
    assert os.listdir(tempfile.gettempdir()) == [os.path.basename(stranger)]


def test_object_stores_follow_alternates(root: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--shared", str(root), "copy")
    repo = Repo.find(str(tmp_path / "copy"))
    assert checkout.object_stores(repo, repo.git_dir) == (str(tmp_path / "copy/.git/objects"), str(root / ".git/objects"))
    with Pool(repo) as pool, pool.checkout(head(root)) as one:
        assert files(one.folder) == FILES


@pytest.mark.parametrize(("age", "left"), [(0, True), (3600, False)], ids=["just made", "half removed"])
def test_what_has_no_lock_is_removed_when_it_is_old(tmp_path: Path, age: int, left: bool) -> None:
    found = tmp_path / "split-ci-checkouts-x"
    (found / "1/tree").mkdir(parents=True)
    os.utime(found, (time.time() - age,) * 2)
    prune(str(tmp_path))
    assert found.exists() == left


def test_a_folder_that_another_process_takes_for_a_dead_ones_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    lock = fcntl.flock
    taken: list[list[str]] = []

    def late(file: int, how: int) -> None:
        if not taken:
            taken.append(os.listdir(tmp_path))
            prune(str(tmp_path))
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with held_folder() as folder:
        assert os.listdir(tmp_path) == [os.path.basename(folder)]
        assert taken[0] != os.listdir(tmp_path)
    assert os.listdir(tmp_path) == []
