"""Coding agents, a row each: how it is started without a screen, how it reaches its model, and how to read what it says.

`docs/agents.md` tells where each figure and pitfall comes from. A new agent is a row.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CONTEXT_TOKENS = 128_000
ANSWER_TOKENS = 16_384
NAME = "split"  # of the one provider that an agent is told of


class Place(NamedTuple):
    """One run, as its row is told of it. Paths are those that the agent sees; `files` may be written, `reads` only read."""

    url: str  # of the meter, without `/v1`
    key: str  # the placeholder
    model: str
    brief: str
    brief_file: str
    run: str  # a folder for this run alone
    home: str
    id: str  # the spec's
    turns: int
    seconds: int
    files: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    fenced: bool = True  # in a sandbox of ours


class Ended(NamedTuple):
    """How an agent's process ended. `exit` None: it was ended. `files` are those that its row collects, by name."""

    exit: int | None
    stdout: str
    stderr: str = ""
    files: Mapping[str, str] = {}


class Said(NamedTuple):
    """What an agent says of itself; never believed, only compared. `input` and `output` are tokens, None where it tells none."""

    fault: str = ""  # why it says that it failed
    last: str = ""  # its last words
    input: int | None = None
    output: int | None = None


class Agent(NamedTuple):
    """A row. `wires` are the APIs that it can speak; `files` are written into the run's folder before it starts."""

    name: str
    program: str
    wires: tuple[str, ...]
    argv: Callable[[Place], list[str]]
    env: Callable[[Place], dict[str, str]]
    read: Callable[[Ended], Said]
    files: Callable[[Place], dict[str, str]] = lambda _: {}
    collects: tuple[str, ...] = ()  # files of the run's folder that `read` looks at
    stdin: bool = False  # the brief comes on standard input


# --- what several rows need


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _lines(text: str) -> list[dict[str, Any]]:
    """The objects of JSON lines; other lines are passed over."""
    return [found for line in text.splitlines() if line.lstrip().startswith("{") and (found := _object(line))]


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


# --- goose


def _goose_argv(at: Place) -> list[str]:
    return [
        "goose", "run", "--no-session", "--output-format", "json", "--no-profile", "--with-builtin", "developer",
        "--max-turns", str(at.turns), "-i", at.brief_file,
    ]  # fmt: skip


def _goose_env(at: Place) -> dict[str, str]:
    return {
        "GOOSE_PROVIDER": "openai", "GOOSE_MODEL": at.model, "OPENAI_HOST": at.url, "OPENAI_API_KEY": at.key,
        "GOOSE_MODE": "auto", "GOOSE_DISABLE_KEYRING": "1", "GOOSE_TELEMETRY_ENABLED": "false",
        "GOOSE_DISABLE_SESSION_NAMING": "true", "GOOSE_PROVIDER_SKIP_BACKOFF": "true",
        "GOOSE_CONTEXT_LIMIT": str(CONTEXT_TOKENS),
    }  # fmt: skip


def _goose_read(ended: Ended) -> Said:
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


# --- aider


def _aider_argv(at: Place) -> list[str]:
    named = [word for path in at.reads for word in ("--read", path)]
    return [
        "aider", "--message-file", at.brief_file, "--model", f"openai/{at.model}", "--edit-format", "diff", "--yes-always",
        "--no-auto-commits", "--no-dirty-commits", "--no-gitignore", "--no-stream", "--no-pretty", "--map-tokens", "0",
        "--no-check-update", "--analytics-disable", "--analytics-log", f"{at.run}/analytics.jsonl",
        "--model-metadata-file", f"{at.run}/meta.json", "--no-show-model-warnings", "--no-show-release-notes",
        "--no-detect-urls", "--no-suggest-shell-commands", "--input-history-file", f"{at.run}/inputs",
        "--chat-history-file", f"{at.run}/chat.md", "--llm-history-file", f"{at.run}/llm.txt", *named, *at.files,
    ]  # fmt: skip


def _aider_env(at: Place) -> dict[str, str]:
    return {"OPENAI_API_BASE": f"{at.url}/v1", "OPENAI_API_KEY": at.key, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


def _aider_files(at: Place) -> dict[str, str]:
    """With these it looks up no prices."""
    known = {
        "max_input_tokens": CONTEXT_TOKENS, "max_output_tokens": ANSWER_TOKENS, "input_cost_per_token": 0.0,
        "output_cost_per_token": 0.0, "litellm_provider": "openai", "mode": "chat",
    }  # fmt: skip
    return {"meta.json": json.dumps({f"openai/{at.model}": known})}


def _aider_read(ended: Ended) -> Said:
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


# --- Claude Code

CLAUDE_TOOLS = "Read,Edit,Write,Bash,Grep,Glob"


def _claude_argv(at: Place) -> list[str]:
    return [
        "claude", "-p", "--output-format", "json", "--model", at.model, "--permission-mode", "dontAsk",
        "--allowedTools", CLAUDE_TOOLS, "--tools", CLAUDE_TOOLS, "--max-turns", str(at.turns),
        "--no-session-persistence", "--strict-mcp-config", "--disable-slash-commands", "--setting-sources", "",
    ]  # fmt: skip


def _claude_env(at: Place) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": at.url, "ANTHROPIC_API_KEY": at.key, "ANTHROPIC_SMALL_FAST_MODEL": at.model,
        "CLAUDE_CONFIG_DIR": f"{at.home}/.claude", "CLAUDE_CODE_MAX_RETRIES": "2", "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(ANSWER_TOKENS),
    }  # fmt: skip


