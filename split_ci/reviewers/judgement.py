"""An architect's answer, read strictly: one JSON object whose every field is looked at before it is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from split_ci.errors import Refused
from split_ci.fields import read_object
from split_ci.verdict import CAUSES, CRITERION_DECISIONS, MAX_FINDINGS, MAX_MESSAGE, MAX_QUOTE, CriterionDecision, Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from split_ci.fields import Fields
    from split_ci.lesson import Audience
    from split_ci.verdict import Cause

MAX_CHARS = 1_000_000
STATES = ("fixed", "open", "withdrawn")


class Candidate(NamedTuple):
    """A lesson as the architect words it, not yet looked at."""

    audience: Audience
    text: str
    paths: tuple[str, ...]
    forbid: str | None


class Earlier(NamedTuple):
    """What became of a finding of the round before; `number` counts from 1."""

    number: int
    state: str
    reason: str


class Judgement(NamedTuple):
    """One answer. `files` maps each path to `ok` or `change`."""

    summary: str
    decision: str
    files: Mapping[str, str]
    findings: tuple[Finding, ...]
    criteria: tuple[CriterionDecision, ...]
    earlier: tuple[Earlier, ...]
    answer: str  # to the coaching check
    lessons: tuple[Candidate, ...]


def read_judgement(text: str, *, paths: Collection[str], criteria: Collection[str], earlier: Collection[int]) -> Judgement:
    """The judgement in a reply about these paths, criteria and earlier findings. Raises Refused: what is wrong with it.

    What is only too long is cut: no number or length of remarks makes an answer unreadable.
    """
    fields = read_object(_unfenced(text), "the answer", MAX_CHARS)
    files = fields.objects("files", _file, 100_000)
    judged = Judgement(
        summary=_cut(fields, "summary"),
        decision=fields.one_of("decision", ("approve", "request_changes")),
        files=dict(files),
        findings=fields.objects("findings", _finding, MAX_CHARS)[:MAX_FINDINGS],
        criteria=fields.objects("criteria", _criterion, 1000),
        earlier=fields.objects("earlier", _earlier, 1000) if "earlier" in fields else (),
        answer="",
        lessons=(),
    )
    coaching = fields.object("coaching")
    answer, lessons = _cut(coaching, "answer"), coaching.objects("lessons", _lesson, MAX_CHARS)
    coaching.end()
    fields.end()
    _all_there("files", [path for path, _ in files], paths)
    _all_there("criteria", [c.id for c in judged.criteria], criteria)
    _all_there("earlier", [str(e.number) for e in judged.earlier], [str(number) for number in earlier])
    return judged._replace(answer=answer, lessons=lessons)


def _cut(fields: Fields, key: str, limit: int = MAX_MESSAGE) -> str:
    return fields.text(key, MAX_CHARS)[:limit]


def _unfenced(text: str) -> str:
    """The text without a code fence around the whole of it."""
    lines = text.strip().split("\n")
    if len(lines) > 2 and lines[0].startswith("```") and lines[-1].strip() == "```":
        return "\n".join(lines[1:-1])
    return text.strip()


def _all_there(key: str, found: list[str], wanted: Collection[str]) -> None:
    missing = [name for name in wanted if name not in found]
    if missing:
        raise Refused(f"the answer: {key}: nothing is said about {', '.join(missing[:5])}")
    extra = [name for name in found if name not in wanted]
    if extra:
        raise Refused(f"the answer: {key}: {extra[0][:100]!r} is not among those that were asked about")
    if len(set(found)) != len(found):
        raise Refused(f"the answer: {key}: the same one twice")


def _file(fields: Fields) -> tuple[str, str]:
    path, decision = fields.text("path", 4096), fields.one_of("decision", ("ok", "change"))
    _cut(fields, "reason")
    return path, decision


def _finding(fields: Fields) -> Finding:
    return Finding(
        path=fields.text("path", 4096),
        line=fields.integer("line", 0),
        quote=_cut(fields, "quote", MAX_QUOTE),
        message=_cut(fields, "message"),
        cause=cast("Cause", fields.one_of("cause", CAUSES)),
    )


def _criterion(fields: Fields) -> CriterionDecision:
    return CriterionDecision(fields.text("id", 16), fields.one_of("decision", CRITERION_DECISIONS), _cut(fields, "reason"))


def _earlier(fields: Fields) -> Earlier:
    return Earlier(fields.integer("number", 1), fields.one_of("state", STATES), _cut(fields, "reason"))


def _lesson(fields: Fields) -> Candidate:
    return Candidate(
        audience=cast("Audience", fields.one_of("for", ("implementer", "architect"))),
        text=fields.text("text", MAX_CHARS),
        paths=fields.texts("paths", 100, 1000),
        forbid=fields.text_or_none("forbid", MAX_CHARS),
    )


def _object(**properties: object) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _list(**properties: object) -> dict[str, Any]:
    return {"type": "array", "items": _object(**properties)}


TEXT = {"type": "string"}
SCHEMA: Mapping[str, Any] = _object(
    summary=TEXT,
    decision={"type": "string", "enum": ["approve", "request_changes"]},
    files=_list(path=TEXT, decision={"type": "string", "enum": ["ok", "change"]}, reason=TEXT),
    findings=_list(
        path=TEXT, line={"type": "integer"}, quote=TEXT, message=TEXT, cause={"type": "string", "enum": list(CAUSES)}
    ),
    criteria=_list(id=TEXT, decision={"type": "string", "enum": list(CRITERION_DECISIONS)}, reason=TEXT),
    earlier=_list(number={"type": "integer"}, state={"type": "string", "enum": list(STATES)}, reason=TEXT),
    coaching=_object(
        answer=TEXT,
        lessons=_list(
            **{
                "for": {"type": "string", "enum": ["implementer", "architect"]},
                "text": TEXT,
                "paths": {"type": "array", "items": TEXT},
                "forbid": {"type": ["string", "null"]},
            }
        ),
    ),
)
