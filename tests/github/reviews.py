"""Reviews of pull requests, and the remarks on lines that came with them. Which lines those may be, git's diff says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from tests.github import shapes
from tests.github.pulls import MAX_BODY, find
from tests.github.routes import DOCS, Asked, No, Said, invalid, no, page, route

if TYPE_CHECKING:
    from tests.github.world import Actor, Pull, World

EVENTS = {"COMMENT": "COMMENTED", "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


class Review:
    def __init__(self, id_: int, number: int, author: Actor, fields: dict[str, Any], at: str) -> None:
        self.id = id_
        self.number = number
        self.author = author
        self.body: str = fields.get("body", "")
        self.commit: str = fields["commit_id"]
        self.state: str = EVENTS.get(fields.get("event", ""), "PENDING")
        self.submitted_at = at


class Remark:
    """A comment on lines of a file as it was at a commit."""

    def __init__(self, id_: int, review: Review, fields: dict[str, Any], at: str) -> None:
        self.id = id_
        self.review = review
        self.author = review.author
        self.path: str = fields["path"]
        self.line: int = fields["line"]
        self.start_line: int | None = fields.get("start_line")
        self.body: str = fields["body"]
        self.created_at = self.updated_at = at


class Hunk(NamedTuple):
    start: int
    lines: int
    new_start: int
    new_lines: int


def hunks(world: World, old: str, new: str, path: str, context: int) -> list[Hunk] | None:
    """Of one file between two commits, as git prints them; None where the file is not in the diff."""
    out = world.told("diff", "-M", f"-U{context}", "--no-color", old, new)
    parts = re.split(r"^diff --git .*\n", out, flags=re.MULTILINE)
    for part in parts:
        if f"\n+++ b/{path}\n" in part or f"\n+++ b/{path}\t\n" in part:
            found = [HUNK.match(each) for each in part.splitlines()]
            return [Hunk(*(int(1 if n is None else n) for n in each.groups())) for each in found if each]
    return None


def line_now(world: World, remark: Remark, pull: Pull) -> int | None:
    """Where a remark's line is at the head; None where it was changed since, and the remark is outdated."""
    was = remark.review.commit
    moved = 0
    if world.told("ls-tree", pull.head_sha, "--", remark.path) == "":
        return None
    for hunk in hunks(world, was, pull.head_sha, remark.path, 0) or []:
        if hunk.start <= remark.line < hunk.start + hunk.lines:
            return None
        if hunk.start < remark.line:
            moved += hunk.new_lines - hunk.lines
    return remark.line + moved


def shown(world: World, pull: Pull, commit: str, path: str) -> list[Hunk] | None:
    base = world.told("merge-base", pull.base_sha, commit)
    return hunks(world, base, commit, path, 3)


@route("GET", "/repos/{owner}/{repo}/pulls/{number}/reviews")
def listed(asked: Asked) -> Said:
    number = find(asked).number
    found = [one for one in asked.world.reviews if one.number == number]
    return page(asked, [_shape(asked.world, one, asked.api) for one in found])


@route("POST", "/repos/{owner}/{repo}/pulls/{number}/reviews", "pull_requests")
def create(asked: Asked) -> Said:
    world, pull = asked.world, find(asked)
    fields = {"commit_id": pull.head_sha, **asked.body}
    if fields.get("event") == "APPROVE" and not world.actions_may_open_pulls:
        no(403, "GitHub Actions is not permitted to create or approve pull requests.")
    if len(fields.get("body", "")) > MAX_BODY:
        invalid(
            "PullRequestReview", code="custom", field="body", message=f"Body is too long (maximum is {MAX_BODY} characters)"
        )
    if world.resolve(fields["commit_id"]) is None or not world.contains(fields["commit_id"], pull.head_sha):
        no(422, 'Unprocessable Entity: "Commit oid is not part of the pull request"')
    comments = fields.get("comments", [])
    for one in comments:
        _possible(world, pull, fields["commit_id"], one)
    at = world.now()
    review = Review(world.new_id(), pull.number, asked.actor, fields, at)
    world.reviews.append(review)
    world.remarks += [Remark(world.new_id(), review, one, at) for one in comments]
    return Said(200, _shape(world, review, asked.api))


