"""A scripted model on loopback that speaks chat/completions, responses and messages, streamed or not.

It answers like a model that uses an agent's own shell tool once, with `command`, and then ends; or, as `mood` says, that
gives up, loops for ever, hangs, or is broken in one of many ways. Every answer reports the same usage.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

INPUT, CACHED, OUTPUT = 1200, 200, 34
GIVE_UP = "I can not do this task."
SHELLS = {"shell": "command", "bash": "command", "Bash": "command", "exec_command": "cmd"}
SUBMIT = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"


class ModelServer(ThreadingHTTPServer):
    """`asked` are the bodies, `seen` the headers, `paths` the paths of what came in."""

    daemon_threads = True

    def __init__(self, command: str, mood: str, block: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.command = command
        self.mood = mood
        self.block = block  # the answer to who offers no tool
        self.asked: list[dict[str, Any]] = []
        self.seen: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def model_server(command: str = "true", mood: str = "edit", block: str = "") -> Iterator[ModelServer]:
    server = ModelServer(command, mood, block)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    server: ModelServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        return

    def do_GET(self) -> None:
        self._send(404, {"error": {"message": "no such thing"}})

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.asked.append(body)
        server.paths.append(self.path)
        server.seen.append({k.lower(): v for k, v in self.headers.items()})
        mood = MOODS.get(server.mood)
        if mood is not None:
            mood(self, body)
            return
        answer = self._answer(body)
        wire = self.path.partition("?")[0].rpartition("/")[2]
        made = WIRES[wire](answer, body.get("model"))
        if body.get("stream"):
            self._stream(STREAMS[wire](made, body))
        else:
            self._send(200, made)

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """{"text"} or {"tool", "arguments"}: what a model would do next."""
        server = self.server
        shell, key = shell_of(body)
        turn = turns_of(body)
        if server.mood == "giveup":
            return {"text": GIVE_UP}
        if shell is None:
            return {"text": server.block or "Nothing to do."}
        arguments = {key: server.command}
        if shell in ("Bash", "bash") and any("description" in json.dumps(tool) for tool in body["tools"]):
            arguments["description"] = "does it"
        if turn == 0 or server.mood == "loop":
            return {"text": "I do it.", "tool": shell, "arguments": arguments}
        if is_mini(body):
            return {"text": "It is done.", "tool": shell, "arguments": {key: SUBMIT}}
        return {"text": "Done."}

    def _send(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, events: list[tuple[str, object]], *, cut: bool = False) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for name, value in events:
            text = value if isinstance(value, str) else json.dumps(value)
            data = (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        if cut:
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")


def shell_of(body: dict[str, Any]) -> tuple[str | None, str]:
    """The name of the shell tool that a request offers, and of its argument."""
    for tool in body.get("tools") or ():
        name = tool.get("name") or (tool.get("function") or {}).get("name") or ""
        short = name.rpartition("__")[2]
        if short in SHELLS:
            return name, SHELLS[short]
    return None, ""


def turns_of(body: dict[str, Any]) -> int:
    """How many tool calls have been answered in a conversation."""
    said = json.dumps(body.get("messages") or body.get("input") or [])
    return said.count('"role": "tool"') + said.count('"tool_result"') + said.count('"function_call_output"')


def is_mini(body: dict[str, Any]) -> bool:
    return "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT" in json.dumps(body.get("messages") or [])


# --- whole answers


def chat(answer: dict[str, Any], model: object) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer["text"]}
    if "tool" in answer:
        function = {"name": answer["tool"], "arguments": json.dumps(answer["arguments"])}
        message["tool_calls"] = [{"id": f"call_{time.monotonic_ns()}", "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if "tool" in answer else "stop"}
    usage = {
        "prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT, "prompt_tokens_details": {"cached_tokens": CACHED}
    }  # fmt: skip
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [choice],
        "usage": usage,
    }


def responses(answer: dict[str, Any], model: object) -> dict[str, Any]:
    text = {"type": "output_text", "text": answer["text"], "annotations": []}
    output: list[dict[str, Any]] = [
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}
    ]
    if "tool" in answer:
        call = {"type": "function_call", "id": "fc_1", "call_id": f"call_{time.monotonic_ns()}", "name": answer["tool"]}
        output = [{**call, "arguments": json.dumps(answer["arguments"]), "status": "completed"}]
    usage = {
        "input_tokens": INPUT, "input_tokens_details": {"cached_tokens": CACHED}, "output_tokens": OUTPUT,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": INPUT + OUTPUT,
    }  # fmt: skip
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": model,
        "output": output,
        "usage": usage,
    }


def messages(answer: dict[str, Any], model: object) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": answer["text"]}]
    if "tool" in answer:
        content.append(
            {"type": "tool_use", "id": f"toolu_{time.monotonic_ns()}", "name": answer["tool"], "input": answer["arguments"]}
        )
    usage = {
        "input_tokens": INPUT - CACHED,
        "cache_read_input_tokens": CACHED,
        "cache_creation_input_tokens": 0,
        "output_tokens": OUTPUT,
    }
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_reason": "tool_use" if "tool" in answer else "end_turn", "stop_sequence": None, "usage": usage,
    }  # fmt: skip


# --- the same as streams


def chat_stream(made: dict[str, Any], body: dict[str, Any]) -> list[tuple[str, object]]:
    message = made["choices"][0]["message"]
    delta: dict[str, Any] = {"role": "assistant", "content": message["content"]}
    if "tool_calls" in message:
        delta["tool_calls"] = [{"index": 0, **message["tool_calls"][0]}]
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": made["model"]}
    events: list[tuple[str, object]] = [
        ("", {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}),
        ("", {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": made["choices"][0]["finish_reason"]}]}),
    ]
    if (body.get("stream_options") or {}).get("include_usage"):
        events.append(("", {**chunk, "choices": [], "usage": made["usage"]}))
    return [*events, ("", "[DONE]")]


def responses_stream(made: dict[str, Any], body: dict[str, Any]) -> list[tuple[str, object]]:
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**made, "status": "in_progress", "output": [], "usage": None}}
    ]
    for index, item in enumerate(made["output"]):
        events.append({"type": "response.output_item.added", "output_index": index, "item": item})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": "response.completed", "response": made})
    return [(event["type"], event) for event in events]


def messages_stream(made: dict[str, Any], body: dict[str, Any]) -> list[tuple[str, object]]:
    start = {**made, "content": [], "stop_reason": None, "usage": {**made["usage"], "output_tokens": 1}}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for index, part in enumerate(made["content"]):
        if part["type"] == "text":
            first: dict[str, Any] = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": part["text"]}
        else:
            first = {**part, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(part["input"])}
        events.append({"type": "content_block_start", "index": index, "content_block": first})
        events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": made["stop_reason"], "stop_sequence": None}
    events.append({"type": "message_delta", "delta": end, "usage": {"output_tokens": OUTPUT}})
    events.append({"type": "message_stop"})
    return [(event["type"], event) for event in events]


WIRES = {"completions": chat, "responses": responses, "messages": messages}
STREAMS = {"completions": chat_stream, "responses": responses_stream, "messages": messages_stream}


# --- servers that are broken


def status(code: int) -> Any:
    def fail(handler: Handler, body: dict[str, Any]) -> None:
        handler._send(code, {"type": "error", "error": {"type": "server_error", "message": f"it is a {code}"}})

    return fail


def hang(handler: Handler, body: dict[str, Any]) -> None:
    handler.server.closing.wait()
    handler.close_connection = True


def html(handler: Handler, body: dict[str, Any]) -> None:
    handler._send(200, b"<html>a proxy</html>", {"Content-Type": "text/html"})


def nothing(handler: Handler, body: dict[str, Any]) -> None:
    handler.close_connection = True


def half(handler: Handler, body: dict[str, Any]) -> None:
    wire = handler.path.partition("?")[0].rpartition("/")[2]
    handler._stream(STREAMS[wire](WIRES[wire]({"text": "So far"}, body.get("model")), body)[:2], cut=True)


def short(handler: Handler, body: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"usage": {')
    handler.close_connection = True


def drip(handler: Handler, body: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.end_headers()
    handler.close_connection = True
    while not handler.server.closing.is_set():
        try:
            handler.wfile.write(b": still here\n\n")
        except OSError:
            return
        time.sleep(0.05)


def echo(handler: Handler, body: dict[str, Any]) -> None:
    given = handler.headers.get("Authorization") or handler.headers.get("x-api-key") or ""
    handler._send(400, {"error": {"message": f"no such key: {given}"}}, {"x-echo": given})


def redirect(handler: Handler, body: dict[str, Any]) -> None:
    handler._send(307, {}, headers={"Location": "http://127.0.0.1:1/elsewhere"})


def zipped(handler: Handler, body: dict[str, Any]) -> None:
    import gzip

    handler._send(200, gzip.compress(b"{}"), {"Content-Encoding": "gzip"})


def silent(handler: Handler, body: dict[str, Any]) -> None:
    """An answer that doesn't say what it cost."""
    wire = handler.path.partition("?")[0].rpartition("/")[2]
    made = WIRES[wire]({"text": "x" * 400}, body.get("model"))
    handler._send(200, {key: value for key, value in made.items() if key != "usage"})


def negative(handler: Handler, body: dict[str, Any]) -> None:
    wire = handler.path.partition("?")[0].rpartition("/")[2]
    made = WIRES[wire]({"text": "less than nothing"}, body.get("model"))
    handler._send(200, {**made, "usage": dict.fromkeys(made["usage"], -5)})


MOODS: dict[str, Any] = {
    "500": status(500), "529": status(529), "429": status(429), "401": status(401), "503": status(503), "hang": hang, "html": html,
    "nothing": nothing, "half": half, "short": short, "drip": drip, "echo": echo, "redirect": redirect, "zipped": zipped,
    "silent": silent, "negative": negative,
}  # fmt: skip