def _claude_read(ended: Ended) -> Said:
    """One object. `subtype` says success even where `is_error` is true; side requests are in `modelUsage` alone."""
    found = _object(ended.stdout.strip().splitlines()[-1]) if ended.stdout.strip() else {}
    models = [one for one in (found.get("modelUsage") or {}).values() if isinstance(one, dict)] if found else []
    last = _text(found.get("result"))
    fault = ""
    if found.get("is_error") is not False:
        fault = last or _text(found.get("subtype")) or _exit_fault(ended) or "it said nothing that can be read"
    elif found.get("permission_denials"):
        fault = f"{len(found['permission_denials'])} of its tool calls were not allowed"
    read = ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    return Said(
        fault,
        last,
        sum(_count(one.get(key)) for one in models for key in read),
        sum(_count(m.get("outputTokens")) for m in models),
    )


# --- Codex


def _codex_argv(at: Place) -> list[str]:
    provider = (
        f'{{name="{NAME}", base_url="{at.url}/v1", env_key="SPLIT_KEY", wire_api="responses",'
        " request_max_retries=2, stream_max_retries=1}"
    )
    settings = (
        "skills.bundled.enabled=false", "sandbox_workspace_write.exclude_slash_tmp=true", "analytics.enabled=false",
        "check_for_update_on_startup=false", 'web_search="disabled"', "project_doc_max_bytes=0",
        f'model_provider="{NAME}"', f"model_providers.{NAME}={provider}", f"model_context_window={CONTEXT_TOKENS}",
    )  # fmt: skip
    features = ("plugins", "apps", "multi_agent", "goals", "image_generation", "skill_search")
    return [
        "codex", "exec", "--json", "--color", "never", "--skip-git-repo-check",
        "--sandbox", "danger-full-access" if at.fenced else "workspace-write",  # ours holds it, and one in one doesn't start
        "--ephemeral", "--ignore-user-config", "--ignore-rules",
        *(word for one in features for word in ("--disable", one)), *(word for one in settings for word in ("-c", one)),
        "-m", at.model, "-o", f"{at.run}/last.txt", "-",
    ]  # fmt: skip


def _codex_env(at: Place) -> dict[str, str]:
    return {"SPLIT_KEY": at.key, "CODEX_HOME": f"{at.run}/codex"}


def _codex_read(ended: Ended) -> Said:
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


# --- OpenCode


def _opencode_argv(at: Place) -> list[str]:
    return ["opencode", "run", "--format", "json", "--pure", "--title", at.id, "-m", f"{NAME}/{at.model}"]


def _opencode_env(at: Place) -> dict[str, str]:
    model = f"{NAME}/{at.model}"
    denied = ("webfetch", "websearch", "external_directory", "task", "skill", "todowrite", "question")
    limits = {"limit": {"context": CONTEXT_TOKENS, "output": ANSWER_TOKENS}, "cost": {"input": 0, "output": 0}}
    settings = {
        "autoupdate": False, "share": "disabled", "snapshot": False, "lsp": False, "formatter": False, "model": model,
        "small_model": model, "enabled_providers": [NAME],
        "provider": {NAME: {
            "npm": "@ai-sdk/openai-compatible", "options": {"baseURL": f"{at.url}/v1", "apiKey": at.key},
            "models": {at.model: limits},
        }},
        "permission": {"edit": "allow", "bash": "allow", **dict.fromkeys(denied, "deny")},
    }  # fmt: skip
    switches = (
        "AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "DEFAULT_PLUGINS", "PROJECT_CONFIG", "CLAUDE_CODE", "EXTERNAL_SKILLS",
    )  # fmt: skip
    return {
        "OPENCODE_CONFIG_CONTENT": json.dumps(settings), "OPENCODE_EXPERIMENTAL_DISABLE_FILEWATCHER": "1",
        **{f"OPENCODE_DISABLE_{name}": "1" for name in switches},
    }  # fmt: skip


