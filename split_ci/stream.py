"""A changeset as commands for `git fast-import`: pure text, the same changeset giving the same bytes."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from split_ci.changeset import Changeset

BOT = "split-ci[bot] <split-ci[bot]@users.noreply.github.com>"
_COMMITTER = re.compile(rb"^committer [^\n]*> (\d{1,18}) ([+-](?:0\d|1[0-4])[0-5]\d)$", re.MULTILINE)


class Ground(NamedTuple):
    """What a base gives to the commits on it: `date` as `<seconds> <zone>`, and the blob ids of the paths that are moved."""

    tree: str
    date: str
    blobs: Mapping[str, str]


def blob_oid(data: bytes, object_format: str = "sha1") -> str:
    """The id that git gives to a blob of these bytes."""
    return hashlib.new(object_format, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def commit_date(raw: bytes) -> str:
    """The committer's `<seconds> <zone>` in a raw commit; a date that git itself would refuse is read as the epoch."""
    found = _COMMITTER.search(raw.partition(b"\n\n")[0])
    return f"{found[1].decode()} {found[2].decode()}" if found else "0 +0000"


def one_line(text: str) -> str:
    """Foreign text as one line without control characters."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())


def landed_path(spec_path: str) -> str:
    """Where a result puts its own spec: `specs/a.md` -> `specs/landed/a.md`."""
    folder, _, name = spec_path.rpartition("/")
    return f"{folder}/landed/{name}" if folder else f"landed/{name}"


def commit_message(changeset: Changeset, title: str) -> bytes:
    """The spec's title and the trailers that `branches` reads back."""
    trailers = (
        ("Spec", changeset.id), ("Spec-Digest", changeset.digest), ("Base", changeset.base),
        ("Implementer", changeset.implementer),
    )  # fmt: skip
    lines = [one_line(title) or changeset.id, "", *(f"{key}: {one_line(value)}" for key, value in trailers)]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def quoted(path: str) -> bytes:
    """A path as fast-import reads it: raw, or in C quotes where it would be misread."""
    raw = path.encode("utf-8", "surrogateescape")
    if not raw.startswith(b'"') and b"\n" not in raw and raw:
        return raw
    return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'


def header(ref: str, mark: int, date: str, message: bytes) -> bytes:
    """The start of a commit by the bot."""
    person = f"{BOT} {date}"
    start = f"commit {ref}\nmark :{mark}\nauthor {person}\ncommitter {person}\ndata {len(message)}\n"
    return start.encode() + message + b"\n"


def commit_commands(changeset: Changeset, mark: int, ground: Ground, title: str, object_format: str) -> Iterator[bytes]:
    """One commit: the base's tree, what is deleted, what is written, and the spec moved to the landed ones.

    Deletions come first, so that a file can take the place of a folder and a folder that of a file.
    """
    parent = changeset.parent or changeset.base
    yield header("refs/quarantine/results", mark, ground.date, commit_message(changeset, title))
    yield f"from {parent}\n".encode()
    if parent != changeset.base:
        yield f'M 040000 {ground.tree} ""\n'.encode()
    for changed in changeset.changes:
        if changed.file is None:
            yield b"D " + quoted(changed.path) + b"\n"
    if changeset.spec_path in ground.blobs:
        yield b"D " + quoted(changeset.spec_path) + b"\n"
    held = set(ground.blobs.values())
    for changed in changeset.changes:
        if changed.file is not None:
            yield _modify(changed.path, changed.file.mode, changed.file.data, held, object_format)
    yield _modify(landed_path(changeset.spec_path), "100644", changeset.spec, held, object_format)
    yield b"\n"


def _modify(path: str, mode: str, data: bytes, held: set[str], object_format: str) -> bytes:
    """Writes one path: by id where the repository is known to hold the blob, with its bytes else."""
    oid = blob_oid(data, object_format) if held else ""
    if oid in held:
        return f"M {mode} {oid} ".encode() + quoted(path) + b"\n"
    return b"M " + mode.encode() + b" inline " + quoted(path) + b"\ndata %d\n" % len(data) + data + b"\n"


def note_commands(start: bytes, parent: str | None, notes: Mapping[str, bytes]) -> Iterator[bytes]:
    """One commit on a notes ref that sets the note of each object, or takes it away where it is empty.

    `start` is the commit's `header`.
    """
    yield start
    if parent:
        yield f"from {parent}\n".encode()
    for oid, text in sorted(notes.items()):
        yield (
            f"N inline {oid}\ndata {len(text)}\n".encode() + text + b"\n" if text else f"N {'0' * len(oid)} {oid}\n".encode()
        )
    yield b"\n"
