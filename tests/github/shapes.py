"""What GitHub's objects look like in answers: every field that its published description requires."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.github.world import Actor, Comment, Pull, Status, World

USER_LINKS = {
    "followers_url": "/followers", "following_url": "/following{/other_user}", "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}", "subscriptions_url": "/subscriptions", "organizations_url": "/orgs",
    "repos_url": "/repos", "events_url": "/events{/privacy}", "received_events_url": "/received_events",
}  # fmt: skip
REPOSITORY_LINKS = {
    "archive": "{archive_format}{/ref}", "assignees": "assignees{/user}", "blobs": "git/blobs{/sha}", "branches": "branches{/branch}",
    "collaborators": "collaborators{/collaborator}", "comments": "comments{/number}", "commits": "commits{/sha}",
    "compare": "compare/{base}...{head}", "contents": "contents/{+path}", "contributors": "contributors",
    "deployments": "deployments", "downloads": "downloads", "events": "events", "forks": "forks",
    "git_commits": "git/commits{/sha}", "git_refs": "git/refs{/sha}", "git_tags": "git/tags{/sha}", "hooks": "hooks",
    "issue_comment": "issues/comments{/number}", "issue_events": "issues/events{/number}", "issues": "issues{/number}",
    "keys": "keys{/key_id}", "labels": "labels{/name}", "languages": "languages", "merges": "merges",
    "milestones": "milestones{/number}", "notifications": "notifications{?since,all,participating}",
    "pulls": "pulls{/number}", "releases": "releases{/id}", "stargazers": "stargazers", "statuses": "statuses/{sha}",
    "subscribers": "subscribers", "subscription": "subscription", "tags": "tags", "teams": "teams", "trees": "git/trees{/sha}",
}  # fmt: skip
BORN = "2025-12-01T00:00:00Z"


def node(kind: str, id_: object) -> str:
    return b64encode(f"{kind}{id_}".encode()).decode()


def user(actor: Actor, api: str) -> dict[str, Any]:
    """`simple-user`."""
    url = f"{api}/users/{actor.login}"
    return {
        "login": actor.login, "id": actor.id, "node_id": node("User", actor.id), "gravatar_id": "", "type": actor.type,
        "avatar_url": f"https://avatars.githubusercontent.com/u/{actor.id}?v=4", "url": url, "site_admin": False,
        "html_url": f"https://github.com/{actor.login}", "user_view_type": "public",
        **{name: url + rest for name, rest in USER_LINKS.items()},
    }  # fmt: skip


def owner(world: World, api: str) -> dict[str, Any]:
    return user(next(a for a in world.tokens.values() if a.login == world.owner), api)


def repository(world: World, api: str) -> dict[str, Any]:
    """`repository`, as it stands inside other objects."""
    url = f"{api}/repos/{world.full_name}"
    html = f"https://github.com/{world.full_name}"
    return {
        "id": world.id, "node_id": node("Repository", world.id), "name": world.name, "full_name": world.full_name,
        "owner": owner(world, api), "private": world.private, "html_url": html, "description": None, "fork": False, "url": url,
        **{f"{name}_url": f"{url}/{rest}" for name, rest in REPOSITORY_LINKS.items()},
        "clone_url": f"{html}.git", "git_url": f"git://github.com/{world.full_name}.git", "svn_url": html, "mirror_url": None,
        "ssh_url": f"git@github.com:{world.full_name}.git", "homepage": None, "language": None, "forks_count": 0, "forks": 0,
        "stargazers_count": 0, "watchers_count": 0, "watchers": 0, "size": 1, "default_branch": world.default_branch(),
        "open_issues_count": 0, "open_issues": 0, "has_issues": True, "has_projects": False, "has_wiki": False,
        "has_pages": False, "has_downloads": True, "has_discussions": False, "archived": world.settings.archived, "disabled": False,
        "visibility": "private" if world.private else "public", "pushed_at": BORN, "created_at": BORN, "updated_at": BORN,
        "license": None, "allow_forking": True, "is_template": False, "topics": [], "web_commit_signoff_required": False,
    }  # fmt: skip


def full_repository(world: World, actor: Actor, api: str) -> dict[str, Any]:
    writes = actor.login == world.owner or (actor.type == "Bot" and "contents" in actor.may)
    admin = actor.login == world.owner
    rights = {"admin": admin, "maintain": admin, "push": writes, "triage": writes, "pull": True}
    return {**repository(world, api), "permissions": rights, "network_count": 0, "subscribers_count": 0}


def _end(world: World, branch: str, sha: str, api: str) -> dict[str, Any]:
    return {
        "label": f"{world.owner}:{branch}", "ref": branch, "sha": sha, "user": owner(world, api), "repo": repository(world, api),
    }  # fmt: skip


def pull_simple(world: World, pull: Pull, api: str) -> dict[str, Any]:
    """`pull-request-simple`: one of a list."""
    url, html = f"{api}/repos/{world.full_name}", f"https://github.com/{world.full_name}/pull/{pull.number}"
    own, issue = f"{url}/pulls/{pull.number}", f"{url}/issues/{pull.number}"
    links = {
        "self": own, "html": html, "issue": issue, "comments": f"{issue}/comments", "review_comments": f"{own}/comments",
        "review_comment": f"{url}/pulls/comments{{/number}}", "commits": f"{own}/commits",
        "statuses": f"{url}/statuses/{pull.head_sha}",
    }  # fmt: skip
    return {
        "url": own, "id": 90_000 + pull.number, "node_id": node("PullRequest", pull.number), "html_url": html,
        "diff_url": f"{html}.diff", "patch_url": f"{html}.patch", "issue_url": issue, "commits_url": links["commits"],
        "review_comments_url": links["review_comments"], "review_comment_url": links["review_comment"],
        "comments_url": links["comments"], "statuses_url": links["statuses"], "number": pull.number, "state": pull.state,
        "locked": False, "title": pull.title, "user": user(pull.author, api), "body": pull.body,
        "labels": [label(world, name, api) for name in pull.labels], "milestone": None, "active_lock_reason": None,
        "created_at": pull.created_at, "updated_at": pull.updated_at, "closed_at": pull.closed_at,
        "merged_at": pull.merged_at, "merge_commit_sha": None, "assignee": None, "assignees": [], "requested_reviewers": [],
        "requested_teams": [], "head": _end(world, pull.head, pull.head_sha, api),
        "base": _end(world, pull.base, pull.base_sha, api), "_links": {name: {"href": href} for name, href in links.items()},
        "author_association": "OWNER" if pull.author.login == world.owner else "NONE", "auto_merge": None, "draft": pull.draft,
    }  # fmt: skip


def pull_full(world: World, pull: Pull, api: str) -> dict[str, Any]:
    """`pull-request`: one alone."""
    return {
        **pull_simple(world, pull, api), "merged": pull.merged_at is not None, "mergeable": None, "rebaseable": None,
        "mergeable_state": "unknown", "merged_by": None, "review_comments": 0, "maintainer_can_modify": False, "commits": 1,
        "comments": sum(c.number == pull.number for c in world.comments), "additions": 1, "deletions": 1, "changed_files": 1,
    }  # fmt: skip


def label(world: World, name: str, api: str) -> dict[str, Any]:
    return {
        "id": 1, "node_id": node("Label", name), "name": name, "description": None, "color": "ededed", "default": False,
        "url": f"{api}/repos/{world.full_name}/labels/{name}",
    }  # fmt: skip


def issue(world: World, pull: Pull, api: str) -> dict[str, Any]:
    """`issue`, of a pull request."""
    url, html = f"{api}/repos/{world.full_name}", f"https://github.com/{world.full_name}"
    own = f"{url}/issues/{pull.number}"
    return {
        "id": pull.number, "node_id": node("Issue", pull.number), "number": pull.number, "title": pull.title, "body": pull.body,
        "state": pull.state, "locked": False, "user": user(pull.author, api), "labels": [], "assignee": None, "milestone": None,
        "comments": 0, "closed_at": pull.closed_at, "closed_by": user(pull.closed_by, api) if pull.closed_by else None,
        "created_at": pull.created_at, "updated_at": pull.updated_at, "author_association": "NONE", "url": own,
        "repository_url": url, "labels_url": f"{own}/labels{{/name}}", "comments_url": f"{own}/comments",
        "events_url": f"{own}/events", "html_url": f"{html}/pull/{pull.number}",
    }  # fmt: skip


def issue_comment(world: World, comment: Comment, api: str) -> dict[str, Any]:
    url = f"{api}/repos/{world.full_name}/issues"
    return {
        "id": comment.id, "node_id": node("IssueComment", comment.id), "url": f"{url}/comments/{comment.id}",
        "html_url": f"https://github.com/{world.full_name}/pull/{comment.number}#issuecomment-{comment.id}",
        "issue_url": f"{url}/{comment.number}", "body": comment.body, "user": user(comment.author, api),
        "created_at": comment.created_at, "updated_at": comment.updated_at, "author_association": "NONE",
        "performed_via_github_app": None,
    }  # fmt: skip


def status(world: World, one: Status, api: str) -> dict[str, Any]:
    return {
        "url": f"{api}/repos/{world.full_name}/statuses/{one.sha}", "id": one.id, "node_id": node("Status", one.id),
        "avatar_url": None, "state": one.state, "description": one.description, "target_url": one.target_url,
        "context": one.context, "created_at": one.at, "updated_at": one.at, "creator": user(one.creator, api),
    }  # fmt: skip


def git_ref(world: World, ref: str, oid: str, api: str) -> dict[str, Any]:
    url = f"{api}/repos/{world.full_name}/git"
    return {
        "ref": ref, "node_id": node("Ref", ref), "url": f"{url}/{ref}",
        "object": {"sha": oid, "type": "commit", "url": f"{url}/commits/{oid}"},
    }  # fmt: skip
