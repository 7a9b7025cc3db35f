"""What each coding agent prints, read: whether it says that it failed, its last words, and how many tokens it counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Ended(NamedTuple):
    """How an agent's process ended. `exit` None: it was ended. `files` are those that its row collects, by name."""

    exit: int | None
    stdout: str
    stderr: str = ""
    files: Mapping[str, str] = {}


class Said(NamedTuple):
    """What an agent says of itself; never believed, only compared. Tokens are None where it tells none."""

    fault: str = ""  # why it says that it failed
    last: str = ""  # its last words
    input: int | None = None
    output: int | None = None


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _lines(text: str) -> list[dict[str, Any]]:
    """The objects of JSON lines; other lines are passed over."""
    return [found for line in text.splitlines() if line.lstrip().startswith("{") and (found := _object(line))]


def _objects(found: object) -> list[dict[str, Any]]:
    """The objects of a list."""
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _inside(found: object, *keys: str) -> Any:  # noqa: ANN401 - foreign JSON
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40 else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _exit_fault(ended: Ended) -> str:
    return "" if ended.exit in (0, None) else f"exit {ended.exit}"


def read_goose(ended: Ended) -> Said:
    """Three lines of greeting, then one object. With a server that only fails it exits 0 and says `completed`."""
    at = ended.stdout.find("{")
    found = _object(ended.stdout[at:]) if at >= 0 else {}
    messages = found.get("messages")
    last = _goose_text(messages[-1]) if isinstance(messages, list) and messages else ""
    usage = found.get("metadata")
    fault = _exit_fault(ended)
    if not found:
        fault = fault or "it said nothing that can be read"
    elif last.startswith(("Ran into this error", "I've reached the maximum")):
        fault = last
    elif _inside(usage, "total_tokens") is None:
        fault = fault or "no answer of a model"
    return Said(fault, last, _count(_inside(usage, "input_tokens")), _count(_inside(usage, "output_tokens")))


def _goose_text(message: object) -> str:
    parts = _inside(message, "content")
    return "".join(_text(_inside(part, "text")) for part in parts) if isinstance(parts, list) else _text(parts)


def read_aider(ended: Ended) -> Said:
    """It exits 0 whatever its server says; the exact counts are in its analytics file, which never leaves the machine."""
    sent = [found["properties"] for found in _lines(ended.files.get("analytics.jsonl", "")) if _sent(found)]
    lines = [line.strip() for line in ended.stdout.splitlines() if line.strip()]
    fault = next((line for line in lines if line.startswith("litellm.") and "Error" in line), "")
    if not fault and not any(line.startswith("Applied edit to") for line in lines):
        fault = _exit_fault(ended) or "no edit was applied"
    last = next((line for line in reversed(lines) if not line.startswith(("Tokens:", "Applied edit", "You can skip"))), "")
    return Said(
        fault, last, sum(_count(s.get("prompt_tokens")) for s in sent), sum(_count(s.get("completion_tokens")) for s in sent)
    )


def _sent(found: Mapping[str, Any]) -> bool:
    return found.get("event") == "message_send" and isinstance(found.get("properties"), dict)


def read_claude(ended: Ended) -> Said:
    """One object. `subtype` says success even where `is_error` is true; side requests are in `modelUsage` alone."""
    found = _object(ended.stdout.strip().splitlines()[-1]) if ended.stdout.strip() else {}
    models = _objects(list(used.values()) if isinstance(used := found.get("modelUsage"), dict) else None)
    last = _text(found.get("result"))
    fault = ""
    if found.get("is_error") is not False:
        fault = last or _text(found.get("subtype")) or _exit_fault(ended) or "it said nothing that can be read"
    elif found.get("permission_denials"):
        fault = "some of its tool calls were not allowed"
    read = ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    return Said(
        fault,
        last,
        sum(_count(one.get(key)) for one in models for key in read),
        sum(_count(m.get("outputTokens")) for m in models),
    )


def read_codex(ended: Ended) -> Said:
    events = _lines(ended.stdout)
    turns = [one["usage"] for one in events if one.get("type") == "turn.completed" and isinstance(one.get("usage"), dict)]
    failed = next((_inside(one, "error", "message") for one in events if one.get("type") == "turn.failed"), None)
    fault = _text(failed) or _exit_fault(ended) or ("" if turns else "no turn was completed")
    last = ended.files.get("last.txt", "") or next(
        (_text(_inside(one, "item", "text")) for one in reversed(events) if _inside(one, "item", "type") == "agent_message"),
        "",
    )
    return Said(
        fault, last, sum(_count(u.get("input_tokens")) for u in turns), sum(_count(u.get("output_tokens")) for u in turns)
    )


def read_opencode(ended: Ended) -> Said:
    """A line an event. Its input leaves out what a cache held."""
    events = _lines(ended.stdout)
    steps = [part for one in events if one.get("type") == "step_finish" and isinstance(part := one.get("part"), dict)]
    error = next((one.get("error") for one in events if one.get("type") == "error"), None)
    fault = ""
    if error is not None:
        fault = _text(_inside(error, "data", "message")) or _text(_inside(error, "name")) or "an error"
    elif not steps or steps[-1].get("reason") != "stop":
        fault = "it did not come to an end"
    last = next((_text(_inside(one, "part", "text")) for one in reversed(events) if one.get("type") == "text"), "")
    spent = [_inside(part, "tokens") for part in steps]
    read = sum(
        _count(_inside(t, "input")) + _count(_inside(t, "cache", "read")) + _count(_inside(t, "cache", "write"))
        for t in spent
    )
    wrote = sum(_count(_inside(t, "output")) + _count(_inside(t, "reasoning")) for t in spent)
    return Said(fault or _exit_fault(ended), last, read, wrote)


def read_mini(ended: Ended) -> Said:
    found = _object(ended.files.get("traj.json", ""))
    status = _text(_inside(found, "info", "exit_status"))
    messages = _objects(found.get("messages"))
    said = [one for one in messages if one.get("role") == "assistant"]
    spent = [_inside(one, "extra", "response", "usage") for one in said]
    fault = "" if status == "Submitted" else status or _exit_fault(ended) or "it left no record"
    last = _text(said[-1].get("content")) if said else ""
    return Said(
        fault,
        last,
        sum(_count(_inside(u, "prompt_tokens")) for u in spent),
        sum(_count(_inside(u, "completion_tokens")) for u in spent),
    )


def read_custom(ended: Ended) -> Said:
    lines = ended.stdout.strip().splitlines() or ended.stderr.strip().splitlines()
    return Said(_exit_fault(ended), lines[-1] if lines else "")
