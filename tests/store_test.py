from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from split_ci.changeset import Changed, Changeset
from split_ci.errors import WorldError
from split_ci.git import FENCE, Repo, clean_env
from split_ci.ports import File
from split_ci.store import PREFIX, Quarantine, RefUpdate
from split_ci.stream import commit_message, landed_path, one_line, quoted
from tests.builders import SOURCE, commit, git, make_repo
from tests.invariants import leftovers, untouched

if TYPE_CHECKING:
    from pathlib import Path

BASE = {"a.txt": "one\n", "dir/b": "b\n", "file": "f\n", "keep": "k\n", "specs/s.md": "the spec\n"}


def changeset(
    base: str, *changes: Changed, id_: str = "s", spec: bytes = b"the spec\n", parent: str | None = None
) -> Changeset:
    return Changeset(
        id_, "0" * 64, base, "1" * 16, "exact", tuple(sorted(changes)), spec, f"specs/{id_}.md", {"exact": 1}, parent=parent,
    )  # fmt: skip


def put(path: str, data: bytes = b"new\n", mode: str = "100644") -> Changed:
    return Changed(path, File(data, mode), None)


def gone(path: str) -> Changed:
    return Changed(path, None, None)


def admitted(repo: Path, one: Changeset, ref: str = "refs/heads/split-ci/s", expected: str | None = None) -> str:
    with Quarantine(Repo.find(str(repo))) as quarantine:
        (built,) = quarantine.build([one], {one.id: "A title"})
        assert quarantine.admit([RefUpdate(ref, built.commit, expected)]) == []
    return built.commit


def listing(repo: Path, rev: str) -> dict[str, str]:
    lines = git(repo, "ls-tree", "-r", rev).splitlines()
    return {line.partition("\t")[2]: line.split(" ")[0] for line in lines}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "r", BASE)


TREES = {
    "a file is written": ([put("a.txt")], {"a.txt", "dir/b", "file", "keep"}),
    "a file becomes a folder": ([gone("file"), put("file/in/it")], {"a.txt", "dir/b", "file/in/it", "keep"}),
    "a folder becomes a file": ([gone("dir/b"), put("dir")], {"a.txt", "dir", "file", "keep"}),
    "a folder is emptied": ([gone("dir/b")], {"a.txt", "file", "keep"}),
    "a file moves": ([gone("dir/b"), put("new/b", b"b\n")], {"a.txt", "new/b", "file", "keep"}),
    "a name in quotes": (
        [put('"q"'), put("a b"), put("tab\\n")],
        {"a.txt", "dir/b", "file", "keep", '"q"', "a b", "tab\\n"},
    ),
    "a name that is not ASCII": ([put("café/naïve.md")], {"a.txt", "dir/b", "file", "keep", "café/naïve.md"}),
    "an empty file": ([put("empty", b"")], {"a.txt", "dir/b", "file", "keep", "empty"}),
    "bytes that are no text": ([put("bin", bytes(range(256)) * 40)], {"a.txt", "dir/b", "file", "keep", "bin"}),
}


@pytest.mark.parametrize("name", TREES)
def test_trees(repo: Path, name: str) -> None:
    changes, names = TREES[name]
    base = git(repo, "rev-parse", "HEAD")
    with untouched(repo):
        head = admitted(repo, changeset(base, *changes))
    entries = git(repo, "-c", "core.quotePath=false", "ls-tree", "-r", "-z", "--name-only", head).split("\0")
    assert {e for e in entries if e} == names | {"specs/landed/s.md"}
    for change in changes:
        if change.file:
            blob = subprocess.run(
                ["git", "cat-file", "blob", f"{head}:{change.path}"], cwd=repo, capture_output=True, check=True
            )
            assert blob.stdout == change.file.data
    git(repo, "fsck", "--strict", "--no-dangling")


