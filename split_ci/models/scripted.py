"""Recorded replies instead of a model: for tests and for the demo. Every place that shows them says so.

A file of replies, in YAML or JSON, looks like this; the first entry that fits answers, every time the same:

    replies:
      - match: {role: implementer, spec: merge-lint, round: 1, turn: 1, prompt: "regex that the last message holds"}
        text: |
          ...
        usage: {input: 900, cached: 0, output: 120, usd: 0.0004}
        stop: end          # or length, refusal
        model: small-1     # the id that answered when it was recorded

All fields of `match` may be left out. `fail: words` in place of `text` is a call that fails.
"""

from __future__ import annotations

import os
import re
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from split_ci.caps import CallFailed
from split_ci.errors import UsageError, WorldError
from split_ci.models.row import MOST_TOKENS, priced
from split_ci.ports import Reply, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from split_ci.config import ModelConfig, Price
    from split_ci.ports import Model, Request

MATCHES = {"role": str, "spec": str, "round": int, "turn": int, "prompt": str}
KEYS = {"match", "text", "fail", "usage", "stop", "model"}
STOPS = ("end", "length", "refusal")
MAX_BYTES = 32 * 1024 * 1024


class Line(NamedTuple):
    """One recorded reply, and what it answers. An empty `match` answers everything."""

    match: Mapping[str, Any]
    reply: Reply
    fail: str = ""


class Scripted:
    """A `ports.Model` that answers from recorded replies. It keeps no state: any number of threads may ask it."""

    name = "scripted"
    recorded = True

    def __init__(self, lines: Sequence[Line], price: Price | None = None) -> None:
        self._lines = tuple(lines)
        self._price = price

    def ask(self, request: Request) -> Reply:
        for line in self._lines:
            if _fits(line.match, request):
                if line.fail:
                    raise CallFailed(f"{self.name}: {line.fail} (recorded)", again=True, usage=line.reply.usage)
                return self._priced(line.reply)
        asker = request.asker
        raise WorldError(
            f"{self.name}: no recorded reply for role {asker.role}, spec {asker.spec}, round {asker.round}, "
            f"turn {turn_of(request)}: {_first_words(request)}",
            hint="add an entry to the file of replies",
        )

    def _priced(self, reply: Reply) -> Reply:
        return reply._replace(usage=priced(reply.usage, self._price)) if self._price else reply


class Recorder:
    """A `ports.Model` that writes down what another one says, as a file of replies."""

    recorded = False

    def __init__(self, model: Model, path: str) -> None:
        self.name = model.name
        self._model = model
        self._path = path

    def ask(self, request: Request) -> Reply:
        reply = self._model.ask(request)
        asker = request.asker
        entry = {
            "match": {"role": asker.role, "spec": asker.spec, "round": asker.round, "turn": turn_of(request)},
            "text": reply.text,
            "usage": {k: v for k, v in reply.usage._asdict().items() if k != "calls" and v is not None},
            "stop": reply.stop,
            "model": reply.model,
        }
        with _LOCK:
            self._append(entry)
        return reply

    def close(self) -> None:
        """Ends what the other one holds open."""
        end = getattr(self._model, "close", None)
        if end is not None:
            end()

    def _append(self, entry: Mapping[str, Any]) -> None:
        import json  # noqa: PLC0415

        kept = []
        if os.path.exists(self._path):
            with open(self._path, encoding="utf-8") as file:
                kept = json.load(file)["replies"]
        half = f"{self._path}.{os.getpid()}.tmp"
        with open(half, "w", encoding="utf-8") as file:
            json.dump({"replies": [*kept, entry]}, file, indent=1, ensure_ascii=False)
        os.replace(half, self._path)


_LOCK = threading.Lock()  # several models of one run may record into one file


def turn_of(request: Request) -> int:
    """Which question of a conversation this is, from 1."""
    return 1 + sum(m.role == "assistant" for m in request.messages)


