"""New specs: a draft to fill in, or the spec that reproduces a commit, or what is staged, byte for byte.

Nothing is written here: the answer is the text of a spec that was read back, applied to its base and compared with
what it must give.
"""

from __future__ import annotations

import os
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from split_ci import writing
from split_ci.errors import Refused, UsageError, WorldError
from split_ci.git import FILE_MODES, GITLINK, SYMLINK
from split_ci.inverse import Delta, is_binary, text_or_none
from split_ci.path_rules import Place
from split_ci.paths import out_of_reach, path_fault
from split_ci.ports import Entry, File
from split_ci.references import mentions
from split_ci.reproduction import Origin, Reproduction, refuse, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from split_ci.config import Config
    from split_ci.git import Objects, Repo

RAW = ("-r", "-z", "--raw", "--no-abbrev", "--no-ext-diff", "--no-color", "--ignore-submodules=none")
PATCH = (
    *RAW, "--patch", "-M50%", "-l1000", "--unified=3", "--inter-hunk-context=0", "--text", "--no-textconv",
    "--src-prefix=a/", "--dst-prefix=b/",
)  # fmt: skip


class Row(NamedTuple):
    """One line of git's raw diff, with the hunks of its patch."""

    status: str
    old_mode: str
    new_mode: str
    old_oid: str
    new_oid: str
    path: str
    source: str | None  # of a rename
    hunks: bytes = b""


class Compared(NamedTuple):
    """A command of git that shows differences, what it compares, and its environment."""

    command: tuple[str, ...]
    sides: tuple[str, ...]
    env: Mapping[str, str] | None = None


class Written(NamedTuple):
    """A spec that is not on disk yet. `base` is the commit that it changes; empty for a draft."""

    id: str
    data: bytes
    title: str
    base: str = ""
    protected: tuple[str, ...] = ()
    waive: tuple[str, ...] = ()


# --- drafts


def draft(title: str, id_: str | None) -> Written:
    """A draft with a title, to be filled in. Raises UsageError for a title that is empty or too long."""
    title = title.strip()
    if not title or not title.isprintable():
        raise UsageError("the title must be one visible line", hint='split-ci new "Fold the two loaders into one"')
    if len(title) > writing.TITLE_CHARACTERS:
        raise UsageError(f"the title has {len(title)} characters: at most {writing.TITLE_CHARACTERS}")
    text = (files("split_ci") / "templates" / "draft.md").read_text("utf-8").replace("{title}", writing.scalar(title), 1)
    return Written(id_ or writing.slug(title), text.encode(), title)


# --- from a commit, from the index


def from_commit(repo: Repo, rev: str, config: Config, id_: str | None = None, title: str | None = None) -> Written:
    """The spec that turns a commit's parent into that commit. Raises Refused by name, UsageError."""
    commit = repo.commit(rev)
    raw = repo.git("log", "-1", "--no-decorate", "--encoding=UTF-8", "--format=%P%x00%B", "--end-of-options", commit)
    parents, _, message = raw.decode("utf-8", "replace").partition("\0")
    short = commit[:12]
    if not parents:
        raise Refused(
            f"{short} is a first commit: it has no parent to start from", hint="split-ci new --from a later commit"
        )
    if " " in parents:
        raise Refused(f"{short} is a merge: its parents were changed apart", hint=f"split-ci new --from {short}^2")
    subject, _, body = message.strip("\n").partition("\n")
    why = f"Reproduces commit `{commit}` on its parent `{parents}`.\n"
    origin = Origin(short, parents, title or writing.one_line(subject) or f"Commit {short}", _with_body(why, body))
    found = _change(repo, Compared(("diff-tree",), ("--end-of-options", parents, commit)), short, config.specs)
    return _written(repo, origin, found, config, id_)