def test_modes_trailers_people_and_dates(repo: Path) -> None:
    base = git(repo, "rev-parse", "HEAD")
    head = admitted(repo, changeset(base, put("run.sh", b"#!/bin/sh\n", "100755")))
    assert listing(repo, head)["run.sh"] == "100755"
    bot = "split-ci[bot]|split-ci[bot]@users.noreply.github.com|1767323045 +0000"
    assert git(repo, "log", "-1", "--date=raw", "--format=%an|%ae|%ad", head) == bot
    assert git(repo, "log", "-1", "--date=raw", "--format=%cn|%ce|%cd", head) == bot
    message = f"A title\n\nSpec: s\nSpec-Digest: {'0' * 64}\nBase: {base}\nImplementer: exact"
    assert git(repo, "log", "-1", "--format=%B", head) == message
    assert git(repo, "rev-parse", f"{head}^") == base
    assert "Spec" in git(repo, "log", "-1", "--format=%(trailers:only)", head)


def test_same_changeset_same_commit(repo: Path, tmp_path: Path) -> None:
    base = git(repo, "rev-parse", "HEAD")
    one = changeset(base, put("a.txt"))
    first = admitted(repo, one)
    git(repo, "config", "user.name", "Someone Else")
    time.sleep(1.1)
    assert admitted(repo, one, "refs/heads/split-ci/again") == first
    git(tmp_path, "clone", "-q", str(repo), "other")
    assert admitted(tmp_path / "other", one) == first


def test_next_round_is_the_base_with_its_own_changes(repo: Path) -> None:
    base = git(repo, "rev-parse", "HEAD")
    first = admitted(repo, changeset(base, put("a.txt"), put("x/y"), gone("file")))
    second = admitted(repo, changeset(base, put("keep"), parent=first), expected=first)
    assert git(repo, "rev-parse", f"{second}^") == first
    assert git(repo, "diff", "--name-status", "--no-renames", base, second).splitlines() == [
        "M\tkeep", "A\tspecs/landed/s.md", "D\tspecs/s.md",
    ]  # fmt: skip


def test_a_spec_that_the_base_lacks_is_added(repo: Path) -> None:
    base = git(repo, "rev-parse", "HEAD")
    head = admitted(repo, changeset(base, id_="other", spec=b"text\n"))
    assert git(repo, "diff", "--name-status", base, head) == "A\tspecs/landed/other.md"


@pytest.mark.parametrize("kind", ["bare", "worktree", "shallow", "alternates", "sha256", "packed"])
def test_kinds_of_repositories(repo: Path, tmp_path: Path, kind: str) -> None:
    commit(repo, {"a.txt": "two\n"})
    other = tmp_path / "other"
    if kind == "bare":
        git(tmp_path, "clone", "-q", "--bare", str(repo), str(other))
    elif kind == "worktree":
        git(repo, "worktree", "add", "-q", "-b", "side", str(other))
    elif kind == "shallow":
        git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", str(other))
    elif kind == "alternates":
        git(tmp_path, "clone", "-q", "--shared", str(repo), str(other))
    elif kind == "sha256":
        other.mkdir()
        git(other, "init", "-q", "--object-format=sha256", "-b", "main")
        commit(other, BASE)
    else:
        git(repo, "gc", "-q")
        other = repo
    base = git(other, "rev-parse", "HEAD")
    with untouched(other):
        head = admitted(other, changeset(base, put("a.txt")))
    assert git(other, "cat-file", "blob", f"split-ci/s:{'a.txt'}") == "new"
    assert git(other, "rev-parse", "split-ci/s") == head
    git(other, "fsck", "--strict", "--no-dangling")


