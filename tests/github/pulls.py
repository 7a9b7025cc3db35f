"""Pull requests."""

from __future__ import annotations

from tests.github import shapes
from tests.github.routes import Asked, Said, invalid, no, page, route
from tests.github.world import Pull

MAX_BODY = 65_536
MAX_TITLE = 256


@route("GET", "/repos/{owner}/{repo}/pulls")
def listed(asked: Asked) -> Said:
    world, query = asked.world, asked.query
    state = query.get("state", "open")
    found = [pull for pull in reversed(world.pulls) if state in ("all", pull.state)]
    if ":" in query.get("head", ""):  # without an owner GitHub takes no notice of it
        found = [pull for pull in found if f"{world.owner}:{pull.head}" == query["head"]]
    if "base" in query:
        found = [pull for pull in found if pull.base == query["base"]]
    if query.get("direction") == "asc":
        found.reverse()
    return page(asked, [shapes.pull_simple(world, pull, asked.api) for pull in found])


@route("POST", "/repos/{owner}/{repo}/pulls", "pull_requests")
def create(asked: Asked) -> Said:
    world = asked.world
    if asked.actor.type == "Bot" and not world.actions_may_open_pulls:
        no(403, "GitHub Actions is not permitted to create or approve pull requests.")
    head, base = asked.body["head"].removeprefix(f"{world.owner}:"), asked.body["base"]
    refs = world.refs()
    head_sha, base_sha = refs.get(f"refs/heads/{head}"), refs.get(f"refs/heads/{base}")
    if base_sha is None:
        invalid("PullRequest", field="base", code="invalid")
    if head_sha is None:
        invalid("PullRequest", field="head", code="invalid")
    _lengths(asked)
    if world.contains(base_sha, head_sha):
        invalid("PullRequest", code="custom", message=f"No commits between {base} and {head}")
    if any(p.state == "open" and (p.head, p.base) == (head, base) for p in world.pulls):
        invalid("PullRequest", code="custom", message=f"A pull request already exists for {world.owner}:{head}.")
    fields = {**asked.body, "head": head, "head_sha": head_sha, "base_sha": base_sha}
    pull = Pull(world.number(), asked.actor, fields, world.now())
    world.pulls.append(pull)
    return Said(201, shapes.pull_full(world, pull, asked.api))


def _lengths(asked: Asked) -> None:
    for field, most in (("title", MAX_TITLE), ("body", MAX_BODY)):
        if len(asked.field(field) or "") > most:
            said = f"{field} is too long (maximum is {most} characters)"
            invalid("PullRequest", code="custom", field=field, message=said)


def find(asked: Asked) -> Pull:
    """The pull request of a path's number."""
    number = asked.at["number"]
    pull = next((one for one in asked.world.pulls if str(one.number) == number), None)
    return pull or no(404, "Not Found")


@route("GET", "/repos/{owner}/{repo}/pulls/{number}")
def one(asked: Asked) -> Said:
    return Said(200, shapes.pull_full(asked.world, find(asked), asked.api))


@route("PATCH", "/repos/{owner}/{repo}/pulls/{number}", "pull_requests")
def update(asked: Asked) -> Said:
    world, pull = asked.world, find(asked)
    _lengths(asked)
    state = asked.field("state")
    if state == "open" and pull.state == "closed":
        if pull.merged_at or f"refs/heads/{pull.head}" not in world.refs():
            said = "state cannot be changed. The pull request cannot be reopened."
            invalid("PullRequest", code="custom", field="state", message=said)
        pull.state, pull.closed_at, pull.closed_by = "open", None, None
    if state == "closed" and pull.state == "open":
        world.close(pull, asked.actor)
    for name in ("title", "body", "base"):
        if asked.field(name) is not None:
            setattr(pull, name, asked.field(name))
    pull.updated_at = world.now()
    return Said(200, shapes.pull_full(world, pull, asked.api))