def _opencode_read(ended: Ended) -> Said:
    """A line an event. Its input leaves out what a cache held."""
    events = _lines(ended.stdout)
    steps = [part for one in events if one.get("type") == "step_finish" and isinstance(part := one.get("part"), dict)]
    error = next((one.get("error") for one in events if one.get("type") == "error"), None)
    fault = ""
    if error is not None:
        fault = _text(_inside(error, "data", "message")) or _text(_inside(error, "name")) or "an error"
    elif not steps or steps[-1].get("reason") not in ("stop", None):
        fault = "it did not come to an end"
    last = next((_text(_inside(one, "part", "text")) for one in reversed(events) if one.get("type") == "text"), "")
    spent = [_inside(part, "tokens") for part in steps]
    read = sum(
        _count(_inside(t, "input")) + _count(_inside(t, "cache", "read")) + _count(_inside(t, "cache", "write"))
        for t in spent
    )
    wrote = sum(_count(_inside(t, "output")) + _count(_inside(t, "reasoning")) for t in spent)
    return Said(fault or _exit_fault(ended), last, read, wrote)


# --- mini-swe-agent

MINI_BRIEF = 96 * 1024  # bytes of one argument; a longer brief is named by its file


def _mini_argv(at: Place) -> list[str]:
    fits = len(at.brief.encode()) <= MINI_BRIEF
    return [
        "mini", "-y", "--exit-immediately", "-t", at.brief if fits else f"Do what the file {at.brief_file} says. Read all of it.",
        "-m", f"openai/{at.model}", "-o", f"{at.run}/traj.json", "-l", "0", "-c", "mini.yaml",
        "-c", f"agent.step_limit={at.turns}", "-c", f"agent.wall_time_limit_seconds={at.seconds}",
    ]  # fmt: skip


def _mini_env(at: Place) -> dict[str, str]:
    return {
        "OPENAI_API_BASE": f"{at.url}/v1", "OPENAI_API_KEY": at.key, "MSWEA_CONFIGURED": "true",
        "MSWEA_COST_TRACKING": "ignore_errors", "MSWEA_GLOBAL_CONFIG_DIR": f"{at.run}/mini", "MSWEA_SILENT_STARTUP": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True", "MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT": "2",
    }  # fmt: skip


def _mini_read(ended: Ended) -> Said:
    found = _object(ended.files.get("traj.json", ""))
    status = _text(_inside(found, "info", "exit_status"))
    messages = [one for one in found.get("messages") or () if isinstance(one, dict)]
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


# --- any other command


def _custom_read(ended: Ended) -> Said:
    lines = ended.stdout.strip().splitlines() or ended.stderr.strip().splitlines()
    return Said(_exit_fault(ended), lines[-1] if lines else "")


def _custom_env(at: Place) -> dict[str, str]:
    """What most programs look for, for both kinds of API."""
    return {
        "OPENAI_BASE_URL": f"{at.url}/v1", "OPENAI_API_BASE": f"{at.url}/v1", "OPENAI_API_KEY": at.key,
        "ANTHROPIC_BASE_URL": at.url, "ANTHROPIC_API_KEY": at.key, "SPLIT_CI_MODEL": at.model, "SPLIT_CI_BRIEF": at.brief_file,
    }  # fmt: skip


WORDS = ("url", "key", "model", "brief", "brief_file", "run", "home", "id", "turns", "seconds")


def _filled(word: str, at: Place) -> str:
    """A word of a configured command, with `{url}` and its kin replaced, once."""
    import re  # noqa: PLC0415

    return re.sub(r"\{(%s)\}" % "|".join(WORDS), lambda found: str(getattr(at, found[1])), word)


def custom(name: str, command: Sequence[str], reads_like: str = "") -> Agent:
    """The row of a configured command. A known name keeps its row's variables, files and way to be read."""
    known = ROWS.get(name) or ROWS.get(reads_like)
    base = Agent(name, command[0], ("chat", "responses", "messages"), lambda _: [], _custom_env, _custom_read)
    if known is not None:
        base = known if name in ROWS else base._replace(read=known.read, collects=known.collects)
    given = any("{brief" in word for word in command)
    return base._replace(
        name=name, program=command[0], argv=lambda at: [_filled(word, at) for word in command], stdin=not given
    )


ROWS: Mapping[str, Agent] = {
    row.name: row
    for row in (
        Agent("goose", "goose", ("chat",), _goose_argv, _goose_env, _goose_read),
        Agent("aider", "aider", ("chat",), _aider_argv, _aider_env, _aider_read, _aider_files, ("analytics.jsonl",)),
        Agent("claude", "claude", ("messages",), _claude_argv, _claude_env, _claude_read, stdin=True),
        Agent(
            "codex", "codex", ("responses",), _codex_argv, _codex_env, _codex_read, lambda _: {"codex/.keep": ""}, ("last.txt",),
            stdin=True,
        ),
        Agent("opencode", "opencode", ("chat",), _opencode_argv, _opencode_env, _opencode_read, stdin=True),
        Agent("mini-swe-agent", "mini", ("chat",), _mini_argv, _mini_env, _mini_read, collects=("traj.json",)),
    )
}  # fmt: skip
