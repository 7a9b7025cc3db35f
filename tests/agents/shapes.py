"""What each agent prints and leaves, as recorded from real runs against a scripted server, shortened: the fakes replay it.

Per agent and mood: the exit code, standard output, and files of the run's folder. Two requests of 1200 + 34 tokens each.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

GIVE_UP = "I can not do this task."


class Shape(NamedTuple):
    code: int
    stdout: str
    files: Mapping[str, str] = {}


def lines(*values: object) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def goose(last: str, total: int | None = 2468) -> str:
    usage = {"total_tokens": total, "input_tokens": total and 2400, "output_tokens": total and 68, "status": "completed"}
    said = {"messages": [{"role": "assistant", "content": [{"type": "text", "text": last}]}], "metadata": usage}
    return "starting session\n    provider: openai\n    model: m\n" + json.dumps(said, indent=2) + "\n"


def aider(*said: str, sent: bool = True) -> Shape:
    counts = {"prompt_tokens": 2400, "completion_tokens": 68, "total_tokens": 2468, "cost": 0}
    log = lines(
        {"event": "launched", "properties": {}}, *([{"event": "message_send", "properties": counts}] if sent else [])
    )
    return Shape(0, "Aider v0.86.2\n" + "\n".join(said) + "\nTokens: 2.4k sent, 68 received.\n", {"analytics.jsonl": log})


def claude(code: int, last: str, *, error: bool, subtype: str = "success", denied: int = 0) -> Shape:
    models = (
        {}
        if error and subtype == "success"
        else {"m": {"inputTokens": 2000, "cacheReadInputTokens": 400, "outputTokens": 68}}
    )
    said = {
        "type": "result", "subtype": subtype, "is_error": error, "num_turns": 2, "result": last, "modelUsage": models,
        "total_cost_usd": 0.1, "permission_denials": [{"tool_name": "Bash"}] * denied,
    }  # fmt: skip
    return Shape(code, json.dumps(said) + "\n")


def codex(code: int, *events: object, last: str = "") -> Shape:
    start = ({"type": "thread.started", "thread_id": "1"}, {"type": "turn.started"})
    return Shape(code, lines(*start, *events), {"last.txt": last})


CODEX_USAGE = {"input_tokens": 2400, "cached_input_tokens": 400, "output_tokens": 68, "reasoning_output_tokens": 0}
CODEX_HARMLESS = {"type": "item.completed", "item": {"type": "error", "message": "Model metadata for m not found."}}


def message(text: str) -> object:
    return {"type": "item.completed", "item": {"type": "agent_message", "text": text}}


def opencode(code: int, *events: object) -> Shape:
    return Shape(code, lines({"type": "step_start", "part": {}}, *events))


def step(reason: str) -> object:
    tokens = {"total": 1234, "input": 1000, "output": 34, "reasoning": 0, "cache": {"read": 200, "write": 0}}
    return {"type": "step_finish", "part": {"reason": reason, "tokens": tokens, "cost": 0}}


def text(said: str) -> object:
    return {"type": "text", "part": {"text": said}}


OPENCODE_ERROR = {"type": "error", "error": {"name": "APIError", "data": {"statusCode": 500, "message": "it is a 500"}}}


def mini(status: str, *said: str, code: int = 0) -> Shape:
    usage = {"prompt_tokens": 1200, "completion_tokens": 34}
    messages = [{"role": "assistant", "content": one, "extra": {"response": {"usage": usage}}} for one in said]
    record = {"info": {"exit_status": status, "model_stats": {"api_calls": len(said)}}, "messages": messages}
    return Shape(code, "mini-swe-agent\n", {"traj.json": json.dumps(record)})


SHAPES: dict[str, dict[str, Shape]] = {
    "goose": {
        "success": Shape(0, goose("Done.")),
        "error": Shape(0, goose("Ran into this error: Server error: it is a 500.", None)),
        "giveup": Shape(0, goose(GIVE_UP)),
        "limit": Shape(0, goose("I've reached the maximum number of actions I can do without user input.")),
    },
    "aider": {
        "success": aider("```python\nprint(2)\n```", "Applied edit to docs/app.md"),
        "error": aider("litellm.InternalServerError: OpenAIException - it is a 500", sent=False),
        "giveup": aider(GIVE_UP),
        "limit": aider("Model m has hit a token limit!"),
    },
    "claude": {
        "success": claude(0, "Done.", error=False),
        "error": claude(1, "API Error: 500 it is a 500", error=True),
        "giveup": claude(0, GIVE_UP, error=False),
        "limit": claude(1, "", error=True, subtype="error_max_turns"),
    },
    "codex": {
        "success": codex(
            0, CODEX_HARMLESS, message("Done."), {"type": "turn.completed", "usage": CODEX_USAGE}, last="Done."
        ),
        "error": codex(1, CODEX_HARMLESS, {"type": "turn.failed", "error": {"message": "high demand"}}),
        "giveup": codex(0, message(GIVE_UP), {"type": "turn.completed", "usage": CODEX_USAGE}, last=GIVE_UP),
        "limit": codex(1),
    },
    "opencode": {
        "success": opencode(0, step("tool-calls"), text("Done."), step("stop")),
        "error": opencode(1, OPENCODE_ERROR),
        "giveup": opencode(0, step("tool-calls"), text(GIVE_UP), step("stop")),
        "limit": opencode(0, step("tool-calls"), step("tool-calls")),
    },
    "mini-swe-agent": {
        "success": mini("Submitted", "I do it.", "Done."),
        "error": mini("InternalServerError", code=1),
        "giveup": mini("RepeatedFormatError", GIVE_UP, GIVE_UP),
        "limit": mini("LimitsExceeded", "I do it.", "I do it."),
    },
}
