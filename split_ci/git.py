"""The one place that runs git: `GIT_*` cleaned, nothing of the user's configuration executed, machine formats only."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from split_ci.errors import UsageError, WorldError
from split_ci.tree import UNMERGED, Entry, File

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import IO, Self

    from split_ci.raw_tree import Folder

FENCE = (
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.protectHFS=true",
    "-c", "core.protectNTFS=true", "-c", "core.quotePath=false", "-c", "submodule.recurse=false",
    "-c", "protocol.ext.allow=never", "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.pager=cat",
    "-c", "diff.external=", "-c", "log.showSignature=false", "-c", "commit.gpgSign=false", "-c", "core.fsync=all",
    "-c", "core.attributesFile=/dev/null", "--literal-pathspecs",
)  # fmt: skip
FOLDER = "040000"
SYMLINK = "120000"
GITLINK = "160000"
FILE_MODES = ("100644", "100755")
TIMEOUT_SECONDS = 600
LACKS = "git fetch --refetch --no-filter brings all that a partial clone lacks; git fsck tells what else is wrong"
EMPTY_TREES = {
    "sha1": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "sha256": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}

verbose = False  # set by -v: every git command line goes to standard error


def clean_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The caller's environment without its `GIT_*` variables (a hook's `GIT_INDEX_FILE` must not reach other commands)."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") and k != "SSH_ASKPASS"}
    env.update(LC_ALL="C.UTF-8", GIT_TERMINAL_PROMPT="0", GIT_NO_REPLACE_OBJECTS="1", GIT_OPTIONAL_LOCKS="0")
    env.update(GIT_LFS_SKIP_SMUDGE="1", GIT_ADVICE="0")
    env.update(extra or {})
    return env


class GitError(WorldError):
    """A git command failed; `stderr` is what it said."""

    def __init__(self, args: Sequence[str], code: int, stderr: str) -> None:
        said = stderr.strip().splitlines()
        super().__init__(f"git {args[0] if args else ''} failed ({code}): {said[-1] if said else 'it said nothing'}")
        self.code = code
        self.stderr = stderr


def run_git(
    args: Sequence[str],
    *,
    cwd: str,
    input: bytes = b"",  # noqa: A002 - subprocess's own word
    env: Mapping[str, str] | None = None,
    git_dir: str | None = None,
    check: bool = True,
    apart: int | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Runs one git command. Raises GitError where it fails and `check` is true, UsageError where there is no git.

    `apart`: a file descriptor that it inherits; it has a session of its own then, and an interrupt waits for its end.
    """
    where = ("--git-dir", git_dir) if git_dir else ()
    argv = ["git", *FENCE, *where, *args]
    if verbose:
        print("+ git", *where, *args, file=sys.stderr)
    try:
        if apart is None:
            done = subprocess.run(
                argv, cwd=cwd, input=input, env=clean_env(env), capture_output=True, timeout=TIMEOUT_SECONDS, check=False
            )
        else:
            from split_ci.apart import run_apart  # noqa: PLC0415 - not on the way of `check`

            done = run_apart(argv, cwd=cwd, data=input, env=clean_env(env), held=apart, seconds=TIMEOUT_SECONDS)
    except FileNotFoundError:
        if not os.path.isdir(cwd):
            raise UsageError(f"{cwd}: no such folder") from None
        raise UsageError("git is not on PATH", hint="install git 2.38 or newer") from None
    except subprocess.TimeoutExpired:
        raise WorldError(f"git {args[0]} did not end within {TIMEOUT_SECONDS} s", again=True) from None
    if check and done.returncode:
        raise GitError(args, done.returncode, done.stderr.decode(errors="replace"))
    return done


