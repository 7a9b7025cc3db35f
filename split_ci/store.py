"""Where results become commits: built in a quarantine beside the object store, made visible by one transaction of refs.

The quarantine is a bare repository of its own below `<objects>/split-ci-XXXX` (a name that git's own prune leaves alone),
with the repository's objects as alternate. Nothing of the user's configuration, attributes or hooks is there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from split_ci import folders
from split_ci.errors import WorldError
from split_ci.git import FENCE, FOLDER, GitError, clean_env, run_git
from split_ci.intent import recover
from split_ci.refs import RefUpdate, swap
from split_ci.spec import parse_spec
from split_ci.stream import BOT, Ground, commit_commands, commit_date, header, note_commands, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import IO, Self

    from split_ci.changeset import Changeset
    from split_ci.git import Objects, Repo
    from split_ci.ports import Outcome
    from split_ci.spec import Spec

__all__ = ["BOT", "Built", "Gated", "Quarantine", "RefUpdate", "prune_leftovers"]

PREFIX = "split-ci-"  # not `tmp_…`: those `git gc --prune=now` takes away from under the living
PACK_ORDER = (".pack", ".rev", ".mtimes", ".idx")  # git takes a pack as complete once its .idx is there
ALONE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1"}


class Built(NamedTuple):
    """A changeset as a commit; it lies in the quarantine until `Quarantine.admit`."""

    changeset: Changeset
    commit: str
    tree: str


class Gated(NamedTuple):
    """A changeset and what the gate says of it.

    `refusal` None: it may be published. `built` is there wherever its paths are safe, so that a refused attempt that was
    paid for can still be kept; `spec` is the one that was believed.
    """

    changeset: Changeset
    built: Built | None
    refusal: Outcome | None
    spec: Spec | None = None


class Quarantine:
    """A temporary bare repository with the user's objects as alternate. Gone at the end, whatever happened."""

    git_dir: str

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self._objects: Objects | None = None
        self._lock: int | None = None
        self._bases: dict[str, _Base] = {}
        self._brought: set[str] = set()  # names of objects and packs that are in the repository already

    def __enter__(self) -> Self:
        store = os.path.join(self.repo.common_dir, "objects")
        recover(self.repo)
        try:
            prune_leftovers(store)
            self.git_dir, self._lock = folders.hold(PREFIX, store)
            self._lay_out(store)
        except OSError as error:
            self.close()
            raise WorldError(f"{store}: {error.strerror}: results can't be written there") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Removes the quarantine; what was admitted stays where it was moved to."""
        if self._objects is not None:
            self._objects.close()
        self._objects = None
        if hasattr(self, "git_dir"):
            shutil.rmtree(self.git_dir, ignore_errors=True)
            folders.leave(self.git_dir)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _lay_out(self, store: str) -> None:
        """The least that git takes for a repository."""
        for folder in ("objects/info", "objects/pack", "refs/heads"):
            os.makedirs(os.path.join(self.git_dir, folder))
        shared = self.repo.ask("config", "--get", "core.sharedRepository") or "umask"
        sha256 = self.repo.object_format != "sha1"
        config = f"[core]\n\tbare = true\n\trepositoryformatversion = {int(sha256)}\n\tsharedRepository = {shared}\n"
        if sha256:
            config += f"[extensions]\n\tobjectFormat = {self.repo.object_format}\n"
        self._write("config", config)
        self._write("objects/info/alternates", _alternate(store))
        self._write("HEAD", "ref: refs/heads/none\n")
        shallow = os.path.join(self.repo.common_dir, "shallow")
        if os.path.exists(shallow):
            shutil.copyfile(shallow, os.path.join(self.git_dir, "shallow"))

    def _write(self, name: str, text: str) -> None:
        with open(os.path.join(self.git_dir, name), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)

    def git(self, *args: str, input: bytes = b"") -> bytes:  # noqa: A002 - subprocess's own word
        """Standard output of a git command in the quarantine, with no configuration but its own. Raises GitError."""
        return run_git(args, cwd=self.git_dir, git_dir=self.git_dir, input=input, env=ALONE).stdout

    def objects(self) -> Objects:
        """Reads what is in the quarantine and in the repository behind it."""
        if self._objects is None:
            self._objects = self.repo.objects(git_dir=self.git_dir)
        return self._objects

    def build(self, changesets: Sequence[Changeset], titles: Mapping[str, str] | None = None) -> list[Built]:
        """One commit for each changeset, all by one `git fast-import`; the same changeset gives the same commit id.

        `titles` maps a spec's id to its title, for callers that have parsed the specs already. Raises WorldError.
        """
        if not changesets:
            return []
        titles = titles or {}
        stream = (
            part
            for mark, changeset in enumerate(changesets, 1)
            for part in commit_commands(
                changeset, mark, self._ground(changeset), titles.get(changeset.id) or _title(changeset),
                self.repo.object_format,
            )
        )  # fmt: skip
        commits = self._import(stream)
        asked = "".join(f"{commit}^{{tree}}\n" for commit in commits).encode()
        trees = self.git("cat-file", "--batch-check=%(objectname)", input=asked).decode().split()
        return [Built(*built) for built in zip(changesets, commits, trees, strict=True)]

    def note(self, ref: str, notes: Mapping[str, bytes], *, message: str) -> str:
        """A commit on a notes ref that sets the note of each object (id -> whole text), on top of what is there."""
        made = self.note_update(ref, notes, message=message).new
        assert made is not None
        return made

    def note_update(self, ref: str, notes: Mapping[str, bytes], *, message: str) -> RefUpdate:
        """As `note`, with the value of the ref that it builds upon: for `admit`."""
        parent = self.repo.refs(ref).get(ref)
        start = header(_own(ref), 1, f"{int(time.time())} +0000", f"{one_line(message)}\n".encode())
        (commit,) = self._import(note_commands(start, parent, notes))
        return RefUpdate(ref, commit, parent)

    def admit(self, updates: Sequence[RefUpdate], *, why: str = "split-ci") -> list[RefUpdate]:
        """Moves the objects into the repository and makes the refs visible in one transaction of compare-and-swap.

        Returns the updates that lost the race; then none of the transaction was done. Raises WorldError where a lock stays.
        """
        store = os.path.join(self.repo.common_dir, "objects")
        try:
            migrate(os.path.join(self.git_dir, "objects"), store, self._brought)
        except OSError as error:
            raise WorldError(f"{error.filename or store}: {error.strerror}: nothing was made visible") from None
        return swap(self.repo, updates, why=why)

    def _ground(self, changeset: Changeset) -> Ground:
        reader = self._bases.get(changeset.base)
        if reader is None:
            reader = self._bases[changeset.base] = _Base(self.repo, changeset.base, self.objects())
        gone = [c.path for c in changeset.changes if c.file is None]
        return Ground(reader.root, reader.date, reader.blobs([*gone, changeset.spec_path]))

    def _import(self, stream: Iterable[bytes]) -> list[str]:
        """Runs fast-import; the commit ids by mark, from 1. Standard error goes to a file, so that no pipe can fill."""
        marks = os.path.join(self.git_dir, "marks")
        argv = [
            "git", *FENCE, "-c", "core.fsync=none", "--git-dir", self.git_dir,
            "fast-import", "--quiet", "--force", "--done", "--date-format=raw", f"--export-marks={marks}",
        ]  # fmt: skip
        with _scratch() as said:
            process = subprocess.Popen(
                argv, cwd=self.git_dir, env=clean_env(ALONE), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
            )
            with folders.written_by(process):
                _feed(process, stream)
            if process.returncode:
                said.seek(0)
                raise GitError(["fast-import"], process.returncode, _first_fault(said.read().decode(errors="replace")))
        with open(marks, encoding="ascii") as file:
            found = dict(line.split() for line in file)
        return [found[f":{mark}"] for mark in range(1, len(found) + 1)]


class _Base:
    """What commits on one base need to know of it, read once."""

    def __init__(self, repo: Repo, base: str, objects: Objects) -> None:
        commit, tree = objects.read(base), objects.read(f"{base}^{{tree}}")
        if commit is None or commit[1] != "commit" or tree is None:
            raise WorldError(f"the base {base} is not a commit that this repository holds", hint="git fetch")
        self.root, self.date = tree[0], commit_date(commit[2])
        self._tree = repo.tree(base, objects)

    def blobs(self, paths: Sequence[str]) -> dict[str, str]:
        """The ids of those paths that are files in the base."""
        entries = ((path, self._tree.entry(path)) for path in paths)
        return {path: entry.oid for path, entry in entries if entry is not None and entry.mode != FOLDER}


def _scratch() -> IO[bytes]:
    """A file in memory where there is such a thing: a full disk must not keep git from saying that it is full."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("split-ci"), "w+b")
    return tempfile.TemporaryFile()


