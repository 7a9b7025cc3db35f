"""The HTTP side: tokens, faults, routes, redirects of a repository that was renamed, and the log of what was asked."""

from __future__ import annotations

import json
import threading
import traceback
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.github import actions, comments, git_http, openapi, pulls, repos, reviews, settings, statuses
from tests.github.faults import Answer
from tests.github.routes import DOCS, ROUTES, Asked, No, Said
from tests.github.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.github.faults import Fault
    from tests.github.world import Actor

NOUNS = (repos, pulls, comments, reviews, settings, statuses, actions)  # each has put its endpoints into the table


class Line(NamedTuple):
    """One request of the log."""

    method: str
    path: str
    body: Any
    token: str
    status: int | None  # None: no answer


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, world: World) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.world = world
        self.faults: list[Fault] = []
        self.log: list[Line] = []
        self.wrong: list[str] = []  # where a request or an answer is not as GitHub's description says
        self.closing = threading.Event()
        self.headers: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def writes(self) -> list[str]:
        """`METHOD /path` of every request that was more than a look, below the repository."""
        start = f"/repos/{self.world.full_name}"
        return [f"{line.method} {line.path.removeprefix(start)}" for line in self.log if line.method != "GET"]

    def env(self, token: str = "bot-token") -> dict[str, str]:
        """The environment of a workflow's step that speaks to this GitHub."""
        return {"GITHUB_API_URL": self.url, "GITHUB_REPOSITORY": self.world.full_name, "GITHUB_TOKEN": token}


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815 - the standard library's names

    def _serve(self) -> None:
        server = self.server
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        server.headers.append({k.lower(): v for k, v in self.headers.items()})
        with server.world.lock:
            fault = next((one for one in server.faults if one.takes(self.command, path)), None)
            answer: Answer | None = None
            inside = git_http.path_inside(server.world, path)
            if inside is not None and (fault is None or fault.done):
                answer = git_http.serve(server.world, self.command, self.path, inside, self.headers, data)
            elif fault is None or fault.done:
                said = self._say(path, data)
                answer = Answer(said.status, said.body, said.headers)
            if fault is not None and not fault.passes:
                answer = fault.answer
            body = json.loads(data) if data and inside is None else None
            token = self.headers.get("Authorization", "").partition(" ")[2]
            server.log.append(Line(self.command, path, body, token, answer.status if answer else None))
            if fault is not None and fault.call is not None:
                fault.call()
        self._send(answer)

    def _say(self, path: str, data: bytes) -> Said:
        """What the state machine answers."""
        server = self.server
        if path.startswith(actions.FILES):  # another host: whoever shows it a token has lost it
            data = actions.file_at(server.world, path) or b""
            return Said(200 if data and "Authorization" not in self.headers else 400, data)
        actor = server.world.tokens.get(self.headers.get("Authorization", "").partition(" ")[2])
        if actor is None:
            return Said(401, {"message": "Bad credentials", "documentation_url": DOCS, "status": "401"})
        server.world.settle(actor)
        try:
            return self._route(path, data, actor)
        except No as refusal:
            return refusal.said
        except Exception:  # noqa: BLE001 - no test must wait for an answer that never comes
            server.wrong.append(traceback.format_exc())  # a bug here; the client sees what it would see of GitHub's
            return Said(500)

    def _route(self, path: str, data: bytes, actor: Actor) -> Said:
        server, world = self.server, self.server.world
        path = path.replace(f"/repositories/{world.id}", f"/repos/{world.full_name}", 1)
        moved = self._moved(path)
        if moved is not None:
            return moved
        for one in ROUTES:
            found = one.pattern.match(path) if one.method == self.command else None
            if found is None:
                continue
            at = found.groupdict()
            if at.get("owner", world.owner) != world.owner or at.get("repo", world.name) != world.name:
                break
            query = dict(parse_qsl(urlsplit(self.path).query))
            body = json.loads(data) if data else None
            asked = Asked(world, actor, server.url, self.command, path, at, query, body)
            if one.permission and one.permission not in actor.may:
                no = {"message": "Resource not accessible by integration", "documentation_url": DOCS, "status": "403"}
                return Said(403, no, {"X-Accepted-GitHub-Permissions": f"{one.permission}=write"})
            said = one.function(asked) if not self._wrong(openapi.request_faults(one, asked)) else Said(400)
            self._wrong(openapi.answer_faults(one, said))
            return said
        return Said(404, {"message": "Not Found", "documentation_url": DOCS, "status": "404"})

    def _moved(self, path: str) -> Said | None:
        """The redirect of a repository that was renamed."""
        server, world = self.server, self.server.world
        for former in world.former:
            if path == f"/repos/{former}" or path.startswith(f"/repos/{former}/"):
                query = urlsplit(self.path).query
                rest = path.removeprefix(f"/repos/{former}") + (f"?{query}" if query else "")
                url = f"{server.url}/repositories/{world.id}{rest}"
                status = 301 if self.command == "GET" else 307
                return Said(
                    status, {"message": "Moved Permanently", "url": url, "documentation_url": DOCS}, {"Location": url}
                )
        return None

    def _wrong(self, faults: list[str]) -> bool:
        self.server.wrong += faults
        return bool(faults)

    def _send(self, answer: Answer | None) -> None:
        if answer is None:
            self.close_connection = True
            return
        data = (
            answer.body
            if isinstance(answer.body, bytes)
            else b""
            if answer.body is None
            else json.dumps(answer.body).encode()
        )
        self.send_response_only(answer.status)
        kind = "text/html" if isinstance(answer.body, bytes) else "application/json; charset=utf-8"
        for name, value in {
            "Content-Type": kind,
            "X-GitHub-Request-Id": "0000:0001",
            "Date": self.date_time_string(),
            **answer.headers,
        }.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) + (100_000 if answer.short or answer.drips else 0)))
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = self.close_connection or answer.short or answer.drips
        while answer.drips and not self.server.closing.wait(0.02):
            try:
                self.wfile.write(b" ")
                self.wfile.flush()
            except OSError:
                return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        return


@contextmanager
def serving(bare: Path, full_name: str = "ada/one") -> Iterator[Server]:
    """One in-memory GitHub for a bare repository. At the end nothing may have been asked or said that GitHub doesn't know."""
    server = Server(World(bare, full_name))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
    assert server.wrong == [], server.wrong