class Repo:
    """One repository: where it is, and git in it."""

    def __init__(self, root: str, git_dir: str, common_dir: str, *, bare: bool, object_format: str) -> None:
        self.root = root  # the work tree's top, or the git folder where there is no work tree
        self.git_dir = git_dir
        self.common_dir = common_dir
        self.bare = bare
        self.object_format = object_format
        self.index_file = os.environ.get("GIT_INDEX_FILE")  # a hook's: read only, by `index_tree` alone

    @classmethod
    def find(cls, cwd: str = ".") -> Repo:
        """The repository around a folder. Raises UsageError where there is none."""
        cwd = os.path.abspath(cwd)
        found = run_git(
            ["rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir", "--is-bare-repository",
             "--is-inside-work-tree", "--show-object-format", "--show-toplevel"],
            cwd=cwd, env=_explicit_repository(), check=False,
        )  # fmt: skip
        answers = found.stdout.decode(errors="surrogateescape").split("\n")
        if len(answers) <= len(
            ("git dir", "common dir", "bare", "inside", "format")
        ):  # the last fails where no work tree is
            said = found.stderr.decode(errors="replace").strip()
            if "dubious ownership" in said:
                raise UsageError(said.splitlines()[0], hint="git config --global --add safe.directory <that folder>")
            raise UsageError(f"{cwd} is not in a git repository", hint="git init, or cd to one")
        git_dir, common_dir, bare, inside, object_format, top = answers[:6]
        root = top if inside == "true" else git_dir
        return cls(root, git_dir, common_dir, bare=bare == "true", object_format=object_format)

    @property
    def null_oid(self) -> str:
        return "0" * (64 if self.object_format == "sha256" else 40)

    def git(
        self,
        *args: str,
        input: bytes = b"",  # noqa: A002
        env: Mapping[str, str] | None = None,
        git_dir: str | None = None,
    ) -> bytes:
        """Standard output of a git command in this repository. Raises GitError."""
        return run_git(args, cwd=self.root, input=input, env=env, git_dir=git_dir or self.git_dir).stdout

    def ask(self, *args: str, env: Mapping[str, str] | None = None) -> str | None:
        """One trimmed answer, or None where git says no."""
        done = run_git(args, cwd=self.root, env=env, git_dir=self.git_dir, check=False)
        return done.stdout.decode(errors="surrogateescape").strip() if done.returncode == 0 else None

    def commit_or_none(self, rev: str) -> str | None:
        """The commit that a revision names, or None."""
        if not rev or rev.startswith("-") or "\0" in rev or "\n" in rev:
            return None
        return self.ask("rev-parse", "--verify", "--quiet", "--end-of-options", rev + "^{commit}")

    def commit(self, rev: str) -> str:
        """The commit that a revision names. Raises UsageError."""
        found = self.commit_or_none(rev)
        if found is None:
            raise UsageError(f"no commit is named {rev!r} here", hint="git log --oneline")
        return found

    def refs(self, *prefixes: str) -> dict[str, str]:
        """Full ref name -> object id, for refs below the prefixes (`refs/heads/split-ci/`)."""
        lines = self.git("for-each-ref", "--format=%(objectname) %(refname)", *prefixes).decode().splitlines()
        return {name: oid for oid, name in (line.split(" ", 1) for line in lines)}

    def objects(self, *, git_dir: str | None = None) -> Objects:
        return Objects(self.root, git_dir or self.git_dir)

    def tree(self, rev: str, objects: Objects | None = None) -> CommitTree:
        """A commit's tree, read lazily. `objects` shares one reader among many trees."""
        return CommitTree(self, rev, objects or self.objects())

    def index_tree(self) -> IndexTree:
        """The index as it is staged now, the inherited `GIT_INDEX_FILE` honoured; only read."""
        return IndexTree(self)


