"""What running the criteria said, on the base and on the result; bound to one changeset by its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from split_ci.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES = 16 << 20
MAX_CRITERIA = 10_000
TAIL_BYTES = 4096


class Execution(NamedTuple):
    """One command as it really ran. `exit` is None where it did not end by itself: then a `signal`, a `cap` or a `fault` says why.

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
    """One command, once. `exit` is None where no process ended by itself; `broken` says why it proves nothing (a cap by name,
    a signal, a tool that is missing); `output` is the escaped tail, at most 4 KiB."""

    exit: int | None
    seconds: float
    output: str = ""
    broken: str = ""


class CriterionResult(NamedTuple):
    """`red`/`green` are true where the criterion was as required, null where the question doesn't apply (a guard is never red)."""

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
        return bool(self.criteria) and all(c.red is not False and c.green is True for c in self.criteria)


def dump(results: Results) -> str:
    """Canonical JSON: sorted keys, one line, a final newline."""
    import json  # noqa: PLC0415

    value = results._asdict() | {"criteria": [_criterion(c) for c in results.criteria], "sandbox": dict(results.sandbox)}
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":")) + "\n"


def load(text: str) -> Results:
    """Reads what `dump` wrote. Raises Refused for anything else: unknown keys, wrong types, sizes over the caps."""
    if len(text) > MAX_BYTES:
        raise Refused(f"results: {len(text)} bytes are more than {MAX_BYTES}")
    if _depth(text) > 12:
        raise Refused("results: nested too deeply")
    value = _Fields(_parse(text), "results")
    criteria = value.list("criteria", MAX_CRITERIA)
    results = Results(
        id=value.matching("id", r"[a-z0-9][a-z0-9-]{0,62}"),
        digest=value.matching("digest", r"[0-9a-f]{64}"),
        base=value.matching("base", OID),
        tree=value.matching("tree", OID),
        changeset=value.matching("changeset", r"[0-9a-f]{64}"),
        criteria=tuple(_load_criterion(one, f"criteria[{i}]") for i, one in enumerate(criteria)),
        sandbox=_load_sandbox(value.take("sandbox", dict)),
    )
    value.end()
    ids = [c.id for c in results.criteria]
    if len(set(ids)) != len(ids):
        raise Refused("results: a criterion is there twice")
    return results


OID = r"[0-9a-f]{40}(?:[0-9a-f]{24})?"


def _criterion(one: CriterionResult) -> dict[str, Any]:
    return one._asdict() | {
        "base": one.base._asdict() if one.base else None,
        "result": one.result._asdict() if one.result else None,
    }


def _parse(text: str) -> object:
    import json  # noqa: PLC0415

    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(f"results: not JSON: {error}") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a number")


def _depth(text: str) -> int:
    """How deep brackets are nested, those in strings counted too: an upper bound that costs no parser."""
    depth = deepest = 0
    inside = escaped = False
    for c in text:
        if escaped:
            escaped = False
        elif inside:
            escaped, inside = c == "\\", c != '"'
        elif c == '"':
            inside = True
        elif c in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif c in "]}":
            depth -= 1
    return deepest


class _Fields:
    """The keys of one object, each taken once with its type; what is left over at the end is refused."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise Refused(f"{where}: an object is expected")
        self._left = dict(value)
        self._where = where

    def take(self, key: str, *kinds: type) -> Any:  # noqa: ANN401 - JSON
        if key not in self._left:
            raise Refused(f"{self._where}: {key} is missing")
        value = self._left.pop(key)
        if (isinstance(value, bool) and bool not in kinds) or not isinstance(value, kinds):
            raise Refused(f"{self._where}.{key}: {type(value).__name__} is not expected")
        return value

    def text(self, key: str, most: int) -> str:
        value: str = self.take(key, str)
        if len(value) > most:
            raise Refused(f"{self._where}.{key}: longer than {most}")
        return value

    def matching(self, key: str, pattern: str) -> str:
        import re  # noqa: PLC0415

        value: str = self.take(key, str)
        if not re.fullmatch(pattern, value):
            raise Refused(f"{self._where}.{key}: {value[:80]!r} is not of the form {pattern}")
        return value

    def seconds(self) -> float:
        value = float(self.take("seconds", int, float))
        if not 0 <= value < 1e9:
            raise Refused(f"{self._where}.seconds: out of range")
        return value

    def list(self, key: str, most: int) -> list[object]:
        value: list[object] = self.take(key, list)
        if len(value) > most:
            raise Refused(f"{self._where}.{key}: more than {most}")
        return value

    def end(self) -> None:
        if self._left:
            raise Refused(f"{self._where}: unknown key {min(self._left)!r}")


def _load_criterion(value: object, where: str) -> CriterionResult:
    fields = _Fields(value, where)
    one = CriterionResult(
        id=fields.matching("id", r"a[1-9][0-9]{0,4}"),
        run=fields.text("run", 1 << 20),
        red=fields.take("red", bool, type(None)),
        green=fields.take("green", bool, type(None)),
        seconds=fields.seconds(),
        reason=fields.text("reason", 1 << 16),
        base=_load_ran(fields.take("base", dict, type(None)), f"{where}.base"),
        result=_load_ran(fields.take("result", dict, type(None)), f"{where}.result"),
        code=fields.matching("code", r"(?:SP\d{3})?"),
    )
    fields.end()
    return one


def _load_ran(value: object, where: str) -> Ran | None:
    if value is None:
        return None
    fields = _Fields(value, where)
    code: int | None = fields.take("exit", int, type(None))
    if code is not None and not 0 <= code <= 255:
        raise Refused(f"{where}.exit: out of range")
    ran = Ran(code, fields.seconds(), fields.text("output", TAIL_BYTES), fields.text("broken", 1 << 12))
    fields.end()
    return ran


def _load_sandbox(value: Mapping[str, Any]) -> Mapping[str, Any]:
    fields = _Fields(value, "results.sandbox")
    facts = fields.take("facts", dict)
    for key, fact in facts.items():
        if not isinstance(fact, bool | str) or len(str(fact)) > 4096:
            raise Refused(f"results.sandbox.facts.{key[:80]}: a text or true or false is expected")
    found = {
        "kind": fields.matching("kind", "bubblewrap|unshare|none"),
        "probed": fields.take("probed", bool),
        "facts": facts,
    }
    fields.end()
    return found