def test_many_become_a_pack(repo: Path) -> None:
    base = git(repo, "rev-parse", "HEAD")
    sets = [changeset(base, put("a.txt", b"%d\n" % n), id_=f"s{n}", spec=b"%d" % n) for n in range(60)]
    with untouched(repo), Quarantine(Repo.find(str(repo))) as quarantine:
        built = quarantine.build(sets, {one.id: "t" for one in sets})
        assert len({b.commit for b in built}) == 60
        assert quarantine.admit([RefUpdate(f"refs/heads/split-ci/{b.changeset.id}", b.commit, None) for b in built]) == []
    assert git(repo, "cat-file", "blob", "split-ci/s41:a.txt") == "41"
    assert len(list((repo / ".git/objects/pack").glob("*.idx"))) == 1
    git(repo, "fsck", "--strict", "--no-dangling")


def test_losers_are_named_and_nothing_is_done(repo: Path) -> None:
    base = git(repo, "rev-parse", "HEAD")
    git(repo, "branch", "split-ci/s")
    with untouched(repo), Quarantine(Repo.find(str(repo))) as quarantine:
        (built,) = quarantine.build([changeset(base, put("a.txt"))], {"s": "t"})
        lost = RefUpdate("refs/heads/split-ci/s", built.commit, None)
        assert quarantine.admit([RefUpdate("refs/heads/split-ci/t", built.commit, None), lost]) == [lost]
    assert git(repo, "for-each-ref", "--format=%(refname)", "refs/heads/split-ci/") == "refs/heads/split-ci/s"


def test_a_ref_is_written_itself_not_what_it_points_to(repo: Path) -> None:
    base = git(repo, "rev-parse", "HEAD")
    git(repo, "symbolic-ref", "refs/heads/split-ci/s", "refs/heads/main")
    head = admitted(repo, changeset(base, put("a.txt")), expected=base)
    assert git(repo, "rev-parse", "main") == base
    assert git(repo, "rev-parse", "split-ci/s") == head


def test_a_branch_called_split_ci_loses_too(repo: Path) -> None:
    git(repo, "branch", "split-ci")
    base = git(repo, "rev-parse", "HEAD")
    with Quarantine(Repo.find(str(repo))) as quarantine:
        (built,) = quarantine.build([changeset(base, put("a.txt"))], {"s": "t"})
        update = RefUpdate("refs/heads/split-ci/s", built.commit, None)
        assert quarantine.admit([update]) == [update]


