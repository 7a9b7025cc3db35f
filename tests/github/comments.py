"""Comments on pull requests as a whole (an issue's comments, in GitHub's words)."""

from __future__ import annotations

from tests.github import shapes
from tests.github.pulls import MAX_BODY, find
from tests.github.routes import Asked, Said, invalid, no, page, route
from tests.github.world import Comment


@route("GET", "/repos/{owner}/{repo}/issues/{number}/comments")
def listed(asked: Asked) -> Said:
    number = find(asked).number
    found = [one for one in asked.world.comments if one.number == number]
    return page(asked, [shapes.issue_comment(asked.world, one, asked.api) for one in found])


@route("GET", "/repos/{owner}/{repo}/issues/{number}")
def issue(asked: Asked) -> Said:
    """A pull request as the issue that it is as well: it says who closed it."""
    return Said(200, shapes.issue(asked.world, find(asked), asked.api))


@route("POST", "/repos/{owner}/{repo}/issues/{number}/comments", "pull_requests")
def create(asked: Asked) -> Said:
    world, pull = asked.world, find(asked)
    one = Comment(world.new_id(), pull.number, asked.actor, _body(asked), world.now())
    world.comments.append(one)
    return Said(201, shapes.issue_comment(world, one, asked.api))


@route("PATCH", "/repos/{owner}/{repo}/issues/comments/{id}", "pull_requests")
def update(asked: Asked) -> Said:
    one = next((c for c in asked.world.comments if str(c.id) == asked.at["id"]), None) or no(404, "Not Found")
    one.body, one.updated_at = _body(asked), asked.world.now()
    return Said(200, shapes.issue_comment(asked.world, one, asked.api))


def _body(asked: Asked) -> str:
    body: str = asked.body["body"]
    if len(body) > MAX_BODY:
        invalid("IssueComment", code="custom", field="body", message=f"body is too long (maximum is {MAX_BODY} characters)")
    return body
