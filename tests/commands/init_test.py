"""init in real repositories: what it puts there, what it leaves alone, and that again is no change."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from split_ci.git import clean_env
from tests.builders import PERSON, SOURCE, commit, git, make_repo, spec, split_ci, write

if TYPE_CHECKING:
    from pathlib import Path

PUTS = [
    ".split-ci.yaml",
    "specs/README.md",
    "specs/TEMPLATE.md",
    "specs/coaching/.gitkeep",
    "specs/.schemas/config.schema.json",
    "specs/.schemas/frontmatter.schema.json",
    ".pre-commit-config.yaml",
    ".github/workflows/split-ci-dispatch.yml",
    ".github/workflows/split-ci-spec.yml",
    ".github/workflows/split-ci-check.yml",
    ".github/actions/split-ci/action.yml",
    ".github/split-ci/requirements.txt",
    ".github/split-ci/source.txt",
]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FROM = ("--source", f"git+https://github.com/o/r@{COMMIT}")


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file() and not p.is_symlink()}


def actions(root: Path, *args: str, code: int = 0) -> dict[str, str]:
    done = split_ci(root, "init", "--format", "json", *FROM, *args, code=code)
    return {put["path"]: put["action"] for put in json.loads(done.stdout)["files"]}


def test_everything_is_put_into_an_empty_repository(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r")
    assert actions(repo) == dict.fromkeys(PUTS, "created")
    assert sorted(p for p in snapshot(repo) if not p.startswith(".git/")) == sorted(PUTS)
    assert not (repo / ".git/hooks/pre-commit").exists()


def test_again_is_no_change(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "a"})
    split_ci(repo, "init", *FROM)
    before = snapshot(repo)
    done = split_ci(repo, "init")
    assert snapshot(repo) == before
    assert "no change: everything is there already" in done.stdout
    assert set(actions(repo).values()) == {"unchanged"}


def test_from_a_folder_below_it_is_the_same(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"deep/er/a.txt": "a"})
    assert actions(repo / "deep/er") == dict.fromkeys(PUTS, "created")
    assert (repo / ".split-ci.yaml").is_file()


def test_what_the_user_has_stays(tmp_path: Path) -> None:
    own = {
        ".split-ci.yaml": "specs: docs/specs\n",
        "docs/specs/TEMPLATE.md": "our own\n",
        "docs/specs/README.md": "our own\n",
        ".pre-commit-config.yaml": "# ours\nrepos:\n- repo: meta\n  hooks: [{id: identity}]\n",
    }
    repo = make_repo(tmp_path / "r", own)
    (repo / "a.txt").write_text("not committed")
    done = actions(repo)
    assert done["docs/specs/TEMPLATE.md"] == done[".split-ci.yaml"] == "unchanged"
    assert done[".pre-commit-config.yaml"] == "changed"
    after = {path: (repo / path).read_text() for path in own}
    assert after.pop(".pre-commit-config.yaml").startswith(own.pop(".pre-commit-config.yaml"))
    assert after == own
    assert (repo / "a.txt").read_text() == "not committed"
    assert not (repo / "specs").exists()
    assert git(repo, "status", "--porcelain", "-uno") == "M .pre-commit-config.yaml"


def test_the_mode_of_a_changed_file_stays(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {".pre-commit-config.yaml": "repos: []\n"})
    (repo / ".pre-commit-config.yaml").chmod(0o640)
    assert actions(repo)[".pre-commit-config.yaml"] == "changed"
    assert (repo / ".pre-commit-config.yaml").stat().st_mode & 0o777 == 0o640


def test_an_odd_pre_commit_configuration_is_left_with_what_to_add(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {".pre-commit-config.yaml": "repos: [{repo: meta, hooks: []}]\n"})
    done = split_ci(repo, "init")
    assert (
        "left       .pre-commit-config.yaml: 'repos' is not a list with one entry a line: add this to its 'repos' by hand:\n- repo: local"
        in done.stdout
    )
    assert (repo / ".pre-commit-config.yaml").read_text() == "repos: [{repo: meta, hooks: []}]\n"


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r")
    before = snapshot(repo)
    assert actions(repo, "--dry-run") == dict.fromkeys(PUTS, "created")
    assert "nothing written (--dry-run): 13 of 13 files would be" in split_ci(repo, "init", "--dry-run", *FROM).stdout
    assert snapshot(repo) == before


def test_the_configuration_names_a_schema_that_is_there(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r")
    split_ci(repo, "init", "--hook", "none")
    found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", (repo / ".split-ci.yaml").read_text())
    assert found
    assert "additionalProperties" in json.loads((repo / found[1]).read_text())
    assert not (repo / ".pre-commit-config.yaml").exists()


def test_a_schema_of_another_version_is_named(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"specs/.schemas/config.schema.json": "{}"})
    done = split_ci(repo, "init")
    assert (
        "left       specs/.schemas/config.schema.json: it differs from this version's: delete it and run split-ci init again"
        in done.stdout
    )
    assert (repo / "specs/.schemas/config.schema.json").read_text() == "{}"


MODELS = """\
models:
  strong: {api: anthropic, model: m, key: STRONG_KEY}
  cheap: {api: openai, model: m, key: CHEAP_KEY}
  other: {api: openai, model: m, key: OTHER_KEY}
