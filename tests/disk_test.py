"""A full disk, no file descriptors left, nothing that may be written: one line and exit 4, and the next run does it all."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from split_ci.git import clean_env
from tests.builders import PERSON, SOURCE, git
from tests.invariants import picture
from tests.kill_test import Place, seed, whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["seed", "whole"]  # fixtures
POWERLESS = (  # root, and yet nobody who may write everywhere
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner,-chown", "--inh-caps=-all")
    if not os.geteuid()
    else ()
)


def run(place: Place, *words: str, limit: tuple[int, int] | None = None) -> subprocess.CompletedProcess[str]:
    env = clean_env({**PERSON, "PYTHONPATH": SOURCE, "NO_COLOR": "1", "TMPDIR": str(place.tmp)})

    def limited() -> None:
        if limit:
            resource.setrlimit(limit[0], (limit[1], limit[1]))

    return subprocess.run(
        [*POWERLESS, sys.executable, "-P", "-m", "split_ci", *words], cwd=place.repo, env=env, capture_output=True, text=True,
        check=False, preexec_fn=limited,
    )  # fmt: skip


def one_line(done: subprocess.CompletedProcess[str], *said: str) -> None:
    assert done.returncode == 4, done.stdout + done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("split-ci: ")]
    assert line.startswith("split-ci: error: ")
    assert any(words in line for words in said), line
    assert "Traceback" not in done.stderr


def whole_again(place: Place, whole: Place) -> None:
    git(place.repo, "fsck", "--strict")
    assert place.run() == 0, (place.repo.parent / "said").read_text()
    assert place.end() == whole.end()
    assert place.left() == []


def unmount(folder: Path) -> None:
    subprocess.run(["umount", folder], check=True)


@contextmanager
def small(tmp: Path, folder: Path, kib: int) -> Iterator[None]:
    """A folder on a file system of its own, with so many KiB left; roomy again at the end."""
    with ExitStack() as stack:
        kept = tmp / "kept"
        shutil.move(folder, kept)
        folder.mkdir()
        if subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=9m", "tmpfs", folder], capture_output=True, check=False
        ).returncode:
            folder.rmdir()
            shutil.move(kept, folder)
            pytest.skip("nothing can be mounted here")
        stack.callback(unmount, folder)
        shutil.copytree(kept, folder, symlinks=True, dirs_exist_ok=True)
        used = os.statvfs(folder)
        size = (used.f_blocks - used.f_bfree) * used.f_frsize // 1024 + kib
        subprocess.run(["mount", "-o", f"remount,size={size}k", folder], check=True)
        yield
        shutil.rmtree(kept)


@pytest.mark.parametrize(
    ("where", "kib"), [(".git", 4), (".git", 60), (".git", 120), (".git/objects", 16), (".git/objects", 130)]
)
def test_the_repository_s_disk_is_full(tmp_path: Path, seed: Path, whole: Place, where: str, kib: int) -> None:
    place = Place(tmp_path, seed)
    before = picture(place.repo)
    with small(tmp_path, place.repo / where, kib):
        one_line(run(place, "run"), "No space left on device", "Out of diskspace", "couldn't write")
        assert picture(place.repo) == before
        for line in git(place.repo, "for-each-ref", "--format=%(refname:lstrip=3)", "refs/heads/split-ci/").splitlines():
            assert line == "coaching" or git(place.repo, "for-each-ref", f"refs/split-ci/attempts/{line}")
        subprocess.run(["mount", "-o", "remount,size=9m", place.repo / where], check=True)
        whole_again(place, whole)


def test_the_disk_of_temporary_files_is_full(tmp_path: Path, seed: Path, whole: Place) -> None:
    place = Place(tmp_path, seed)
    with small(tmp_path, place.tmp, 12):
        one_line(run(place, "run"), "No space left on device")
        subprocess.run(["mount", "-o", "remount,size=9m", place.tmp], check=True)
        whole_again(place, whole)


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        pytest.param((resource.RLIMIT_NOFILE, 12), "Too many open files", id="files, at the start"),
        pytest.param((resource.RLIMIT_NOFILE, 20), "Too many open files", id="files"),
        pytest.param((resource.RLIMIT_FSIZE, 200), "git fast-import failed", id="the size of a file"),
    ],
)
def test_a_limit_is_reached(tmp_path: Path, seed: Path, whole: Place, limit: tuple[int, int], said: str) -> None:
    place = Place(tmp_path, seed)
    one_line(run(place, "run", limit=limit), said)
    whole_again(place, whole)


LOCKED = {
    "everything of git's": (
        [".git", ".git/objects", ".git/refs", ".git/refs/heads"],
        "objects: Permission denied: results can't",
    ),
    "the git folder": ([".git"], ".git/split-ci: Permission denied"),
    "refs": ([".git/refs", ".git/refs/heads"], "cannot lock ref"),
}


@pytest.mark.parametrize("name", LOCKED)
def test_what_may_not_be_written(tmp_path: Path, seed: Path, whole: Place, name: str) -> None:
    place = Place(tmp_path, seed)
    before = picture(place.repo)
    folders, said = LOCKED[name]
    for folder in folders:
        (place.repo / folder).chmod(0o555)
    one_line(run(place, "run"), said)
    for words in (("plan",), ("status",), ("check",)):
        assert run(place, *words).returncode == 0
    assert picture(place.repo) == before
    for folder in folders:
        (place.repo / folder).chmod(0o755)
    whole_again(place, whole)


def test_landing_in_a_work_tree_that_may_not_be_written_changes_nothing(tmp_path: Path, seed: Path) -> None:
    """Git itself leaves such a work tree half-way."""
    place = Place(tmp_path, seed)
    assert place.run() == 0
    before = picture(place.repo)
    place.repo.chmod(0o555)
    done = run(place, "land", "first")
    place.repo.chmod(0o755)
    assert (done.returncode, "first: blocked: error: unable to unlink old 'b.txt': Permission denied" in done.stdout) == (
        1,
        True,
    )
    after = picture(place.repo)
    assert after._replace(index_file=b"") == before._replace(index_file=b"")
    assert git(place.repo, "status", "--porcelain") == ""
    assert run(place, "land", "first").returncode == 0
    assert place.left() == []
