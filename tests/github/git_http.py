"""Git over HTTP, as GitHub serves it beside its API: git's own back end, behind the same tokens."""

from __future__ import annotations

import os
import subprocess
from base64 import b64decode
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from split_ci.git import clean_env
from tests.github.faults import Answer

if TYPE_CHECKING:
    from email.message import Message

    from tests.github.world import Actor, World


def path_inside(world: World, path: str) -> str | None:
    """The part of a path that git's back end is asked for; None where the path is the API's."""
    start = f"/{world.full_name}.git/"
    return path.removeprefix(start) if path.startswith(start) else None


def actor_of(world: World, authorization: str) -> Actor | None:
    """Whom a Basic header names, by its password, as GitHub takes tokens."""
    kind, _, value = authorization.partition(" ")
    if kind != "Basic":
        return None
    return world.tokens.get(b64decode(value).decode().partition(":")[2])


def serve(world: World, method: str, url: str, inside: str, headers: Message, data: bytes) -> Answer:
    """One request to git's back end."""
    actor = actor_of(world, headers.get("Authorization", ""))
    writes = "git-receive-pack" in url
    if actor is None and (writes or world.private):
        return Answer(401, b"", {"WWW-Authenticate": 'Basic realm="GitHub"'})
    if writes and actor is not None and "contents" not in actor.may:
        said = f"remote: Permission to {world.full_name}.git denied to {actor.login}."
        return Answer(403, said.encode(), {"Content-Type": "text/plain"})
    env = clean_env({
        "GIT_PROJECT_ROOT": os.fspath(world.bare.parent), "GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": method,
        "PATH_INFO": f"/{world.bare.name}/{inside}", "QUERY_STRING": urlsplit(url).query,
        "CONTENT_TYPE": headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(data)),
        "HTTP_CONTENT_ENCODING": headers.get("Content-Encoding", ""), "GIT_PROTOCOL": headers.get("Git-Protocol", ""),
        "REMOTE_USER": actor.login if actor else "", "REMOTE_ADDR": "127.0.0.1", "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.receivepack", "GIT_CONFIG_VALUE_0": "true",
    })  # fmt: skip
    done = subprocess.run(["git", "http-backend"], env=env, input=data, capture_output=True, check=False)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    return Answer(int(fields.pop("Status", "200").split(" ")[0]), body, fields)
