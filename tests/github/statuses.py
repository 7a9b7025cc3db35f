"""Commit statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.github import shapes
from tests.github.routes import Asked, Said, invalid, no, page, route
from tests.github.world import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

STATES = ("error", "failure", "pending", "success")
MAX_DESCRIPTION = 140


@route("POST", "/repos/{owner}/{repo}/statuses/{sha}", "statuses")
def create(asked: Asked) -> Said:
    world, sha = asked.world, asked.at["sha"]
    if world.resolve(sha) is None:
        no(422, f"No commit found for SHA: {sha}")
    description = asked.field("description")
    if asked.body["state"] not in STATES:
        invalid("Status", code="custom", field="state", message="state is not included in the list")
    if len(description or "") > MAX_DESCRIPTION:
        said = f"description is too long (maximum is {MAX_DESCRIPTION} characters)"
        invalid("Status", code="custom", field="description", message=said)
    context = asked.field("context") or "default"
    one = Status(
        world.new_id(), sha, asked.body["state"], context, description, asked.field("target_url"), asked.actor, world.now()
    )
    world.statuses.append(one)
    return Said(201, shapes.status(world, one, asked.api))


@route("GET", "/repos/{owner}/{repo}/commits/{ref}/statuses")
def listed(asked: Asked) -> Said:
    found = reversed(_of(asked, asked.at["ref"]))
    return page(asked, [shapes.status(asked.world, one, asked.api) for one in found])


@route("GET", "/repos/{owner}/{repo}/commits/{ref}/status")
def combined(asked: Asked) -> Said:
    world, sha = asked.world, asked.world.resolve(asked.at["ref"]) or no(404, "Not Found")
    latest = {one.context: one for one in _of(asked, sha)}
    states = {one.state for one in latest.values()}
    bad = bool(states & {"error", "failure"})
    url = f"{asked.api}/repos/{world.full_name}/commits/{sha}"
    shown = [shapes.status(world, one, asked.api) for one in latest.values()]
    return Said(200, {
        "state": "failure" if bad else "pending" if "pending" in states or not states else "success", "sha": sha,
        "total_count": len(latest), "statuses": [{k: v for k, v in one.items() if k != "creator"} for one in shown],
        "repository": shapes.repository(world, asked.api), "commit_url": url, "url": f"{url}/status",
    })  # fmt: skip


def _of(asked: Asked, rev: str) -> Sequence[Status]:
    sha = asked.world.resolve(rev) or no(404, "Not Found")
    return [one for one in asked.world.statuses if one.sha == sha]