def _explicit_repository() -> dict[str, str]:
    """A hook in a linked worktree is told where its repository is; that much of the environment is believed."""
    return {k: os.environ[k] for k in ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR") if os.environ.get(k)}


class Objects:
    """One `git cat-file --batch` for as many reads as needed; started at the first."""

    def __init__(self, cwd: str, git_dir: str) -> None:
        self._cwd = cwd
        self.git_dir = git_dir
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()
            process.wait()

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None:
            self._process = subprocess.Popen(
                ["git", *FENCE, "--git-dir", self.git_dir, "cat-file", "--batch"],
                cwd=self._cwd, env=clean_env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        return stdin, stdout

    def read(self, name: str) -> tuple[str, str, bytes] | None:
        """(object id, type, content) of an object id or `rev:path`; None where there is none."""
        if "\n" in name or "\0" in name:
            return None
        stdin, stdout = self._pipes()
        try:
            stdin.write(name.encode("utf-8", "surrogateescape") + b"\n")
            stdin.flush()
            header = stdout.readline()
        except BrokenPipeError:
            header = b""
        if not header:
            raise WorldError(f"git cat-file ended while it was asked for {name}", hint=LACKS)
        if header.endswith((b" missing\n", b" ambiguous\n")):
            return None
        oid, kind, size = header.decode().split(" ")
        data = stdout.read(int(size))
        stdout.read(1)
        return oid, kind, data

    def folder(self, oid: str) -> Folder:
        """The entries of a tree object, by its whole id; empty where there is none."""
        from split_ci.raw_tree import REMEMBERED, parse_tree  # noqa: PLC0415 - the hook reads the index

        known = REMEMBERED.get(oid)
        if known is not None:
            return known
        found = self.read(oid)
        if found is None or found[1] != "tree":
            return {}
        folder = parse_tree(found[2], len(oid) // 2)
        REMEMBERED.put(oid, folder)
        return folder

    def blob(self, oid: str) -> bytes:
        """A blob's content. Raises WorldError where the repository lacks it (a partial clone, a broken one)."""
        found = self.read(oid)
        if found is None or found[1] != "blob":
            raise WorldError(f"object {oid} is missing from the repository", hint=LACKS)
        return found[2]


class CommitTree:
    """A commit's tree, folder by folder, as far as it is asked for. A `ports.Tree`."""

    def __init__(self, repo: Repo, rev: str, objects: Objects) -> None:
        self._repo = repo
        self._rev = rev
        self._objects = objects
        self._folders: dict[str, str | None] = {}  # path -> the tree's id
        self._all: dict[str, Entry] | None = None

    def _folder(self, folder: str) -> Folder:
        if folder not in self._folders:
            if folder:
                entry = self.entry(folder)
                self._folders[folder] = entry.oid if entry and entry.mode == FOLDER else None
            else:
                found = self._objects.read(self._rev + "^{tree}")
                self._folders[folder] = found[0] if found else None
        name = self._folders[folder]
        return self._objects.folder(name) if name else {}

    def entry(self, path: str) -> Entry | None:
        folder, _, name = path.rpartition("/")
        found = self._folder(folder).get(name.encode("utf-8", "surrogateescape"))
        return Entry(found[0].decode().zfill(6), found[2].hex()) if found else None

    def names(self, folder: str) -> Sequence[str]:
        return [name.decode("utf-8", "surrogateescape") for name in self._folder(folder)]

    def read(self, path: str) -> File | None:
        entry = self.entry(path)
        if entry is None or entry.mode in (FOLDER, GITLINK):
            return None
        return File(self._objects.blob(entry.oid), entry.mode)

    def paths(self) -> Mapping[str, Entry]:
        if self._all is None:
            out = self._repo.git("ls-tree", "-r", "-z", "--full-tree", self._rev, git_dir=self._objects.git_dir)
            self._all = {}
            for record in _records(out):
                meta, _, path = record.partition("\t")
                mode, _, oid = meta.split(" ")
                self._all[path] = Entry(mode, oid)
        return self._all


class IndexTree:
    """The index. A `ports.Tree`. Paths that are only intended (`add -N`) are not there; those in conflict are `UNMERGED`."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._objects = repo.objects()
        self._all: dict[str, Entry] | None = None
        self._folders: dict[str, dict[str, None]] | None = None

    def paths(self) -> Mapping[str, Entry]:
        if self._all is None:
            index = (
                {"GIT_INDEX_FILE": os.path.join(self._repo.root, self._repo.index_file)} if self._repo.index_file else None
            )
            # against the empty tree: of git's listings of the index, the one that knows what is only intended
            out = self._repo.git(
                "diff-index", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--ita-invisible-in-index",
                EMPTY_TREES[self._repo.object_format], env=index,
            )  # fmt: skip
            records = out.decode("utf-8", "surrogateescape").split("\0")
            self._all = {
                path: Entry(meta[8:14], meta[16 + len(self._repo.null_oid) : -2]) if meta[-1] == "A" else Entry(UNMERGED, "")
                for meta, path in zip(records[::2], records[1::2], strict=False)
                if meta[-1] in "AU"
            }
        return self._all

    def _tree(self) -> dict[str, dict[str, None]]:
        if self._folders is None:
            self._folders = {}
            for path in self.paths():
                name = path
                while True:
                    folder, _, name = name.rpartition("/")
                    known = self._folders.setdefault(folder, {})
                    if name in known:
                        break
                    known[name] = None
                    if not folder:
                        break
                    name = folder
        return self._folders

    def entry(self, path: str) -> Entry | None:
        found = self.paths().get(path)
        if found is None and path in self._tree():
            return Entry(FOLDER, "")
        return found

    def names(self, folder: str) -> Sequence[str]:
        return list(self._tree().get(folder, ()))

    def read(self, path: str) -> File | None:
        entry = self.paths().get(path)
        if entry is None or entry.mode in (GITLINK, UNMERGED):
            return None
        return File(self._objects.blob(entry.oid), entry.mode)


class Difference(NamedTuple):
    """One path that differs between two commits: what it is now and what it was; None on the side where it isn't."""

    mode: str | None
    oid: str | None
    was_mode: str | None
    was: str | None


def differences(repo: Repo, pairs: Sequence[tuple[str, str]], git_dir: str | None = None) -> list[dict[str, Difference]]:
    """For each pair of commits (old, new) the paths that differ, renames not guessed; all by one `diff-tree`."""
    if not pairs:
        return []
    asked = "".join(f"{new} {old}\n" for old, new in pairs).encode()
    out = repo.git(
        "diff-tree", "--stdin", "--always", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--no-ext-diff",
        input=asked, git_dir=git_dir,
    )  # fmt: skip
    found: list[dict[str, Difference]] = []
    records = iter(_records(out))
    for record in records:
        if record.startswith(":"):
            was_mode, mode, was, oid, _ = record[1:].split(" ")
            gone, new = set(oid) == {"0"}, set(was) == {"0"}
            found[-1][next(records)] = Difference(
                None if gone else mode, None if gone else oid, None if new else was_mode, None if new else was
            )
        else:
            found.append({})
    return found


def _records(out: bytes) -> Iterator[str]:
    """NUL-terminated records of git's `-z` formats."""
    return (r.decode("utf-8", "surrogateescape") for r in out.split(b"\0") if r)