architect: strong
implementers: [exact, cheap, goose]
agents: {goose: {model: other}}
limits: {minutes: 20, rounds: 2}
"""
SPEC_RUN = ".github/workflows/split-ci-spec.yml"


def test_the_workflows_follow_the_configuration(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "a"})
    actions(repo)
    assert "secrets.STRONG_KEY" not in (repo / SPEC_RUN).read_text()
    write(repo, {".split-ci.yaml": MODELS})
    done = actions(repo)
    assert {path for path, action in done.items() if action == "changed"} == {SPEC_RUN}
    text = (repo / SPEC_RUN).read_text()
    assert re.findall(r"secrets\.(\w+_KEY) ", text) == [
        "CHEAP_KEY", "OTHER_KEY", "SPLIT_CI_APP_KEY", "STRONG_KEY", "SPLIT_CI_APP_KEY"
    ]  # fmt: skip
    assert "timeout-minutes: 80\n" in text
    assert set(actions(repo).values()) == {"unchanged"}


def test_a_workflow_that_somebody_changed_is_left(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "a"})
    actions(repo)
    text = (repo / SPEC_RUN).read_text().replace("timeout-minutes: 20", "timeout-minutes: 30")
    write(repo, {SPEC_RUN: text, ".split-ci.yaml": MODELS})
    assert "changed by hand: delete it and run split-ci init again" in split_ci(repo, "init").stdout
    assert (repo / SPEC_RUN).read_text() == text


def test_the_branch_that_pushes_are_looked_for_on_is_the_default_one(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "a"})
    git(repo, "update-ref", "refs/remotes/origin/trunk", "HEAD")
    git(repo, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    actions(repo)
    assert 'branches: ["trunk"]' in (repo / ".github/workflows/split-ci-dispatch.yml").read_text()


SOURCE_FILE = ".github/split-ci/source.txt"


def test_a_source_that_nothing_tells_is_asked_for(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "a"})
    env = {"PYTHONPATH": f"{tmp_path}:{SOURCE}"}
    write(tmp_path, {"split_ci-9.dist-info/METADATA": "Metadata-Version: 2.1\nName: split-ci\nVersion: 9\n"})
    done = split_ci(repo, "init", env=env)
    assert "split-ci init --source git+https://HOST/OWNER/REPOSITORY@COMMIT" in done.stdout
    assert not (repo / SOURCE_FILE).exists()
    assert actions(repo)[SOURCE_FILE] == "created"
    assert (repo / SOURCE_FILE).read_text().endswith(f"\nsplit-ci @ git+https://github.com/o/r@{COMMIT}\n")
    split_ci(repo, "init", env=env)
    assert COMMIT in (repo / SOURCE_FILE).read_text()


def test_a_newer_source_takes_the_place_of_the_old(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {SOURCE_FILE: "split-ci==1.0\n"})
    assert actions(repo)[SOURCE_FILE] == "changed"
    newer = "f" * 40
    assert actions(repo, "--source", f"git+https://github.com/o/r@{newer}")[SOURCE_FILE] == "changed"
    assert newer in (repo / SOURCE_FILE).read_text()


def test_a_source_that_pins_nothing_is_refused(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "a"})
    done = split_ci(repo, "init", "--source", "git+https://github.com/o/r@main", code=2)
    assert done.stderr.startswith(
        "split-ci: error: --source: 'git+https://github.com/o/r@main' pins no commit of a repository"
    )
    assert not (repo / ".github").exists()


def test_without_workflows_nothing_is_put_into_their_folder(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "a"})
    assert set(actions(repo, "--no-workflows")) == {path for path in PUTS if not path.startswith(".github")}
    assert not (repo / ".github").exists()


def test_a_plain_hook_is_put_only_when_asked_for(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "a"})
    hook = repo / ".git/hooks/pre-commit"
    assert actions(repo, "--hook", "git")[str(hook)] == "created"
    assert os.access(hook, os.X_OK)
    assert "\nsplit-ci check --staged || exit\n" in hook.read_text()
    assert actions(repo, "--hook", "git")[str(hook)] == "unchanged"
    assert not (repo / ".pre-commit-config.yaml").exists()


def test_a_hook_that_is_there_stays(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "a"})
    write(repo, {".git/hooks/pre-commit": "#!/bin/sh\nmake lint\n"})
    done = split_ci(repo, "init", "--hook", "git")
    assert "there is a hook already: add this line to it: split-ci check --staged || exit 1" in done.stdout
    assert (repo / ".git/hooks/pre-commit").read_text() == "#!/bin/sh\nmake lint\n"


def test_a_hooks_path_is_left_to_its_owner(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "a"})
    git(repo, "config", "core.hooksPath", ".husky")
    assert (
        "core.hooksPath names this folder: add this line to its pre-commit" in split_ci(repo, "init", "--hook", "git").stdout
    )
    assert not (repo / ".husky").exists()


def test_a_linked_worktree_shares_the_hook_and_has_its_own_files(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "a"})
    git(repo, "worktree", "add", "-q", "../linked")
    split_ci(tmp_path / "linked", "init", "--hook", "git")
    assert (repo / ".git/hooks/pre-commit").is_file()
    assert (tmp_path / "linked/.split-ci.yaml").is_file()
    assert not (repo / ".split-ci.yaml").exists()


IN_THE_WAY = {
    "a link for the folder": ("specs", "specs/README.md: specs is a symlink, which is not followed: move it away"),
    "a link for a file": (
        ".pre-commit-config.yaml",
        ".pre-commit-config.yaml: .pre-commit-config.yaml is a symlink, which is not followed: move it away",
    ),
    "a link for a deep folder": (
        "specs/coaching",
        "specs/coaching/.gitkeep: specs/coaching is a symlink, which is not followed: move it away",
    ),
}


@pytest.mark.parametrize(("path", "message"), IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_a_symlink_in_the_way_is_refused_before_anything_is_written(tmp_path: Path, path: str, message: str) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "a"})
    (tmp_path / "outside").mkdir()
    (repo / path).parent.mkdir(exist_ok=True)
    (repo / path).symlink_to(tmp_path / "outside")
    before = snapshot(repo)
    done = split_ci(repo, "init", code=1)
    assert done.stderr == f"split-ci: error: {message}\n"
    assert snapshot(repo) == before
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"specs": "a file"})
    done = split_ci(repo, "init", code=1)
    assert done.stderr == "split-ci: error: specs/README.md: a file is where its folder should be: move it away\n"


def test_a_folder_where_a_file_should_be_is_refused(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"specs/README.md/a": "a"})
    done = split_ci(repo, "init", code=1)
    assert done.stderr == "split-ci: error: specs/README.md: something else than a file has that name: move it away\n"


def test_a_file_left_by_a_kill_is_written_over(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"being-written.split-ci": "half"})
    assert set(actions(repo).values()) == {"created"}
    assert not list(repo.rglob("being-written*"))


def test_a_bare_repository_has_nothing_to_put_files_into(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "bare")
    done = split_ci(tmp_path / "bare", "init", code=2)
    assert done.stderr.startswith("split-ci: error: a bare repository has no work tree to put files into\n")


def test_outside_a_repository_it_says_what_to_type(tmp_path: Path) -> None:
    done = split_ci(tmp_path, "init", code=2)
    assert "is not in a git repository" in done.stderr
    assert "git init" in done.stderr


def test_a_configuration_that_cannot_be_read_stops_it(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": "spec: a\n"})
    done = split_ci(repo, "init", code=2)
    said = "split-ci: error: .split-ci.yaml:1: unknown key 'spec': did you mean 'specs'?\n"
    assert done.stderr == said + "  next: mend that line, then split-ci doctor\n"
    assert not (repo / "specs").exists()


def test_what_it_puts_there_passes_a_commit(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {"a.txt": "a"})
    split_ci(repo, "init")
    commit(repo, {})
    assert json.loads(split_ci(repo, "check", "--at", "HEAD", "--format", "json").stdout) == {"specs": []}


STALE = spec("### Delete `gone.txt`\n")
FINE = spec("### Delete `a.txt`\n", accept="  - missing: a.txt")


def person(tmp_path: Path) -> dict[str, str]:
    """The environment of a person who has split-ci on PATH."""
    script = f'#!/bin/sh\nPYTHONPATH={SOURCE} exec {sys.executable} -P -m split_ci "$@"\n'
    write(tmp_path / "bin", {"split-ci": script})
    (tmp_path / "bin/split-ci").chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return clean_env({**PERSON, "PATH": path, "PRE_COMMIT_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)})


@pytest.mark.parametrize("hook", ["pre-commit", "git"])
def test_the_hook_that_it_puts_there_judges_commits(tmp_path: Path, hook: str) -> None:
    env = person(tmp_path)
    repo = make_repo(tmp_path / "r", {"a.txt": "a\n"})
    split_ci(repo, "init", "--hook", hook)
    if hook == "pre-commit":
        subprocess.run([sys.executable, "-m", "pre_commit", "install"], cwd=repo, env=env, check=True, capture_output=True)
    write(repo, {"specs/stale.md": STALE, "specs/coaching/bad.md": "no front matter\n"})
    git(repo, "add", "-A")
    refused = subprocess.run(["git", "commit", "-m", "x"], cwd=repo, env=env, check=False, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "specs/stale.md:13:1: SP303" in refused.stdout + refused.stderr
    write(repo, {"specs/stale.md": FINE})
    (repo / "specs/coaching/bad.md").unlink()
    git(repo, "add", "-A")
    done = subprocess.run(["git", "commit", "-m", "x"], cwd=repo, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert git(repo, "status", "--porcelain") == ""
