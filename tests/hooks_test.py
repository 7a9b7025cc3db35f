"""The hook as people have it: the real pre-commit, the real prek, and git alone, in a repository that uses them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from split_ci.git import clean_env
from tests.builders import PERSON, SOURCE, git, make_repo, spec, write

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = os.path.join(SOURCE, ".pre-commit-hooks.yaml")
EDIT = "### Edit `src/a.txt`\nBefore:\n```\n{before}\n```\nAfter:\n```\n{after}\n```\n"
GOOD = spec(EDIT.format(before="two", after="2"))
OTHER = spec(EDIT.format(before="one", after="1"))
BAD = spec(EDIT.format(before="four", after="4"))
BIN = os.path.dirname(sys.executable)
TOOLS = ("pre-commit", "prek", "git")


class Consumer(NamedTuple):
    """A repository with the hook, and the environment in which a person works there."""

    root: Path
    env: dict[str, str]

    def commit(self, *args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """`git commit`, hooks included. Its output is standard output and error together."""
        return subprocess.run(
            ["git", "commit", "-m", "next", *args], cwd=cwd or self.root, env=self.env, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def passes(self, *args: str, cwd: Path | None = None) -> str:
        done = self.commit(*args, cwd=cwd)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def is_refused(self, *args: str, says: str, cwd: Path | None = None) -> None:
        """The commit is refused, and neither the index nor the work tree is another than before."""
        where = cwd or self.root
        before = git(where, "status", "--porcelain=v2"), git(where, "ls-files", "--stage")
        done = self.commit(*args, cwd=cwd)
        assert done.returncode == 1, done.stdout
        assert says in done.stdout
        assert (git(where, "status", "--porcelain=v2"), git(where, "ls-files", "--stage")) == before


@pytest.fixture(scope="session")
def hook_repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a consumer's configuration points to: this project's own manifest, in a repository of its own."""
    with open(MANIFEST, encoding="utf-8") as file:
        text = file.read()
    root = make_repo(tmp_path_factory.mktemp("hooks"), {".pre-commit-hooks.yaml": text})
    git(root, "tag", "v1")
    return root


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("caches")


@pytest.fixture(params=TOOLS)
def consumer(request: pytest.FixtureRequest, tmp_path: Path, hook_repo: Path, caches: Path) -> Consumer:
    bin_ = tmp_path / "bin"
    write(bin_, {"split-ci": f'#!/bin/sh\nPYTHONPATH={SOURCE} exec {sys.executable} -P -m split_ci "$@"\n'})
    (bin_ / "split-ci").chmod(0o755)
    path = os.pathsep.join([str(bin_), BIN, os.environ["PATH"]])
    homes = {"PRE_COMMIT_HOME": str(caches / "pre-commit"), "PREK_HOME": str(caches / "prek"), "HOME": str(caches)}
    env = clean_env({**PERSON, **homes, "PATH": path, "NO_COLOR": "1"})
    root = make_repo(tmp_path / "work")
    if request.param == "git":
        shutil.copy(os.path.join(SOURCE, "hooks", "pre-commit"), root / ".git/hooks/pre-commit")
    else:
        hooks = "".join(f"  - id: {id_}\n    language: system\n" for id_ in ("split-ci-check", "split-ci-coaching"))
        write(root, {".pre-commit-config.yaml": f"repos:\n- repo: {hook_repo}\n  rev: v1\n  hooks:\n{hooks}"})
        git(root, "add", ".pre-commit-config.yaml")
        subprocess.run([request.param, "install"], cwd=root, env=env, check=True, capture_output=True)
    write(root, {"src/a.txt": "one\ntwo\nthree\n"})
    git(root, "add", "src")
    return Consumer(root, env)


@pytest.fixture
def born(consumer: Consumer) -> Consumer:
    """With a first commit that holds a good spec."""
    write(consumer.root, {"specs/good.md": GOOD})
    git(consumer.root, "add", "specs")
    consumer.passes()
    return consumer


def test_the_first_commit_is_judged_on_an_unborn_branch(consumer: Consumer) -> None:
    write(consumer.root, {"specs/bad.md": BAD})
    git(consumer.root, "add", "specs")
    consumer.is_refused(says="specs/bad.md:15:1: SP301")
    write(consumer.root, {"specs/bad.md": GOOD})
    git(consumer.root, "add", "specs")
    consumer.passes()


def test_an_ordinary_commit(born: Consumer) -> None:
    write(born.root, {"specs/bad.md": BAD})
    git(born.root, "add", "specs")
    born.is_refused(says="SP301")
    write(born.root, {"specs/bad.md": OTHER})
    git(born.root, "add", "specs")
    born.passes()


def test_commit_with_a(born: Consumer) -> None:
    write(born.root, {"specs/good.md": BAD})
    born.is_refused("-a", says="SP301")
    write(born.root, {"specs/good.md": OTHER})
    born.passes("-a")


def test_commit_of_a_path_is_judged_by_its_own_index(born: Consumer) -> None:
    write(born.root, {"specs/good.md": BAD, "notes.txt": "x\n"})
    born.is_refused("specs/good.md", says="SP301")
    write(born.root, {"specs/good.md": GOOD, "specs/bad.md": BAD})
    git(born.root, "add", "specs", "notes.txt")
    born.passes("notes.txt")  # the bad spec is staged, and not part of this commit
    assert git(born.root, "show", "--name-only", "--format=", "HEAD") == "notes.txt"
    born.is_refused(says="SP301")