def _feed(process: subprocess.Popen[bytes], stream: Iterable[bytes]) -> None:
    """Writes the stream and waits. A process that ended early has said why elsewhere; a stream that breaks ends it."""
    assert process.stdin is not None
    try:
        for part in stream:
            process.stdin.write(part)
        process.stdin.write(b"done\n")
        process.stdin.close()
    except BrokenPipeError:
        pass
    except BaseException:
        process.kill()
        raise
    finally:
        with suppress(OSError):
            process.stdin.close()
        process.wait()


def _first_fault(said: str) -> str:
    """fast-import ends with where it wrote its crash report; the fault is the line that starts with `fatal:`."""
    return next((line for line in said.splitlines() if line.startswith(("fatal:", "error:"))), said)


def _title(changeset: Changeset) -> str:
    parsed = parse_spec(changeset.spec, changeset.spec_path)
    return parsed.spec.title if parsed.spec else changeset.id


def _own(ref: str) -> str:
    return f"refs/quarantine/{ref.replace('/', '-')}"


def _alternate(store: str) -> str:
    """A line of `info/alternates`; git reads C quotes there."""
    if store.startswith(('"', "#")) or "\n" in store:
        escaped = store.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"\n'
    return f"{store}\n"


def prune_leftovers(store: str) -> None:
    """Removes quarantines whose owner is dead: nobody holds their folder."""
    for name in os.listdir(store):
        if name.startswith(PREFIX):
            folder = os.path.join(store, name)
            with suppress(OSError), folders.abandoned(folder) as free:
                if free:
                    shutil.rmtree(folder, ignore_errors=True)


