"""The repository itself, who asks, and its refs."""

from __future__ import annotations

from tests.github import shapes
from tests.github.routes import Asked, Said, no, route


@route("GET", "/repos/{owner}/{repo}")
def repository(asked: Asked) -> Said:
    return Said(200, shapes.full_repository(asked.world, asked.actor, asked.api))


@route("GET", "/user")
def user(asked: Asked) -> Said:
    if asked.actor.type == "Bot":
        no(403, "Resource not accessible by integration")
    return Said(200, {
        **shapes.user(asked.actor, asked.api), "name": None, "company": None, "blog": None, "location": None, "email": None,
        "hireable": None, "bio": None, "public_repos": 1, "public_gists": 0, "followers": 0, "following": 0,
        "created_at": shapes.BORN, "updated_at": shapes.BORN,
    })  # fmt: skip


@route("GET", "/repos/{owner}/{repo}/git/ref/{ref+}")
def ref(asked: Asked) -> Said:
    name = f"refs/{asked.at['ref']}"
    oid = asked.world.refs().get(name)
    if oid is None:
        no(404, "Not Found")
    return Said(200, shapes.git_ref(asked.world, name, oid, asked.api))


@route("GET", "/repos/{owner}/{repo}/git/matching-refs/{ref+}")
def matching_refs(asked: Asked) -> Said:
    start = f"refs/{asked.at['ref']}"
    found = [(name, oid) for name, oid in asked.world.refs().items() if name.startswith(start)]
    return Said(200, [shapes.git_ref(asked.world, name, oid, asked.api) for name, oid in found])
