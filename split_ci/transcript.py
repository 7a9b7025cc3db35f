"""Session files of coding agents, line by line: what each call of a model cost, and what it was for.

Two shapes are known: Claude Code's (a line a content block, its message's usage on each) and Codex's rollouts (items,
then a `token_count` with sums). Only lengths, names of tools and paths of files are kept, never what was said.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from split_ci.ports import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KINDS = ("reading", "thinking", "running", "typing")
TYPING = {
    "edit", "write", "multiedit", "notebookedit", "apply_patch", "str_replace_editor", "str_replace_based_edit_tool",
    "create_file", "write_file", "edit_file", "replace",
}  # fmt: skip
READING = {
    "read", "grep", "glob", "ls", "notebookread", "webfetch", "websearch", "read_file", "list_dir", "list_directory",
    "grep_files", "search", "view", "view_image", "toolsearch",
}  # fmt: skip
THINKING = {"todowrite", "task", "agent", "exitplanmode", "update_plan", "askuserquestion", "skill"}
FILE_KEYS = ("file_path", "notebook_path", "path")
PATCH_MARKS = ("*** Update File: ", "*** Add File: ", "*** Delete File: ")
OPEN_MESSAGES = 64  # messages whose lines may still come
SEEN_MESSAGES = 200_000
MAX_FILES = 64  # of one call
MAX_NAME = 200
MOST_TOKENS = 100_000_000  # of one call: more is a broken line


class Call(NamedTuple):
    """One call of a model: its tokens, the characters that it wrote by kind, and the files that it typed in."""

    model: str
    usage: Usage
    written: Mapping[str, int]
    files: tuple[str, ...] = ()
    edits: int = 0  # tool calls that typed

    def share(self, kind: str) -> float:
        """How much of the call was for a kind, by the characters that it wrote: an estimate. Silence is thinking."""
        everything = sum(self.written.values())
        return self.written.get(kind, 0) / everything if everything else float(kind == "thinking")


class Broken(Exception):
    """A line that is not what it should be."""


class Open:
    """A message whose lines are being read."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.usage = Usage()
        self.written: dict[str, int] = {}
        self.files: dict[str, None] = {}
        self.edits = 0
        self.blocks: set[int] = set()

    def add(self, kind: str, characters: int) -> None:
        self.written[kind] = self.written.get(kind, 0) + characters

    def typed(self, name: str) -> None:
        if len(self.files) < MAX_FILES:
            self.files[name[:MAX_NAME]] = None

    def close(self) -> Call:
        return Call(self.model, self.usage, dict(self.written), tuple(self.files), self.edits)