def make(config: ModelConfig, env: Mapping[str, str], root: str) -> Scripted:  # noqa: ARG001 - the table's signature
    """The model of a row of the configuration. Raises UsageError for a file that is not one of replies."""
    if not config.replies:
        raise UsageError(f"models.{config.name}.replies: name the file of recorded replies")
    path = os.path.join(root, config.replies)
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint=f"models.{config.name}.replies in .split-ci.yaml") from None
    return Scripted(read_replies(data, path), config.price)


def read_replies(data: bytes, path: str) -> list[Line]:
    """The entries of a file of replies. Raises UsageError naming the file and the entry."""
    import yaml  # noqa: PLC0415

    if len(data) > MAX_BYTES:
        raise UsageError(f"{path}: more than {MAX_BYTES} bytes")
    try:
        found = yaml.load(data, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - the safe loader in C
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not YAML: {' '.join(str(error).split())[:200]}") from None
    entries = found.get("replies") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise UsageError(f"{path}: a file of replies has one key, `replies`, with a list")
    return [_line(entry, f"{path}: reply {number}") for number, entry in enumerate(entries, 1)]


def _line(entry: object, where: str) -> Line:
    if not isinstance(entry, dict):
        raise UsageError(f"{where}: not a mapping")
    _only(entry, KEYS, where)
    text, fail = entry.get("text"), entry.get("fail")
    if (text is None) == (fail is None) or not isinstance(text if fail is None else fail, str):
        raise UsageError(f"{where}: it has either `text` or `fail`, in words")
    stop = entry.get("stop", "end")
    if stop not in STOPS:
        raise UsageError(f"{where}: stop: {stop!r} is none of {', '.join(STOPS)}")
    reply = Reply(text or "", _usage(entry.get("usage", {}), where), str(entry.get("model", "scripted")), stop)
    return Line(_match(entry.get("match", {}), where), reply, fail or "")


def _match(found: object, where: str) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise UsageError(f"{where}: match: not a mapping")
    _only(found, set(MATCHES), f"{where}: match")
    for key, value in found.items():
        if type(value) is not MATCHES[key]:
            raise UsageError(f"{where}: match.{key}: {value!r} is not {'a whole number' if MATCHES[key] is int else 'text'}")
    if "prompt" in found:
        try:
            return {**found, "prompt": re.compile(found["prompt"], re.DOTALL)}
        except re.error as error:
            raise UsageError(f"{where}: match.prompt: {error}") from None
    return found


def _usage(found: object, where: str) -> Usage:
    if not isinstance(found, dict):
        raise UsageError(f"{where}: usage: not a mapping")
    _only(found, {"input", "cached", "output", "usd"}, f"{where}: usage")
    for key, value in found.items():
        right = (int, float) if key == "usd" else int
        if isinstance(value, bool) or not isinstance(value, right) or not 0 <= value <= MOST_TOKENS:
            raise UsageError(f"{where}: usage.{key}: {str(value)[:40]} is not a number from 0 to {MOST_TOKENS}")
    usd = found.get("usd")
    return Usage(
        1, found.get("input", 0), found.get("cached", 0), found.get("output", 0), None if usd is None else float(usd)
    )


def _only(found: Mapping[object, object], known: set[str], where: str) -> None:
    for key in found:
        if key not in known:
            raise UsageError(f"{where}: unknown key {key!r}; known are {', '.join(sorted(known))}")


def _fits(match: Mapping[str, Any], request: Request) -> bool:
    asker = request.asker
    known = {"role": asker.role, "spec": asker.spec, "round": asker.round, "turn": turn_of(request)}
    prompt = match.get("prompt")
    if prompt is not None and not (request.messages and prompt.search(request.messages[-1].text)):
        return False
    return all(known[key] == value for key, value in match.items() if key != "prompt")


def _first_words(request: Request) -> str:
    text = request.messages[-1].text if request.messages else request.system
    return repr(" ".join(text.split())[:80])
