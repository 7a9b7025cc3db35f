"""A model's server on loopback for `bench_models`: every answer takes as long as it is told to, and is right.

    python benchmarks/model_server.py SECONDS LOG

Speaks chat completions, streamed or not. It finds the task's number in the prompt and answers with the edit that the spec
asks for: as an edit block, as mini-swe-agent's commands, or as a review. Each request is a line of JSON in LOG. It prints
its port.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BYTES_A_TOKEN = 4
TASK = re.compile(r"part_(\d+)\.py")
ADVICE = "    return 'quiet {n}'\n"
WANTED = "    return 'LOUD {n}'\n"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, seconds: float, log: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seconds, self.log = seconds, log
        self.known: list[str] = []
        self.lock = threading.Lock()

    def note(self, asked: dict[str, Any], size: int, prompt: str) -> int:
        """Keeps what was asked; how many bytes of it stood at the beginning of an earlier prompt of this kind."""
        with self.lock:
            shared = max((common(prompt, one) for one in self.known), default=0)
            self.known.append(prompt)
            line = {
                "at": time.monotonic(), "task": number_of(prompt), "bytes": size, "prompt": len(prompt), "shared": shared,
                "role": "architect" if "response_format" in asked else "implementer",
            }  # fmt: skip
            with open(self.log, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        return shared


def common(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if one[:middle] == other[:middle] else (least, middle - 1)
    return least


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        asked = json.loads(data)
        prompt = "\n".join(text_of(message) for message in asked["messages"])
        shared = self.server.note(asked, len(data), prompt)
        time.sleep(self.server.seconds)
        message = answer_to(asked, prompt)
        usage = usage_of(prompt, json.dumps(message), shared)
        if asked.get("stream"):
            self._stream(message, usage)
        else:
            choice = {"index": 0, "finish_reason": "tool_calls" if "tool_calls" in message else "stop", "message": message}
            self._send("application/json", json.dumps(shell(usage, [choice])).encode())

    def _stream(self, message: dict[str, Any], usage: dict[str, Any]) -> None:
        delta = {"index": 0, "delta": message, "finish_reason": None}
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        kind = "chat.completion.chunk"
        parts = [shell(None, [delta], kind), shell(None, [last], kind), shell(usage, [], kind)]
        text = "".join(f"data: {json.dumps(part)}\n\n" for part in parts) + "data: [DONE]\n\n"
        self._send("text/event-stream", text.encode())

    def _send(self, kind: str, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Nothing is said of each request."""


def text_of(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def number_of(prompt: str) -> int | None:
    found = TASK.search(prompt)
    return int(found[1]) if found else None


def shell(usage: object, choices: list[Any], kind: str = "chat.completion") -> dict[str, Any]:
    return {"id": "c", "object": kind, "created": 1, "model": "bench-1", "choices": choices, "usage": usage}


def usage_of(prompt: str, answer: str, shared: int) -> dict[str, Any]:
    """Tokens as bytes over four. A prefix counts as cached from 1,024 tokens on, in steps of 128, as servers do it."""
    asked, said = len(prompt) // BYTES_A_TOKEN, len(answer) // BYTES_A_TOKEN
    cached = shared // BYTES_A_TOKEN // 128 * 128
    details = {"cached_tokens": cached if cached >= 1024 else 0}
    return {
        "prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said, "prompt_tokens_details": details,
    }  # fmt: skip


def answer_to(asked: dict[str, Any], prompt: str) -> dict[str, Any]:
    number = number_of(prompt)
    if number is None:
        return {"role": "assistant", "content": "There is no task in it."}
    if "response_format" in asked:
        return {"role": "assistant", "content": json.dumps(judgement(prompt, number))}
    path, old, new = f"src/part_{number}.py", ADVICE.format(n=number), WANTED.format(n=number)
    if asked.get("tools"):
        done = any(message["role"] == "tool" for message in asked["messages"])
        command = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT" if done else f"sed -i s/quiet/LOUD/ {path}"
        function = {"name": asked["tools"][0]["function"]["name"], "arguments": json.dumps({"command": command})}
        call = {"id": f"c{len(asked['messages'])}", "index": 0, "type": "function", "function": function}
        return {"role": "assistant", "content": "", "tool_calls": [call]}
    return {"role": "assistant", "content": f"{path}\n```python\n<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n```\n"}


def judgement(prompt: str, number: int) -> dict[str, Any]:
    criteria = sorted(set(re.findall(r"^(a\d+): ", prompt, re.MULTILINE)))
    return {
        "summary": "It says what it should.", "decision": "approve",
        "files": [{"path": f"src/part_{number}.py", "decision": "ok", "reason": ""}], "findings": [],
        "criteria": [{"id": one, "decision": "met", "reason": ""} for one in criteria], "earlier": [],
        "coaching": {"answer": "No.", "lessons": []},
    }  # fmt: skip


if __name__ == "__main__":
    with Server(float(sys.argv[1]), sys.argv[2]) as serving:
        print(serving.server_port, flush=True)
        serving.serve_forever(0.05)