class Transcripts:
    """Reads lines into calls. What was told before, in this file or another, is not told again: sessions are continued
    in new files, and hold copies of the old ones.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._open: dict[str, Open] = {}
        self._rollout = Open("")
        self._totals = Usage()

    def start(self) -> Iterator[Call]:
        """Begins a file; the calls that the one before left open."""
        yield from self.end()
        self._rollout, self._totals = Open(""), Usage()

    def line(self, line: bytes | None) -> Iterator[Call]:
        """The calls that a line ends; None is one that was too long. Raises Broken."""
        if line is None:
            raise Broken
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Broken from error
        if not isinstance(value, dict):
            raise Broken
        if isinstance(value.get("payload"), dict):
            yield from self._codex(str(value.get("type")), value["payload"])
        elif value.get("type") == "assistant" and isinstance(value.get("message"), dict):
            yield from self._claude(value["message"])

    def end(self) -> Iterator[Call]:
        """The calls that are open at the end of a file."""
        for name in list(self._open):
            yield from self._close(name)

    # --- Claude Code

    def _claude(self, message: Mapping[str, Any]) -> Iterator[Call]:
        name, model, usage = message.get("id"), message.get("model"), message.get("usage")
        if not isinstance(name, str) or not isinstance(model, str) or not isinstance(usage, dict):
            raise Broken
        if model.startswith("<") or hash(name) in self._seen:
            return
        now = _claude_usage(usage)
        growing = self._open.pop(name, None) or Open(model[:MAX_NAME])
        self._open[name] = growing
        growing.usage = _larger(growing.usage, now)  # a message is told while it grows
        content = message.get("content")
        for block in content if isinstance(content, list) else []:
            if isinstance(block, dict):
                _claude_block(growing, block)
        if len(self._open) > OPEN_MESSAGES:
            yield from self._close(next(iter(self._open)))

    def _close(self, name: str) -> Iterator[Call]:
        if len(self._seen) >= SEEN_MESSAGES:
            self._seen.clear()
        self._seen.add(hash(name))
        yield self._open.pop(name).close()

    # --- Codex

    def _codex(self, kind: str, payload: Mapping[str, Any]) -> Iterator[Call]:
        if kind == "turn_context" and isinstance(payload.get("model"), str):
            self._rollout.model = payload["model"][:MAX_NAME]
        elif kind == "response_item":
            _codex_item(self._rollout, payload)
        elif kind == "event_msg" and payload.get("type") == "token_count" and isinstance(payload.get("info"), dict):
            totals = _codex_usage(payload["info"].get("total_token_usage"))
            last = _less(totals, self._totals)
            if last.input or last.output:  # the same sums are told again whenever a limit is looked at
                self._totals = totals
                done, self._rollout = self._rollout, Open(self._rollout.model)
                done.usage = last
                done.model = done.model or "unknown"
                yield done.close()


def _count(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_TOKENS:
        raise Broken
    return value


def _claude_usage(usage: Mapping[str, Any]) -> Usage:
    cached = _count(usage.get("cache_read_input_tokens"))
    fresh = _count(usage.get("input_tokens")) + _count(usage.get("cache_creation_input_tokens"))
    return Usage(1, fresh + cached, cached, _count(usage.get("output_tokens")), None)


def _larger(one: Usage, other: Usage) -> Usage:
    most = (max(one.input, other.input), max(one.cached, other.cached), max(one.output, other.output))
    return Usage(1, *most, None)


def _claude_block(message: Open, block: Mapping[str, Any]) -> None:
    kind, text = block.get("type"), block.get("text") or block.get("thinking")
    key = hash((kind, block.get("id") if kind == "tool_use" else text)) if _plain(block, text) else 0
    if not key or key in message.blocks:
        return
    message.blocks.add(key)
    if kind == "tool_use":
        given = block.get("input") if isinstance(block.get("input"), dict) else {}
        _tool(message, str(block.get("name")), given or {})
    elif isinstance(text, str):
        message.add("thinking", len(text))


def _plain(block: Mapping[str, Any], text: object) -> bool:
    return isinstance(block.get("id"), str) if block.get("type") == "tool_use" else isinstance(text, str)


def _tool(message: Open, name: str, given: Mapping[str, Any]) -> None:
    """One use of a tool: how much was written into it, and for what."""
    kind = kind_of(name)
    message.add(kind, _length(given))
    if kind == "typing":
        message.edits += 1
        named = next((given[key] for key in FILE_KEYS if isinstance(given.get(key), str)), None)
        if named:
            message.typed(named)


def kind_of(tool: str) -> str:
    """What a tool is for: a command may read, run or write, and counts as running."""
    name = tool.casefold().rpartition("__")[2]
    for kind, names in (("typing", TYPING), ("reading", READING), ("thinking", THINKING)):
        if name in names:
            return kind
    return "running"


def _length(value: object, depth: int = 0) -> int:
    """The characters of all texts in a value."""
    if isinstance(value, str):
        return len(value)
    if depth > 8:
        return 0
    if isinstance(value, dict):
        return sum(_length(each, depth + 1) for each in value.values())
    return sum(_length(each, depth + 1) for each in value) if isinstance(value, list) else 0


def _codex_item(message: Open, item: Mapping[str, Any]) -> None:
    kind = item.get("type")
    if kind in ("function_call", "custom_tool_call", "local_shell_call"):
        text = item.get("arguments") if kind == "function_call" else item.get("input")
        text = text if isinstance(text, str) else ""
        name = str(item.get("name") or "shell")
        if kind_of(name) == "typing" or "*** Begin Patch" in text:
            message.add("typing", len(text))
            message.edits += 1
            for path in patched(text):
                message.typed(path)
        else:
            message.add(kind_of(name), len(text) or _length(item.get("action")))
    elif kind == "reasoning" or (kind == "message" and item.get("role") == "assistant"):
        message.add("thinking", _length(item.get("summary")) + _length(item.get("content")))


def patched(text: str) -> list[str]:
    """The files that a patch names; it may stand in a command, where line ends are escaped."""
    lines = text.replace("\\n", "\n").split("\n")
    return [line[len(mark) :].strip() for line in lines for mark in PATCH_MARKS if line.startswith(mark)]


def _codex_usage(totals: object) -> Usage:
    if not isinstance(totals, dict):
        raise Broken
    tokens, cached = _sum(totals.get("input_tokens")), _sum(totals.get("cached_input_tokens"))
    return Usage(1, tokens, cached, _sum(totals.get("output_tokens")), None)


def _sum(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1000 * MOST_TOKENS:
        raise Broken
    return value


def _less(now: Usage, before: Usage) -> Usage:
    """What was added since; where a session began to count anew, all of it."""
    if now.input < before.input or now.output < before.output:
        return now
    cached = max(0, now.cached - before.cached)
    return Usage(1, now.input - before.input, cached, now.output - before.output, None)