def from_index(repo: Repo, config: Config, id_: str | None = None, title: str | None = None) -> Written:
    """The spec that turns HEAD into what is staged; the index is only read. Raises Refused by name."""
    base = repo.commit_or_none("HEAD")
    if base is None:
        raise Refused("there is no commit yet, so nothing that a spec could start from", hint="git commit")
    index = {"GIT_INDEX_FILE": os.path.join(repo.root, repo.index_file)} if repo.index_file else None
    compared = Compared(("diff-index", "--cached", "--ita-invisible-in-index"), (base,), index)
    found = _change(repo, compared, "the index", config.specs)
    if not title:
        names = [row.path for row in found]
        title = writing.one_line(f"Change {names[0]}" if len(names) == 1 else f"Change {len(names)} files")
    origin = Origin("the index", base, title, f"Reproduces what was staged on `{base}`.\n")
    return _written(repo, origin, found, config, id_)


def _with_body(why: str, body: str) -> str:
    return f"{why}\n{writing.prose(body)}" if body.strip() else why


def _change(repo: Repo, compared: Compared, name: str, specs: str) -> list[Row]:
    """The rows of a change with their hunks. What can't be said is refused before git makes a patch of it."""
    raw = rows(repo.git(*compared.command, *RAW, "--no-renames", *compared.sides, env=compared.env), name)
    with repo.objects() as objects:
        refuse([*_row_faults(raw, specs), *_binary_faults(raw, objects)], name)
    return rows(repo.git(*compared.command, *PATCH, *compared.sides, env=compared.env), name)


def rows(diff: bytes, name: str) -> list[Row]:
    """What git printed for `--raw --patch -z`, as rows. Raises Refused where there are none."""
    found: list[Row] = []
    at = 0
    while diff[at : at + 1] == b":":
        old_mode, new_mode, old_oid, new_oid, status = (end := _field(diff, at + 1))[0].split(" ")
        first, at = _field(diff, end[1])
        second = None
        if status[0] in "RC":
            second, at = _field(diff, at)
        found.append(Row(status[0], old_mode, new_mode, old_oid, new_oid, second or first, first if second else None))
    if not found:
        raise Refused(f"{name} changes nothing: there is nothing that a spec could say", hint="git status")
    parts = (b"\n" + diff[at + 1 :]).split(b"\ndiff --git ")[1:]
    if len(parts) != len(found):  # links and submodules, which are refused: their patches come in two parts or none
        return found
    return [row._replace(hunks=_hunks(part)) for row, part in zip(found, parts, strict=True)]


