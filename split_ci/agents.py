"""Coding agents, a row each: how it is started without a screen, how it reaches its model, and how to read what it says.

`docs/agents.md` tells where each figure and pitfall comes from. A new agent is a row.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from split_ci import agent_said

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CONTEXT_TOKENS = 128_000
ANSWER_TOKENS = 16_384
NAME = "split"  # of the one provider that an agent is told of


class Place(NamedTuple):
    """One run, as its row is told of it. Paths are as the agent sees them; `files` may be written, `reads` only read."""

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


class Agent(NamedTuple):
    """A row. `wires` are the APIs that it can speak; `files` are written into the run's folder before it starts."""

    name: str
    program: str
    wires: tuple[str, ...]
    argv: Callable[[Place], list[str]]
    env: Callable[[Place], dict[str, str]]
    read: Callable[[agent_said.Ended], agent_said.Said]
    files: Callable[[Place], dict[str, str]] = lambda _: {}
    collects: tuple[str, ...] = ()  # files of the run's folder that `read` looks at
    stdin: bool = False  # the brief comes on standard input


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


# --- mini-swe-agent

MINI_BRIEF = 96 * 1024  # bytes of one argument; a longer brief is named by its file


def _mini_argv(at: Place) -> list[str]:
    fits = len(at.brief.encode()) <= MINI_BRIEF
    task = at.brief if fits else f"Do what the file {at.brief_file} says. Read all of it."
    return [
        "mini", "-y", "--exit-immediately", "-t", task,
        "-m", f"openai/{at.model}", "-o", f"{at.run}/traj.json", "-l", "0", "-c", "mini.yaml",
        "-c", f"agent.step_limit={at.turns}", "-c", f"agent.wall_time_limit_seconds={at.seconds}",
    ]  # fmt: skip


def _mini_env(at: Place) -> dict[str, str]:
    return {
        "OPENAI_API_BASE": f"{at.url}/v1", "OPENAI_API_KEY": at.key, "MSWEA_CONFIGURED": "true",
        "MSWEA_COST_TRACKING": "ignore_errors", "MSWEA_GLOBAL_CONFIG_DIR": f"{at.run}/mini", "MSWEA_SILENT_STARTUP": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True", "MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT": "2",
    }  # fmt: skip


# --- any other command


def _custom_env(at: Place) -> dict[str, str]:
    """What most programs look for, for both kinds of API."""
    return {
        "OPENAI_BASE_URL": f"{at.url}/v1", "OPENAI_API_BASE": f"{at.url}/v1", "OPENAI_API_KEY": at.key,
        "ANTHROPIC_BASE_URL": at.url, "ANTHROPIC_API_KEY": at.key, "SPLIT_CI_MODEL": at.model,
        "SPLIT_CI_BRIEF": at.brief_file,
    }  # fmt: skip


WORDS = ("url", "key", "model", "brief", "brief_file", "run", "home", "id", "turns", "seconds")


def _filled(word: str, at: Place) -> str:
    """A word of a configured command, with `{url}` and its kin replaced, once."""
    import re  # noqa: PLC0415

    return re.sub(r"\{(" + "|".join(WORDS) + r")\}", lambda found: str(getattr(at, found[1])), word)


def custom(name: str, command: Sequence[str], reads_like: str = "") -> Agent:
    """The row of a configured command. A known name keeps its row's variables, files and way to be read."""
    known = ROWS.get(name) or ROWS.get(reads_like)
    base = Agent(name, command[0], ("chat", "responses", "messages"), lambda _: [], _custom_env, agent_said.read_custom)
    if known is not None:
        base = known if name in ROWS else base._replace(read=known.read, collects=known.collects)
    given = any("{brief" in word for word in command)
    return base._replace(
        name=name, program=command[0], argv=lambda at: [_filled(word, at) for word in command], stdin=not given
    )


ROWS: Mapping[str, Agent] = {
    row.name: row
    for row in (
        Agent("goose", "goose", ("chat",), _goose_argv, _goose_env, agent_said.read_goose),
        Agent(
            "aider", "aider", ("chat",), _aider_argv, _aider_env, agent_said.read_aider, _aider_files, ("analytics.jsonl",)
        ),
        Agent("claude", "claude", ("messages",), _claude_argv, _claude_env, agent_said.read_claude, stdin=True),
        Agent(
            "codex", "codex", ("responses",), _codex_argv, _codex_env, agent_said.read_codex,
            lambda _: {"codex/.keep": ""}, ("last.txt",), stdin=True,
        ),
        Agent("opencode", "opencode", ("chat",), _opencode_argv, _opencode_env, agent_said.read_opencode, stdin=True),
        Agent("mini-swe-agent", "mini", ("chat",), _mini_argv, _mini_env, agent_said.read_mini, collects=("traj.json",)),
    )
}  # fmt: skip