def _possible(world: World, pull: Pull, commit: str, one: dict[str, Any]) -> None:
    """All or nothing, and GitHub doesn't say which one it was."""
    found = shown(world, pull, commit, one["path"])
    if found is None:
        _unresolved("Path could not be resolved")
    lines = range(one.get("start_line", one["line"]), one["line"] + 1)
    if not any(all(h.new_start <= n < h.new_start + h.new_lines for n in lines) for h in found) or not lines:
        _unresolved("Line could not be resolved")
    if len(one["body"]) > MAX_BODY:
        _unresolved(f"Body is too long (maximum is {MAX_BODY} characters)")


def _unresolved(why: str) -> NoReturn:
    raise No(Said(422, {"message": "Unprocessable Entity", "errors": [why], "documentation_url": DOCS, "status": "422"}))


@route("PUT", "/repos/{owner}/{repo}/pulls/{number}/reviews/{id}", "pull_requests")
def update(asked: Asked) -> Said:
    find(asked)
    one = next((r for r in asked.world.reviews if str(r.id) == asked.at["id"]), None) or no(404, "Not Found")
    one.body = asked.body["body"]
    return Said(200, _shape(asked.world, one, asked.api))


@route("GET", "/repos/{owner}/{repo}/pulls/{number}/comments")
def remarks(asked: Asked) -> Said:
    pull = find(asked)
    found = [one for one in asked.world.remarks if one.review.number == pull.number]
    return page(asked, [_remark_shape(asked.world, one, pull, asked.api) for one in found])


@route("PATCH", "/repos/{owner}/{repo}/pulls/comments/{id}", "pull_requests")
def update_remark(asked: Asked) -> Said:
    world = asked.world
    one = next((r for r in world.remarks if str(r.id) == asked.at["id"]), None) or no(404, "Not Found")
    if len(asked.body["body"]) > MAX_BODY:
        invalid("PullRequestReviewComment", code="custom", field="body", message="Body is too long")
    one.body, one.updated_at = asked.body["body"], world.now()
    pull = next(p for p in world.pulls if p.number == one.review.number)
    return Said(200, _remark_shape(world, one, pull, asked.api))


def _shape(world: World, one: Review, api: str) -> dict[str, Any]:
    """`pull-request-review`."""
    url = f"{api}/repos/{world.full_name}/pulls/{one.number}"
    html = f"https://github.com/{world.full_name}/pull/{one.number}#pullrequestreview-{one.id}"
    return {
        "id": one.id, "node_id": shapes.node("PullRequestReview", one.id), "user": shapes.user(one.author, api),
        "body": one.body, "state": one.state, "html_url": html, "pull_request_url": url, "commit_id": one.commit,
        "author_association": "NONE", "submitted_at": one.submitted_at,
        "_links": {"html": {"href": html}, "pull_request": {"href": url}},
    }  # fmt: skip


def _remark_shape(world: World, one: Remark, pull: Pull, api: str) -> dict[str, Any]:
    """`pull-request-review-comment`. One that is outdated has no line: GitHub says null, which its description doesn't know."""
    url, html = f"{api}/repos/{world.full_name}/pulls", f"https://github.com/{world.full_name}/pull/{pull.number}"
    line = line_now(world, one, pull)
    own = f"{url}/comments/{one.id}"
    return {
        "id": one.id, "node_id": shapes.node("PullRequestReviewComment", one.id), "url": own, "diff_hunk": "@@",
        "pull_request_review_id": one.review.id, "path": one.path, "commit_id": pull.head_sha if line else one.review.commit,
        "original_commit_id": one.review.commit, "user": shapes.user(one.author, api), "body": one.body,
        "created_at": one.created_at, "updated_at": one.updated_at, "html_url": f"{html}#discussion_r{one.id}",
        "pull_request_url": f"{url}/{pull.number}", "author_association": "NONE", "side": "RIGHT", "subject_type": "line",
        "original_line": one.line, "original_position": 1, **({"line": line, "position": 1} if line else {}),
        "start_line": None, "original_start_line": one.start_line, "start_side": None,
        "_links": {"self": {"href": own}, "html": {"href": f"{html}#discussion_r{one.id}"},
                   "pull_request": {"href": f"{url}/{pull.number}"}},
    }  # fmt: skip
