"""Clean checkouts outside of the repository: pooled, moved from commit to commit at the cost of what changed, proved
clean each time.

A slot is a folder with the work tree that commands may write and, beside it and out of their reach, the index that judges
it; the git folder that reads the objects is the pool's. The `.git` that commands see in the work tree is made afresh for
each of them and never read again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from split_ci import folders
from split_ci.errors import WorldError
from split_ci.folders import remove
from split_ci.git import run_git

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from split_ci.git import Repo

PREFIX = "split-ci-checkouts-"
LOCK = "lock"  # in each such folder, held as long as its run lives
OWNER = "journal"  # in a folder that a journal names: the path of that journal
YOUNG_SECONDS = 60
OLD_SECONDS = 30 * 24 * 3600
QUICK_SECONDS = 0.2  # a checkout that costs no more isn't waited for
ATTRIBUTES = "* -text -eol -crlf -filter -ident -working-tree-encoding -diff -merge\n"
OPTIONS = (
    "-c", "core.autocrlf=false", "-c", "core.symlinks=true", "-c", "core.fileMode=true", "-c", "core.trustctime=true",
    "-c", "core.protectNTFS=false", "-c", "core.fsync=none", "-c", "checkout.workers=4", "-c", "core.untrackedCache=false",
    "-c", "index.threads=true", "-c", "core.bare=false", "-c", "core.sparseCheckout=false", "-c", "core.splitIndex=false",
)  # fmt: skip


class Checkout(NamedTuple):
    """A clean work tree of one commit; `stores` are the object folders that its `.git` reads."""

    folder: str
    commit: str
    stores: tuple[str, ...]


class Pool:
    """Checkouts of one repository, `most` at the most. Gone at the end; what a killed run left is removed at the start.

    Whoever finds none idle waits as long as a new one would cost, where that is long, and then makes it: many of a small
    tree, few of a huge one.
    """

    def __init__(self, repo: Repo, *, most: int = 64) -> None:
        self.repo = repo
        self._most = most
        self._idle: list[_Slot] = []
        self._changed = threading.Condition()
        self._count = 0
        self._made = 0
        self._cost_seconds: float | None = None
        self._root = ""
        self._folder = held_folder()
        self._stores: dict[str, tuple[str, ...]] = {}
        self._git_dirs: dict[tuple[str, ...], str] = {}
        self._tried = 0

    def __enter__(self) -> Self:
        self._root = self._folder.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._folder.__exit__(kind, error, tb)

    @contextlib.contextmanager
    def checkout(self, commit: str, *, git_dir: str | None = None, homes: bool = False) -> Iterator[Checkout]:
        """A clean checkout of a commit, which may lie in a quarantine (`git_dir`). Raises WorldError where git can't
        make it. `homes`: with empty folders `home` and `tmp` beside it, for commands that no sandbox gives any.
        """
        stores = self._stores_of(git_dir or self.repo.git_dir)
        slot = self._take(commit)
        began = time.monotonic()
        try:
            slot.move(commit, stores)
            if homes:
                slot.empty_homes()
        except BaseException:
            self._lose(slot)
            raise
        if self._cost_seconds is None:
            self._cost_seconds = time.monotonic() - began
        try:
            yield Checkout(slot.tree, commit, stores)
        finally:
            self._give(slot)

    def untracked(self, checkout: Checkout) -> list[str]:
        """What lies in a checkout beside the commit's own files: paths, a folder that is wholly so as one."""
        slot = _Slot(os.path.dirname(checkout.folder), self)
        slot.git_dir = self.judge(checkout.stores)
        return [path.rstrip("/") for path in slot.others()]

    def judge(self, stores: tuple[str, ...]) -> str:
        """A git folder that reads these objects, out of every command's reach; each slot has an index of its own."""
        with self._changed:
            if stores not in self._git_dirs:
                self._tried += 1  # what a full disk left of one is in nobody's way
                folder = os.path.join(self._root, f"git{self._tried}")
                write_git_dir(folder, self.repo, stores)
                self._git_dirs[stores] = folder
            return self._git_dirs[stores]

    def _stores_of(self, git_dir: str) -> tuple[str, ...]:
        with self._changed:
            if git_dir not in self._stores:
                self._stores[git_dir] = object_stores(self.repo, git_dir)
            return self._stores[git_dir]

    def _take(self, commit: str) -> _Slot:
        patience: float | None = None
        with self._changed:
            while True:
                best = next((slot for slot in self._idle if slot.commit == commit), None) or next(iter(self._idle), None)
                if best is not None:
                    self._idle.remove(best)
                    return best
                if self._cost_seconds is not None and patience is None:
                    patience = time.monotonic() + (self._cost_seconds if self._cost_seconds > QUICK_SECONDS else 0)
                patient = patience is None or time.monotonic() < patience
                if self._count == 0 or (not patient and self._count < self._most):
                    break
                self._changed.wait(0.02 if patience is None else max(0.002, patience - time.monotonic()))
            self._count += 1
            self._made += 1
            return _Slot(os.path.join(self._root, str(self._made)), self)

    def _give(self, slot: _Slot) -> None:
        with self._changed:
            self._idle.append(slot)
            self._changed.notify()

    def _lose(self, slot: _Slot) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify()
        slot.remove()


