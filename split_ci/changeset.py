"""The hand-off between jobs: whole file contents by path, as JSON. Whoever receives one validates all of it again."""

from __future__ import annotations

import base64
import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple, cast, get_args

from split_ci.errors import Refused
from split_ci.fields import canonical, read_object
from split_ci.paths import path_fault
from split_ci.ports import File, Outcome, OutcomeName, Usage
from split_ci.verdict import read_usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.fields import Fields

By = Literal["exact", "adapted", "model"]

KIND = "split-ci changeset 1"
BY: tuple[str, ...] = get_args(By)
OUTCOMES: tuple[str, ...] = get_args(OutcomeName)
MODES = ("100644", "100755")
MAX_CHANGES = 20_000
MAX_PATH = 4096
MAX_SPEC_BYTES = 8 * 1024 * 1024
MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_TOTAL_BYTES = 64 * 1024 * 1024
MAX_JSON = 192 * 1024 * 1024  # JSON's escapes make text longer


class Changed(NamedTuple):
    """One path's end state. `file` None: deleted. `was`: the blob id at the base, None where the path is new."""

    path: str
    file: File | None
    was: str | None
    by: By = "exact"


class Changeset(NamedTuple):
    """One attempt's result, pinned to (spec digest, base)."""

    id: str
    digest: str  # of the spec
    base: str  # commit id
    attempt: str  # this attempt's own id
    implementer: str  # `exact`, or the name of the rung that wrote the last change
    changes: tuple[Changed, ...]
    spec: bytes  # the spec file, moved to (or added in) specs/landed/ by the commit
    spec_path: str
    edits: Mapping[str, int]  # exact, adapted, model
    usage: Usage = Usage()
    outcome: Outcome = Outcome("done")
    lessons: tuple[str, ...] = ()  # ids carried by the brief
    lessons_at: str | None = None  # the trusted commit that they were read from
    parent: str | None = None  # the branch's head, for a new round; the base else
    round: int = 1
    held: tuple[str, ...] = ()  # ids of lessons that the brief was to do without
    world: bool = False  # something outside ended it, and not an answer: another try may come to more


def dump(changeset: Changeset) -> str:
    """Canonical JSON: sorted keys, UTF-8 text where it is text, base64 where not."""
    value = changeset._asdict()
    value["kind"] = KIND
    value["changes"] = [change_value(changed) for changed in changeset.changes]
    value["spec"] = content_value(changeset.spec)
    value["edits"] = dict(changeset.edits)
    usd = changeset.usage.usd
    value["usage"] = changeset.usage._replace(usd=None if usd is None else float(usd))._asdict()
    value["outcome"] = changeset.outcome._asdict()
    if not changeset.world:
        del value["world"]
    return canonical(value)


def digest_of(changeset: Changeset) -> str:
    """The sha256 of the canonical JSON, hex: what results are bound to."""
    return hashlib.sha256(dump(changeset).encode()).hexdigest()


def change_value(changed: Changed) -> dict[str, object]:
    value: dict[str, object] = {"path": changed.path, "by": changed.by, "was": changed.was, "mode": None}
    if changed.file is not None:
        value |= {"mode": changed.file.mode, **content_value(changed.file.data)}
    return value


def content_value(data: bytes) -> dict[str, str]:
    """Bytes as `read_spec` reads them."""
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def load(text: str) -> Changeset:
    """Reads what `dump` wrote. Raises errors.Refused for anything else: unknown keys, wrong types, a size over the caps."""
    fields = read_object(text, "changeset", MAX_JSON)
    fields.one_of("kind", (KIND,))
    found = Changeset(
        id=fields.spec_id("id"),
        digest=fields.hex("digest", (64,)),
        base=fields.hex("base"),
        attempt=fields.hex("attempt", (16,)),
        implementer=fields.text("implementer", 100),
        changes=fields.objects("changes", read_change, MAX_CHANGES),
        spec=read_spec(fields.object("spec")),
        spec_path=read_path(fields, "spec_path"),
        edits=_read_edits(fields),
        usage=read_usage(fields.object("usage")),
        outcome=read_outcome(fields.object("outcome")),
        lessons=fields.texts("lessons", 1000, 63),
        lessons_at=fields.hex_or_none("lessons_at"),
        parent=fields.hex_or_none("parent"),
        round=fields.integer("round", 1, 1000),
        held=fields.texts("held", 1000, 63) if "held" in fields else (),
        world="world" in fields and fields.flag("world"),
    )
    fields.end()
    _judge(found)
    return found


def _judge(changeset: Changeset) -> None:
    """What holds between fields: no path twice, in order, and not too much of it all."""
    if sum(len(c.file.data) for c in changeset.changes if c.file) > MAX_TOTAL_BYTES:
        raise Refused(f"changeset: more than {MAX_TOTAL_BYTES} bytes of files")
    paths = [c.path for c in changeset.changes]
    for one, next_ in pairwise(paths):
        if one == next_:
            raise Refused(f"changeset: {one} is there twice")
        if one > next_:
            raise Refused(f"changeset: changes are not sorted by path: {next_} comes after {one}")
    ids = (changeset.base, changeset.parent, changeset.lessons_at, *(c.was for c in changeset.changes))
    if len({len(oid) for oid in ids if oid}) > 1:
        raise Refused("changeset: object ids of two formats")


def read_change(fields: Fields) -> Changed:
    path, by, was = read_path(fields, "path"), cast("By", fields.one_of("by", BY)), fields.hex_or_none("was")
    mode = fields.text_or_none("mode", 6)
    if mode is None:
        return Changed(path, None, was, by)
    if mode not in MODES:
        raise Refused(f"{fields.what}: {path}: the mode {mode} is not one of {', '.join(MODES)}")
    return Changed(path, File(_read_content(fields, MAX_FILE_BYTES), mode), was, by)


def _read_content(fields: Fields, limit: int) -> bytes:
    """The bytes in `text` (UTF-8) or `base64`, exactly one of which is there."""
    if "base64" in fields:
        try:
            data = base64.b64decode(fields.text("base64", limit * 2), validate=True)
        except ValueError:
            raise Refused(f"{fields.what}: base64 is not base64") from None
    else:
        try:
            data = fields.text("text", limit).encode()
        except UnicodeEncodeError:
            raise Refused(f"{fields.what}: text holds half of a surrogate pair") from None
    if len(data) > limit:
        raise Refused(f"{fields.what}: more than {limit} bytes")
    return data


def read_spec(fields: Fields) -> bytes:
    """A spec's bytes. Raises Refused."""
    data = _read_content(fields, MAX_SPEC_BYTES)
    fields.end()
    return data


def read_path(fields: Fields, key: str) -> str:
    """A path in a repository. Raises Refused."""
    path = fields.text(key, MAX_PATH)
    fault = path_fault(path)
    if fault:
        raise Refused(f"{fields.what}: {key} {path[:200]!r} {fault}")
    return path


def _read_edits(fields: Fields) -> dict[str, int]:
    edits = fields.counts("edits")
    if not set(edits) <= set(BY):
        raise Refused(f"{fields.what}: edits may hold {', '.join(BY)}")
    return edits


def read_outcome(fields: Fields) -> Outcome:
    name = cast("OutcomeName", fields.one_of("name", OUTCOMES))
    outcome = Outcome(name, fields.text("reason", 65_536))
    fields.end()
    return outcome