def test_a_lock_that_stays_is_named_and_kept(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("split_ci.refs.RETRY_SECONDS", (0.01,))
    lock = repo / ".git/refs/heads/split-ci/s.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    with pytest.raises(WorldError, match=rf"{lock}: another git process holds this lock, or one that died left it there"):
        admitted(repo, changeset(git(repo, "rev-parse", "HEAD"), put("a.txt")))
    assert lock.exists()
    assert git(repo, "for-each-ref", "refs/heads/split-ci/") == ""
    lock.unlink()
    assert admitted(repo, changeset(git(repo, "rev-parse", "HEAD"), put("a.txt")))


def test_a_lock_that_goes_is_waited_for(repo: Path) -> None:
    lock = repo / ".git/refs/heads/split-ci/s.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    remover = subprocess.Popen(["sh", "-c", f"sleep 0.3; rm {lock}"])
    assert admitted(repo, changeset(git(repo, "rev-parse", "HEAD"), put("a.txt")))
    remover.wait()


def test_quarantines_of_the_dead_are_pruned_and_of_the_living_kept(repo: Path) -> None:
    store = repo / ".git/objects"
    for name in (f"{PREFIX}dead", f"{PREFIX}held", "tmp_objdir-incoming-x"):
        (store / name / "objects").mkdir(parents=True)
    (store / f"{PREFIX}file").touch()
    other = os.open(store / f"{PREFIX}held", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    kept = {f"{PREFIX}held", f"{PREFIX}file", "tmp_objdir-incoming-x"}
    with Quarantine(Repo.find(str(repo))) as living, Quarantine(Repo.find(str(repo))) as second:
        names = {path.name for path in store.glob("*-*")}
        assert names == kept | {os.path.basename(living.git_dir), os.path.basename(second.git_dir)}
    assert {path.name for path in store.glob("*-*")} == kept
    os.close(other)
    with Quarantine(Repo.find(str(repo))):
        assert not (store / f"{PREFIX}held").exists()


def test_a_prune_of_everything_takes_nothing_from_the_living(repo: Path) -> None:
    """`git gc --prune=now`, at any moment of a run: what is in quarantine, and what is about to be named by a ref."""
    base = git(repo, "rev-parse", "HEAD")
    prune = ("gc", "--quiet", "--prune=now")
    with Quarantine(Repo.find(str(repo))) as quarantine:
        git(repo, *prune)
        built = quarantine.build([changeset(base, put("a.txt", b"%d" % n), id_=f"s{n}") for n in (1, 2)])
        git(repo, *prune)
        quarantine.admit([])  # brought, and not named yet
        git(repo, *prune)
        update = quarantine.note_update("refs/notes/split-ci", {built[0].commit: b"ours\n"}, message="record")
        named = [RefUpdate(f"refs/heads/split-ci/{each.changeset.id}", each.commit, None) for each in built]
        assert quarantine.admit([*named, update]) == []
        git(repo, *prune)
    git(repo, "fsck", "--strict")
    assert git(repo, "show", "split-ci/s2:a.txt") == "2"
    assert git(repo, "notes", "--ref=split-ci", "show", "split-ci/s1") == "ours"


def test_an_unwritable_store_is_the_worlds_fault(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_words: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", full)
    with (
        pytest.raises(WorldError, match="No space left on device: results can't be written there"),
        Quarantine(Repo.find(str(repo))),
    ):
        pass


def test_a_base_that_is_not_there(repo: Path) -> None:
    with (
        pytest.raises(WorldError, match=f"the base {'a' * 40} is not a commit"),
        Quarantine(Repo.find(str(repo))) as quarantine,
    ):
        quarantine.build([changeset("a" * 40, put("a.txt"))], {"s": "t"})


def test_nothing_planted_runs_or_matters(repo: Path, tmp_path: Path) -> None:
    """R04, R05, R11: hooks, filters, fsmonitor, attributes, replace refs."""
    commit(repo, {".gitattributes": "a.txt filter=x eol=crlf ident diff=x merge=x\n"})
    ran = tmp_path / "ran"
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\necho $0 $@ >> {ran}\ncat\n")
    trap.chmod(0o755)
    hooks = repo / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "pre-commit", "post-commit", "post-index-change", "update", "post-checkout"):
        (hooks / name).write_text(trap.read_text())
        (hooks / name).chmod(0o755)
    for key in (
        "core.fsmonitor",
        "filter.x.clean",
        "filter.x.smudge",
        "core.pager",
        "diff.external",
        "core.editor",
        "gpg.program",
    ):
        git(repo, "config", key, str(trap))
    for key, value in (
        ("commit.gpgSign", "true"),
        ("filter.x.required", "true"),
        ("core.autocrlf", "true"),
        ("core.bigFileThreshold", "1"),
    ):
        git(repo, "config", key, value)
    (repo / ".git/info").mkdir(exist_ok=True)
    (repo / ".git/info/attributes").write_text("* filter=x\n")
    base = git(repo, "rev-parse", "HEAD")
    evil = git(repo, "commit-tree", "-m", "evil", git(repo, "mktree"))
    git(repo, "update-ref", f"refs/replace/{base}", evil)
    ran.unlink(missing_ok=True)
    with untouched(repo):
        head = admitted(repo, changeset(base, put("a.txt", b"x\r\ny\n")))
    assert not ran.exists()
    env = {"GIT_NO_REPLACE_OBJECTS": "1"}
    assert "keep" in git(repo, "ls-tree", "-r", "--name-only", head, env=env).splitlines()
    blob = subprocess.run(
        ["git", *FENCE, "cat-file", "blob", f"{head}:a.txt"], cwd=repo, env=clean_env(), capture_output=True, check=True
    )
    assert blob.stdout == b"x\r\ny\n"


def test_notes_are_added_to_those_that_are_there(repo: Path) -> None:
    base = git(repo, "rev-parse", "HEAD")
    git(repo, "notes", "--ref=split-ci", "add", "-m", "theirs", base)
    with untouched(repo), Quarantine(Repo.find(str(repo))) as quarantine:
        (built,) = quarantine.build([changeset(base, put("a.txt"))], {"s": "t"})
        update = quarantine.note_update("refs/notes/split-ci", {built.commit: b"ours\n"}, message="record")
        assert quarantine.admit([RefUpdate("refs/heads/split-ci/s", built.commit, None), update]) == []
    assert git(repo, "notes", "--ref=split-ci", "show", base) == "theirs"
    assert git(repo, "notes", "--ref=split-ci", "show", "split-ci/s") == "ours"


KILLED = """
import sys
from split_ci.git import Repo
from tests.store_test import changeset, put
from split_ci.store import Quarantine, RefUpdate
sets = [changeset(sys.argv[2], put("a.txt", b"%d" % n), id_=f"s{n}", spec=b"%d" % n) for n in range(40)]
repo = Repo.find(sys.argv[1])
with Quarantine(repo) as quarantine:
    built = quarantine.build(sets, {one.id: "t" for one in sets})
    print("built", flush=True)
    quarantine.admit([RefUpdate(f"refs/heads/split-ci/{b.changeset.id}", b.commit, None) for b in built])
"""


def test_killed_anywhere_and_run_again(repo: Path) -> None:
    """After SIGKILL: all of the refs or none, whole objects only, and the next run gives what an undisturbed one gives."""
    base = git(repo, "rev-parse", "HEAD")
    dice = random.Random(7)
    env = clean_env({"PYTHONPATH": SOURCE})
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(repo), base], env=env, stdout=subprocess.PIPE, start_new_session=True
        )
        assert process.stdout
        if dice.random() < 0.6:
            process.stdout.readline()
            time.sleep(dice.uniform(0, 0.06))
        else:
            time.sleep(dice.uniform(0.05, 0.4))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        until = time.monotonic() + 20
        # the git that changes refs comes to its end
        while [left for left in leftovers(repo) if PREFIX not in left and "/intents/" not in left]:
            assert time.monotonic() < until
            time.sleep(0.01)
        git(repo, "fsck", "--strict", "--no-dangling")
        for ref in git(repo, "for-each-ref", "--format=%(refname)", "refs/heads/split-ci/").splitlines():
            git(repo, "update-ref", "-d", ref)
    subprocess.run([sys.executable, "-c", KILLED, str(repo), base], env=env, check=True, stdout=subprocess.DEVNULL)
    made = git(repo, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/split-ci/")
    assert len(made.splitlines()) == 40
    assert list((repo / ".git/objects").glob(f"{PREFIX}*")) == []
    fresh = make_repo(repo.parent / "fresh", BASE)
    subprocess.run([sys.executable, "-c", KILLED, str(fresh), base], env=env, check=True, stdout=subprocess.DEVNULL)
    assert git(fresh, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/split-ci/") == made


TITLES = {"plain": "plain", "two\nlines": "two lines", "a\tb\x07c\x1b[31m": "a b c [31m", "  ": "s", "": "s", "née": "née"}


@pytest.mark.parametrize("title", TITLES)
def test_titles_are_one_line(title: str) -> None:
    message = commit_message(changeset("a" * 40), title).decode()
    assert message.splitlines()[0] == TITLES[title]
    assert message.splitlines()[1:3] == ["", "Spec: s"]


def test_small_words() -> None:
    assert landed_path("specs/a.md") == "specs/landed/a.md"
    assert landed_path("deep/specs/a.md") == "deep/specs/landed/a.md"
    assert quoted('"x') == b'"\\"x"'
    assert quoted("a\nb\\") == b'"a\\nb\\\\"'
    assert quoted("a\\b") == b"a\\b"
    assert one_line(" a \u2028 b\r\n") == "a b"
