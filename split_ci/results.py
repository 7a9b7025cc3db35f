"""What running the criteria said, on the base and on the result; bound to one changeset by its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from split_ci.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.fields import Fields

MAX_BYTES = 16 << 20
MAX_CRITERIA = 10_000
TAIL_BYTES = 4096


class Execution(NamedTuple):
    """One command as it really ran. `exit` is None where it did not end by itself: then a `signal`, a `cap` or a
    `fault` says why.

    `output` is the end of what it printed, as bytes; `cap` names the resource limit that ended it; `fault` is what kept it
    from running at all.
    """

    exit: int | None
    seconds: float
    output: bytes = b""
    signal: int | None = None
    cap: str = ""
    fault: str = ""


class Ran(NamedTuple):
    """One command, once. `exit` is None where no process ended by itself; `broken` says why it proves nothing (a cap by
    name,
    a signal, a tool that is missing); `output` is the escaped tail, at most 4 KiB.
    """

    exit: int | None
    seconds: float
    output: str = ""
    broken: str = ""


class CriterionResult(NamedTuple):
    """`red`/`green` are true where the criterion was as required, null where the question doesn't apply (a guard is
    never red).
    """

    id: str
    run: str  # the criterion as people say it
    red: bool | None
    green: bool | None
    seconds: float
    reason: str = ""  # why it is not as required, one line
    base: Ran | None = None
    result: Ran | None = None
    code: str = ""  # the problem of `check --prove`, where the base is to blame


class Results(NamedTuple):
    id: str
    digest: str  # of the spec
    base: str
    tree: str  # the tree that was judged
    changeset: str  # sha256 of the changeset's canonical JSON
    criteria: tuple[CriterionResult, ...]
    sandbox: Mapping[str, Any]  # what the probe found

    @property
    def ok(self) -> bool:
        return bool(self.criteria) and not self.wrong

    @property
    def wrong(self) -> tuple[CriterionResult, ...]:
        """The criteria that are not as required."""
        return tuple(c for c in self.criteria if c.red is False or c.green is not True)

    @property
    def mendable(self) -> bool:
        """Whether what is wrong lies in the result: a criterion that was not red on the base is the spec's fault."""
        return not self.ok and all(c.red is not False for c in self.criteria)

    @property
    def fault(self) -> str:
        """Why they ask for no branch, in one line; empty where they are as required."""
        if not self.criteria:
            return "there is no criterion"
        wrong = next(iter(self.wrong), None)
        return f"{wrong.id} ({' '.join(wrong.run.split())}): {wrong.reason or 'not as required'}" if wrong else ""


def dump(results: Results) -> str:
    """Canonical JSON: sorted keys, one line, a final newline."""
    import json  # noqa: PLC0415

    value = results._asdict() | {"criteria": [_criterion(c) for c in results.criteria], "sandbox": dict(results.sandbox)}
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":")) + "\n"


def load(text: str) -> Results:
    """Reads what `dump` wrote. Raises Refused for anything else: unknown keys, wrong types, sizes over the caps."""
    from split_ci.fields import read_object  # noqa: PLC0415

    fields = read_object(text, "results", MAX_BYTES)
    results = Results(
        id=fields.spec_id("id"),
        digest=fields.hex("digest", (64,)),
        base=fields.hex("base"),
        tree=fields.hex("tree"),
        changeset=fields.hex("changeset", (64,)),
        criteria=fields.objects("criteria", _load_criterion, MAX_CRITERIA),
        sandbox=_load_sandbox(fields.object("sandbox")),
    )
    fields.end()
    ids = [c.id for c in results.criteria]
    if len(set(ids)) != len(ids):
        raise Refused("results: a criterion is there twice")
    return results


def _criterion(one: CriterionResult) -> dict[str, Any]:
    return one._asdict() | {
        "base": one.base._asdict() if one.base else None,
        "result": one.result._asdict() if one.result else None,
    }


def _load_criterion(fields: Fields) -> CriterionResult:
    name = fields.text("id", 8)
    if not (name[:1] == "a" and name[1:].isdecimal() and name.isascii()):
        raise Refused(f"{fields.what}: id must be a criterion's id")
    return CriterionResult(
        id=name,
        run=fields.text("run", 1 << 20),
        red=fields.flag_or_none("red"),
        green=fields.flag_or_none("green"),
        seconds=fields.number("seconds"),
        reason=fields.text("reason"),
        base=_load_ran(fields, "base"),
        result=_load_ran(fields, "result"),
        code=fields.one_of("code", ("", "SP504", "SP505", "SP506")),
    )


def _load_ran(fields: Fields, key: str) -> Ran | None:
    if fields.is_null(key):
        return None
    inner = fields.object(key)
    code = None if inner.is_null("exit") else inner.integer("exit", 0, 255)
    ran = Ran(code, inner.number("seconds"), inner.text("output", TAIL_BYTES), inner.text("broken"))
    inner.end()
    return ran


def _load_sandbox(fields: Fields) -> Mapping[str, Any]:
    kind = fields.one_of("kind", ("bubblewrap", "unshare", "none"))
    probed = fields.flag("probed")
    facts = fields.facts("facts")
    fields.end()
    return {"kind": kind, "probed": probed, "facts": facts}
