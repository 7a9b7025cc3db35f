"""What no command may touch, asserted around a step: see `untouched`."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from split_ci.git import clean_env

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OWN_REFS = ("refs/heads/split-ci/", "refs/split-ci/", "refs/notes/split-ci")


class Picture(NamedTuple):
    """A repository as its owner sees it, byte for byte."""

    files: dict[str, tuple[int, bytes]]
    index_file: bytes
    head: str
    stash: bytes
    config: bytes
    refs: dict[str, str]


def picture(repo: Path, own_refs: Sequence[str] = OWN_REFS) -> Picture:
    """Every file of the work tree with its mode, the index, HEAD, the stash, the configuration, and refs but the tool's."""
    git_dir, common = (Path(_ask(repo, "rev-parse", "--path-format=absolute", f"--git-{w}dir")) for w in ("", "common-"))
    refs = {ref: oid for oid, _, ref in (line.partition(" ") for line in _ask(repo, "show-ref").splitlines())}
    return Picture(
        files=dict(_files(repo)),
        index_file=_bytes(git_dir / "index"),
        head=(git_dir / "HEAD").read_text(),
        stash=_bytes(common / "logs/refs/stash"),
        config=_bytes(common / "config"),
        refs={ref: oid for ref, oid in refs.items() if not ref.startswith(tuple(own_refs))},
    )


def _files(repo: Path) -> Iterator[tuple[str, tuple[int, bytes]]]:
    if (repo / "HEAD").exists() and not (repo / ".git").exists():
        return  # a bare repository has no work tree
    for folder, folders, names in os.walk(repo):
        folders[:] = [name for name in folders if name != ".git"]
        for name in names:
            path = Path(folder, name)
            data = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            yield str(path.relative_to(repo)), (path.lstat().st_mode, data)


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _ask(repo: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=repo, env=clean_env(), capture_output=True, check=False)
    return done.stdout.decode(errors="surrogateescape").strip()


def leftovers(repo: Path) -> list[str]:
    """Locks, quarantines and half-written files in a repository, and processes that still work in it."""
    common = Path(_ask(repo, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    found = [str(path) for path in common.rglob("*") if path.name.endswith(".lock") or path.name.startswith("tmp_")]
    for pattern in ("objects/split-ci-*", "split-ci/intents/*", "**/split-ci-moving*"):
        found += map(str, common.glob(pattern))
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if command.startswith(b"git\0") and str(common).encode() in command and not _is_ours(folder):
            found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found


def _is_ours(folder: Path) -> bool:
    """Whether this very process still holds it: a test's own reader of objects."""
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == os.getpid()
    except OSError:
        return True


@contextmanager
def untouched(repo: Path, own_refs: Sequence[str] = OWN_REFS) -> Iterator[None]:
    """I1 to I6 for one repository: what its owner has is byte-identical afterwards, and nothing is left behind."""
    before = picture(repo, own_refs)
    yield
    after = picture(repo, own_refs)
    for name, was, now in zip(Picture._fields, before, after, strict=True):
        assert was == now, f"{name} changed"
    assert leftovers(repo) == []