def migrate(source: str, target: str, known: set[str]) -> None:
    """Brings objects from one store into another on the same file system; what is there already is left as it is.

    The first store keeps them too, where the file system can link: a prune of the other one then loses nothing that a ref
    is still to name. Everything is on the disk before it is brought, and a pack's index comes last. `known` holds what this
    brought before, so that of a store which grows with each call only what is new, or was pruned, costs anything.
    Raises OSError.
    """
    for folder, names in _movable(source):
        place = os.path.join(target, folder)
        os.makedirs(place, exist_ok=True)
        there = set(os.listdir(place))
        due = [name for name in names if name not in there or name not in known]
        for name in due:
            _move(os.path.join(source, folder, name), os.path.join(place, name))
        if due:
            _sync(place)
            known.update(due)


def _movable(store: str) -> Iterator[tuple[str, list[str]]]:
    packs = [n for n in os.listdir(os.path.join(store, "pack")) if n.startswith("pack-") and n.endswith(PACK_ORDER)]
    if packs:
        yield "pack", sorted(packs, key=lambda name: PACK_ORDER.index(os.path.splitext(name)[1]))
    for folder in sorted(os.listdir(store)):
        if len(folder) == 2:
            yield folder, sorted(n for n in os.listdir(os.path.join(store, folder)) if not n.startswith("tmp"))


def _move(source: str, target: str) -> None:
    if os.path.exists(target):
        return
    _sync(source)
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        return
    except OSError:
        os.rename(source, target)


def _sync(path: str) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