def test_partial_staging(born: Consumer) -> None:
    write(born.root, {"specs/other.md": BAD})
    git(born.root, "add", "specs")
    write(born.root, {"specs/other.md": OTHER})
    born.is_refused(says="SP301")
    git(born.root, "add", "specs")
    write(born.root, {"specs/other.md": BAD, "src/a.txt": "nothing of it\n"})
    born.passes()
    assert git(born.root, "show", "HEAD:specs/other.md") == OTHER.strip()
    assert (born.root / "specs/other.md").read_text() == BAD


def test_what_is_only_intended_is_not_there(born: Consumer) -> None:
    create = spec("### Create `src/new.txt`\n```\nnew\n```\n")
    write(born.root, {"specs/later.md": BAD, "src/new.txt": "draft\n", "specs/create.md": create})
    git(born.root, "add", "-N", "specs/later.md", "src/new.txt")
    git(born.root, "add", "specs/create.md")
    born.passes()
    git(born.root, "add", "specs/later.md")
    born.is_refused(says="specs/later.md:15:1: SP301")


def test_a_linked_work_tree(born: Consumer, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git(born.root, "worktree", "add", "-q", "-b", "side", str(linked))
    write(linked, {"specs/bad.md": BAD})
    git(linked, "add", "specs")
    born.is_refused(says="SP301", cwd=linked)
    write(linked, {"specs/bad.md": OTHER})
    git(linked, "add", "specs")
    born.passes(cwd=linked)
    assert git(linked, "rev-parse", "--abbrev-ref", "HEAD") == "side"


def test_from_a_subfolder(born: Consumer) -> None:
    write(born.root, {"specs/bad.md": BAD})
    git(born.root, "add", "specs")
    born.is_refused(says="SP301", cwd=born.root / "src")


def test_a_spec_that_the_commit_makes_stale_is_a_warning(born: Consumer) -> None:
    write(born.root, {"src/a.txt": "one\nzwei\nthree\n"})
    born.passes("-a")
    done = subprocess.run(
        ["split-ci", "check", "--staged"], cwd=born.root, env=born.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "specs/good.md:15:1: SP301 warning: " in done.stdout


def test_a_spec_that_is_staged_with_what_makes_it_stale_is_refused(born: Consumer) -> None:
    write(born.root, {"src/a.txt": "one\nzwei\nthree\n", "specs/good.md": GOOD.replace("Because.", "Since.")})
    born.is_refused("-a", says="SP301")


def test_the_manifest_is_valid() -> None:
    done = subprocess.run(
        [os.path.join(BIN, "pre-commit"), "validate-manifest", MANIFEST], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_manifest_says_what_the_hooks_need() -> None:
    import yaml

    with open(MANIFEST, encoding="utf-8") as file:
        hooks = {hook["id"]: hook for hook in yaml.safe_load(file)}
    assert set(hooks) == {"split-ci-check", "split-ci-coaching"}
    assert all(hook["language"] == "python" and hook["pass_filenames"] is False for hook in hooks.values())
    assert hooks["split-ci-check"]["always_run"] is True
    assert hooks["split-ci-check"]["entry"] == "split-ci check --staged"


def test_without_the_command_the_plain_hook_says_what_to_install(tmp_path: Path) -> None:
    git_path = tmp_path / "bin"
    git_path.mkdir()
    done = subprocess.run(
        ["/bin/sh", os.path.join(SOURCE, "hooks", "pre-commit")], cwd=tmp_path, env={"PATH": str(git_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "next: put it on PATH" in done.stderr


@pytest.mark.skipif(
    not os.environ.get("SPLIT_CI_TEST_INSTALL"), reason="NOT RUN: needs a package registry; set SPLIT_CI_TEST_INSTALL=1"
)
@pytest.mark.parametrize("tool", ["pre-commit", "prek"])
def test_the_hook_as_it_is_installed(tmp_path: Path, tool: str) -> None:
    """`language: python` for real: the tool clones this repository's HEAD and installs it."""
    root = make_repo(tmp_path / "work", {"src/a.txt": "one\ntwo\nthree\n", "specs/bad.md": BAD})
    head = git(type(root)(SOURCE), "rev-parse", "HEAD")
    config = f"repos:\n- repo: {SOURCE}\n  rev: {head}\n  hooks:\n  - id: split-ci-check\n"
    write(root, {".pre-commit-config.yaml": config})
    git(root, "add", "-A")
    caches = {"PRE_COMMIT_HOME": str(tmp_path / "a"), "PREK_HOME": str(tmp_path / "b")}
    done = subprocess.run(
        [os.path.join(BIN, tool), "run", "--all-files"],
        cwd=root,
        env=clean_env({**PERSON, **caches}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "SP301 warning"
        in subprocess.run(
            [os.path.join(BIN, tool), "run", "--all-files", "-v"],
            cwd=root,
            env=clean_env({**PERSON, **caches}),
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    )