def _field(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode("utf-8", "surrogateescape"), end + 1


def _hunks(part: bytes) -> bytes:
    """A file's patch without its header."""
    at = part.find(b"\n@@ ")
    if at < 0:
        return b""
    hunks = part[at + 1 :]
    return hunks if hunks.endswith(b"\n") else hunks + b"\n"


# --- what can't be said


def _row_faults(found: Sequence[Row], specs: str) -> Iterator[str]:
    for row in found:
        fault = path_fault(row.path)
        if fault:
            yield f"{shown(row.path)}: this path {fault}"
        elif out_of_reach(row.path, specs):
            yield f"{shown(row.path)}: specs, lessons and split-ci's configuration are out of reach for every spec"
        if SYMLINK in (row.old_mode, row.new_mode):
            yield f"{shown(row.path)}: a symlink"
        elif GITLINK in (row.old_mode, row.new_mode):
            yield f"{shown(row.path)}: a submodule"
        elif row.status == "U":
            yield f"{shown(row.path)}: a conflict that is not resolved"


def _binary_faults(found: Sequence[Row], objects: Objects) -> Iterator[str]:
    """Binary content that no other path of the change gives up."""
    known = {row.old_oid for row in found if row.status in "MD"}
    for row in found:
        new = row.status in "AM" and row.new_mode in FILE_MODES and row.new_oid not in known
        if new and is_binary(objects.blob(row.new_oid)):
            yield f"{shown(row.path)}: binary content"


def _content_faults(deltas: Iterable[Delta]) -> Iterator[str]:
    for delta in deltas:
        old, new = delta.old, delta.new
        if new is None or (old is not None and old.data == new.data):
            continue
        added = b"".join(line[1:] for line in delta.hunks.split(b"\n") if line[:1] in (b"+", b"-"))
        if is_binary(new.data):
            yield f"{shown(delta.path)}: binary content"
        elif text_or_none(new.data) is None and (old is None or text_or_none(added) is None):
            yield f"{shown(delta.path)}: text that is not UTF-8"


# --- from rows to deltas


def _deltas(found: Sequence[Row], objects: Objects) -> list[Delta]:
    """The rows with their contents. What only moves is not read: an empty content stands for it on both sides."""
    return [_delta(row, objects) for row in _with_moved_binaries(found, objects)]


def _delta(row: Row, objects: Objects) -> Delta:
    if row.status == "D":
        return Delta(row.path, File(b"", row.old_mode), None)
    if row.status == "A":
        return Delta(row.path, None, File(objects.blob(row.new_oid), row.new_mode))
    if row.old_oid == row.new_oid:
        return Delta(row.path, File(b"", row.old_mode), File(b"", row.new_mode), b"", row.source)
    old, new = objects.blob(row.old_oid), objects.blob(row.new_oid)
    return Delta(row.path, File(old, row.old_mode), File(new, row.new_mode), row.hunks, row.source)


def _with_moved_binaries(found: Sequence[Row], objects: Objects) -> list[Row]:
    """Binary content that a change only carries from one of its paths to another (two files swapped) becomes a move.

    git looks for renames only where a path goes away.
    """
    loose: dict[str, list[Row]] = {}
    for row in found:
        if row.status in "MD" and row.old_oid != row.new_oid:
            loose.setdefault(row.old_oid, []).append(row)
    result = {row.path: row for row in found}
    overwritten: dict[str, Row] = {}
    for row in found:
        if row.status not in "AM" or not loose.get(row.new_oid) or not is_binary(objects.blob(row.new_oid)):
            continue
        origin = loose[row.new_oid].pop()
        if row.status == "M" and result[row.path].status == "M":
            overwritten[row.path] = row._replace(status="D")
        result[row.path] = row._replace(
            status="R", source=origin.path, old_oid=origin.old_oid, old_mode=origin.old_mode, hunks=b""
        )
        overwritten.pop(origin.path, None)
        left = result[origin.path]
        if left.status == "D":
            del result[origin.path]
        elif left.status == "M":
            result[origin.path] = left._replace(status="A", hunks=b"")
    return [*result.values(), *overwritten.values()]


# --- from deltas to a spec that is proved


def _written(repo: Repo, origin: Origin, found: Sequence[Row], config: Config, id_: str | None) -> Written:
    with repo.objects() as objects:
        deltas = _deltas(found, objects)
        refuse(_content_faults(deltas), origin.name)
        place = Place(repo.tree(origin.base, objects), specs=config.specs, protected=config.protected)
        id_ = id_ or writing.slug(origin.title)
        spec = Reproduction(f"{config.specs}/{id_}.md", origin, deltas, place).proved(
            _wanted(found), repo.object_format, lambda gone: _mentions(repo, origin.base, gone)
        )
    return Written(id_, spec.data, spec.title, origin.base, spec.protected, spec.waive)


def _wanted(found: Sequence[Row]) -> dict[str, Entry | None]:
    """What every path that differs must be in the end; None: not there."""
    wanted: dict[str, Entry | None] = {}
    for row in found:
        for gone in (row.source, row.path if row.status == "D" else None):
            if gone is not None:
                wanted.setdefault(gone, None)
        if row.status != "D":
            wanted[row.path] = Entry(row.new_mode, row.new_oid)
    return wanted


def _mentions(repo: Repo, base: str, gone: Collection[str]) -> dict[str, list[tuple[int, str]]]:
    """Lines of the base that may name what is gone; none where they are too many for the reviewer too."""
    try:
        return mentions(repo, base, gone)
    except WorldError:
        return {}
