"""An agent's private checkout: a repository of one commit, without the user's history, remotes or configuration.

What judges it, an index and a git folder of its own, lies beside it and out of the agent's reach; what the agent does to the
`.git` that it sees is never read.
"""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING, NamedTuple

from split_ci import checkout, folders
from split_ci.changeset import MAX_FILE_BYTES, MAX_TOTAL_BYTES
from split_ci.errors import WorldError
from split_ci.git import FOLDER, GITLINK, SYMLINK, run_git
from split_ci.partial_clone import ensure_whole
from split_ci.ports import File, Workplace
from split_ci.refs import BOT_ENV

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from split_ci.git import Repo
    from split_ci.ports import Task

MOST_CHANGED = 400
DROPPED = (  # what agents, interpreters and tests leave behind; where the repository tracks such a file, it counts
    "__pycache__/", "*.pyc", ".pytest_cache/", ".mypy_cache/", ".ruff_cache/", ".hypothesis/", ".coverage", ".coverage.*",
    ".aider*", ".goose/", "node_modules/", ".DS_Store",
)  # fmt: skip
DATE = "1700000000 +0000"


class Taken(NamedTuple):
    """What an agent changed since its start, or why that can't be taken."""

    files: Mapping[str, File | None]
    fault: str = ""


class Scratch:
    """Private folders for one run: the `tree` it works in, and what lies beside it. Gone when left; what a killed process
    leaves goes with the next one.
    """

    def __init__(self) -> None:
        self._root = ""
        self._held = -1
        self.tree = self.home = self.temporary = self.run = self.gate = ""

    def __enter__(self) -> Self:
        self._root, self._held = checkout.hold_folder()
        places = [os.path.join(self._root, name) for name in ("tree", "home", "tmp", "run", "gate")]
        for place in places:
            os.mkdir(place, 0o700)
        self.tree, self.home, self.temporary, self.run, self.gate = places
        try:
            self._fill()
        except BaseException:
            self.drop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.drop()

    def drop(self) -> None:
        """Removes it."""
        folders.drop(self._root)
        os.close(self._held)

    def _fill(self) -> None:
        """What is there from the start."""