class _Slot:
    def __init__(self, folder: str, pool: Pool) -> None:
        self._folder = folder
        self._pool = pool
        self.tree = os.path.join(folder, "tree")
        self._index = os.path.join(folder, "index")
        self.git_dir = ""
        self.commit = ""

    def move(self, commit: str, stores: tuple[str, ...]) -> None:
        """Makes the work tree exactly that commit, whatever was done to it, and proves it."""
        self.git_dir = self._pool.judge(stores)
        if not self.commit:
            os.makedirs(self.tree)
            self._git("read-tree", "--reset", "-u", commit)
        else:
            _remove_entry(os.path.join(self.tree, ".git"))
            try:
                self._clean(commit)
            except WorldError:
                self.remove()
                self.commit = ""
                self.move(commit, stores)
                return
        self.commit = commit
        inside = os.path.join(self.tree, ".git")
        write_git_dir(inside, self._pool.repo, stores, commit)
        shutil.copyfile(self._index, os.path.join(inside, "index"))

    def empty_homes(self) -> None:
        for name in ("home", "tmp"):
            _make_empty(os.path.join(self._folder, name))

    def _clean(self, commit: str) -> None:
        """From whatever was left to that commit. What is found clean is proved by that; all else is looked at anew."""
        untracked, changed = self.others(), self._changed()
        if commit == self.commit and not untracked and not changed:
            return
        for path in untracked:
            _remove_entry(os.path.join(self.tree, path.rstrip("/")))
        if changed or commit != self.commit:
            self._git("read-tree", "--reset", "-u", commit)
        if self.others() or self._changed():
            raise WorldError(f"{self.tree} can't be made clean")

    def others(self) -> list[str]:
        return _paths(self._git("ls-files", "--others", "--directory", "-z"))

    def _changed(self) -> list[str]:
        return _paths(self._git("diff-files", "--name-only", "-z"))

    def _git(self, *args: str) -> bytes:
        env = {
            "GIT_WORK_TREE": self.tree,
            "GIT_INDEX_FILE": self._index,
            "GIT_ALLOW_PROTOCOL": "none",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        done = run_git([*OPTIONS, *args], cwd=self.tree, git_dir=self.git_dir, env=env, check=False)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise WorldError(f"git {args[0]} can't make a checkout: {said[-1][:300] if said else done.returncode}")
        return done.stdout

    def remove(self) -> None:
        remove(self._folder)


def _paths(said: bytes) -> list[str]:
    return [os.fsdecode(one) for one in said.split(b"\0") if one]


def _make_empty(folder: str) -> None:
    if os.path.isdir(folder) and not os.listdir(folder):
        return
    _remove_entry(folder)
    os.mkdir(folder)


def write_git_dir(folder: str, repo: Repo, stores: Sequence[str], commit: str = "") -> None:
    """A git folder of its own: no remotes, no hooks, nobody's configuration, no conversion of contents; objects are
    read elsewhere.
    """
    for one in ("objects/info", "objects/pack", "refs/heads", "info"):
        os.makedirs(os.path.join(folder, one))
    version = "[core]\n\trepositoryformatversion = 0\n"
    if repo.object_format != "sha1":
        version = f"[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectFormat = {repo.object_format}\n[core]\n"
    files = {
        "HEAD": (commit or "ref: refs/heads/main") + "\n",
        "config": version + "\tbare = false\n\tfilemode = true\n\tautocrlf = false\n",
        "info/attributes": ATTRIBUTES,
    }
    write_alternates(folder, stores)
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)


def write_alternates(folder: str, stores: Sequence[str]) -> None:
    """Where a git folder of ours reads its objects."""
    with open(os.path.join(folder, "objects/info/alternates"), "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write("".join(f"{store}\n" for store in stores))


def object_stores(repo: Repo, git_dir: str) -> tuple[str, ...]:
    """Every folder of objects that a repository reads: its own, its alternates', and, for a quarantine, those of the
    one behind.
    """
    first = [os.path.join(repo.common_dir, "objects")]
    own = os.path.join(git_dir, "objects")
    if os.path.isdir(own):
        first.insert(0, own)
    found: list[str] = []
    while first:
        store = os.path.realpath(first.pop(0))
        if store in found or not os.path.isdir(store):
            continue
        found.append(store)
        with contextlib.suppress(FileNotFoundError), open(os.path.join(store, "info/alternates"), "rb") as file:
            lines = [os.fsdecode(line) for line in file.read().splitlines() if line and not line.startswith(b"#")]
            first += [os.path.join(store, line) for line in lines]
    return tuple(found)


@contextlib.contextmanager
def held_folder() -> Iterator[str]:
    """A temporary folder, removed in the end, and by a later run where this one is killed."""
    folder, held = hold_folder()
    try:
        yield folder
    finally:
        folders.drop(folder)
        os.close(held)


def hold_folder() -> tuple[str, int]:
    """A new temporary folder, and what holds it until that is closed. What runs that are no more left goes first."""
    parent = tempfile.gettempdir()
    prune(parent)
    return folders.hold(PREFIX, parent, LOCK)


def prune(parent: str) -> None:
    """Removes the checkouts of runs that are no more: ours, and not held by anybody."""
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False) and entry.stat().st_uid == os.getuid():
                _prune_one(entry.path)


def _prune_one(folder: str) -> None:
    try:
        with folders.abandoned(folder, LOCK) as free:
            if free and not _is_wanted(folder):
                remove(folder)
    except OSError:  # about to be held by its maker; or whoever made it was killed while removing it
        with contextlib.suppress(OSError):
            if time.time() - os.stat(folder).st_mtime > YOUNG_SECONDS:
                remove(folder)


def _is_wanted(folder: str) -> bool:
    """Whether a journal is there that names this folder: what lies in it was paid for, and is still to be collected."""
    try:
        with open(os.open(os.path.join(folder, OWNER), os.O_RDONLY | os.O_NOFOLLOW), encoding="utf-8") as file:
            owner = file.read(4096)
        return os.path.isfile(owner) and time.time() - os.stat(folder).st_mtime < OLD_SECONDS
    except (OSError, ValueError):
        return False


def _remove_entry(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        remove(path)
    else:
        os.unlink(path)