class AgentCheckout(Scratch):
    """A task's tree as an agent's checkout. The task's journal names it, and keeps it until what was made in it is safe."""

    def __init__(self, repo: Repo, task: Task, mark: str = "") -> None:
        super().__init__()
        self._repo = repo
        self._task = task
        self._mark = mark  # of the agent's processes
        self._journal = ""
        self._spoilt = False  # nobody saw the agent end: what can't be taken is left out, and the rest is taken

    @classmethod
    def found(cls, repo: Repo, task: Task, root: str) -> AgentCheckout:
        """The checkout of a run that died, for `taken`."""
        made = cls(repo, task)
        made._root, made.tree, made._git_dir = root, os.path.join(root, "tree"), os.path.join(root, "git")
        made._spoilt = True
        return made

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            spec = self._task.spec
            place = Workplace(self._root, self._mark, spec.data, spec.path, self._task.parent)
            self._journal = self._task.account.works_in(place, self.drop)
            if self._journal:
                folders.leave(self._root)
                with open(os.path.join(self._root, checkout.OWNER), "w", encoding="utf-8") as file:
                    file.write(self._journal)
        except BaseException:
            if not self._journal:
                self.drop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if not self._journal:
            self.drop()

    def _fill(self) -> None:
        """The base's files, the exact part on top, one commit of it all, and the `.git` that the agent sees."""
        ensure_whole(self._repo, self._task.base)
        self._git_dir = os.path.join(self._root, "git")
        stores = checkout.object_stores(self._repo, self._repo.git_dir)
        checkout.write_git_dir(self._git_dir, self._repo, stores)
        with open(os.path.join(self._git_dir, "info/exclude"), "w", encoding="utf-8") as file:
            file.write("".join(f"{pattern}\n" for pattern in DROPPED))
        self._git("read-tree", "--reset", "-u", self._task.base)
        self._apply()
        tree = self._git("write-tree").decode().strip()
        env = {**BOT_ENV, "GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE}
        commit = self._git("commit-tree", tree, "-m", "the task's start", env=env).decode().strip()
        self._show(commit)

    def _apply(self) -> None:
        """What the task's tree has over its base."""
        base, now = self._repo.tree(self._task.base).paths(), self._task.tree.paths()
        changed = [path for path in {**base, **now} if base.get(path) != now.get(path)]
        for path in changed:
            if path in base and base[path].mode != GITLINK:
                os.unlink(os.path.join(self.tree, path))
        for path in changed:
            found = self._task.tree.read(path) if path in now else None
            if found is not None:
                self._write(path, found)
        if changed:
            names = b"".join(os.fsencode(path) + b"\0" for path in changed)
            self._git("update-index", "--add", "--remove", "--replace", "-z", "--stdin", input=names)

    def _write(self, path: str, file: File) -> None:
        at = os.path.join(self.tree, path)
        if os.path.isdir(at) and not os.path.islink(at):
            shutil.rmtree(at)  # empty folders, where a file takes the place of one
        os.makedirs(os.path.dirname(at), exist_ok=True)
        if os.path.realpath(os.path.dirname(at)) != os.path.dirname(os.path.join(os.path.realpath(self.tree), path)):
            raise WorldError(f"{path} lies behind a symlink")
        if file.mode == SYMLINK:
            os.symlink(file.data, os.fsencode(at))
            return
        with open(at, "xb") as out:
            out.write(file.data)
        os.chmod(at, 0o755 if file.mode == "100755" else 0o644)

    def _show(self, commit: str) -> None:
        """A whole repository of that one commit, its objects copied: nothing else of the user's can be read in it."""
        inside = os.path.join(self.tree, ".git")
        checkout.write_git_dir(inside, self._repo, ())
        with open(os.path.join(inside, "config"), "a", encoding="utf-8") as file:
            file.write("[user]\n\tname = split-ci\n\temail = split-ci@localhost\n[commit]\n\tgpgSign = false\n")
        with open(os.path.join(inside, "info/exclude"), "w", encoding="utf-8") as file:
            file.write("".join(f"{pattern}\n" for pattern in DROPPED))
        with open(os.path.join(inside, "refs/heads/main"), "w", encoding="ascii") as file:
            file.write(commit + "\n")
        pack = os.path.join(inside, "objects/pack/pack")
        self._git("pack-objects", "--revs", "-q", pack, input=commit.encode() + b"\n")
        shutil.copyfile(os.path.join(self._git_dir, "index"), os.path.join(inside, "index"))

    def _git(self, *args: str, input: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:  # noqa: A002
        more = {
            "GIT_WORK_TREE": self.tree, "GIT_ALLOW_PROTOCOL": "none", "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }  # fmt: skip
        done = run_git(
            [*checkout.OPTIONS, *args],
            cwd=self._root,
            git_dir=self._git_dir,
            input=input,
            env={**more, **(env or {})},
            check=False,
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise WorldError(f"git {args[0]} failed in an agent's checkout: {said[-1][:300] if said else done.returncode}")
        return done.stdout

    # --- afterwards

    def taken(self) -> Taken:
        """What differs from the start now. Nothing in the checkout is believed, run or followed."""
        if os.path.islink(self.tree) or not os.path.isdir(self.tree):
            return Taken({}, "the checkout itself is gone")
        names = [*_records(self._git("diff-files", "--name-only", "-z", "--ignore-submodules=all"))]
        others = _records(self._git("ls-files", "--others", "--exclude-standard", "-z"))
        hidden = [path for group in self._task.asked for path in group]  # asked for by name, ignored or not
        paths = sorted({*names, *others, *(path for path in hidden if os.path.lexists(os.path.join(self.tree, path)))})
        taken = self._read_all(paths[: MOST_CHANGED + (0 if self._spoilt else len(hidden) + 1)])
        if len(taken.files) > MOST_CHANGED:
            return Taken({}, f"it changed more than {MOST_CHANGED} files")
        return taken

    def _read_all(self, paths: Sequence[str]) -> Taken:
        files: dict[str, File | None] = {}
        root = os.open(self.tree, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        total = 0
        try:
            for path in paths:
                before = self._task.tree.read(path)
                found = read_beneath(root, path)
                if isinstance(found, str):
                    if self._spoilt or self._same_link(path, before):
                        continue
                    return Taken({}, found)
                total += len(found.data) if found else 0
                if total > MAX_TOTAL_BYTES:
                    if self._spoilt:
                        break
                    return Taken({}, f"it changed more than {MAX_TOTAL_BYTES} bytes")
                if found != before and not self._is_module(path, found):
                    files[path] = found
        finally:
            os.close(root)
        return Taken(files)

    def _same_link(self, path: str, before: File | None) -> bool:
        at = os.path.join(self.tree, path)
        return (
            before is not None and before.mode == SYMLINK and os.path.islink(at)
            and os.fsencode(os.readlink(at)) == before.data
        )  # fmt: skip

    def _is_module(self, path: str, found: File | None) -> bool:
        """A submodule is an empty folder here."""
        entry = self._task.tree.entry(path)
        return found is None and entry is not None and entry.mode in (GITLINK, FOLDER)


def _records(out: bytes) -> Iterator[str]:
    return (one.decode("utf-8", "surrogateescape") for one in out.split(b"\0") if one)


def read_beneath(root: int, path: str) -> File | str | None:
    """The file at a path below an open folder, no symlink followed; None where there is none; words where it is no file."""
    *folders, name = path.split("/")
    if not name:
        return f"{path}: a repository in the repository"
    at = os.dup(root)
    try:
        for folder in folders:
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        return _read_at(at, name, path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"{path}: {error.strerror}"
    finally:
        os.close(at)


def _read_at(folder: int, name: str, path: str) -> File | str | None:
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if stat.S_ISDIR(mode):
        return None
    if not stat.S_ISREG(mode):
        return f"{path}: {'a symlink' if stat.S_ISLNK(mode) else 'no plain file'}"
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(file, "rb") as stream:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            return f"{path}: no plain file"
        if found.st_size > MAX_FILE_BYTES:
            return f"{path}: {found.st_size} bytes, the cap is {MAX_FILE_BYTES}"
        data = stream.read(MAX_FILE_BYTES + 1)
    return File(data, "100755" if found.st_mode & stat.S_IXUSR else "100644")
