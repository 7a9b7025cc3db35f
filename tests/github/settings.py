"""What only an administrator sets, and mostly only an administrator's token sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.github import shapes
from tests.github.routes import Asked, Said, no, page, route

if TYPE_CHECKING:
    from tests.github.world import Environment

START = "/repos/{owner}/{repo}"


def admin(asked: Asked) -> None:
    """Most of it is told to nobody else."""
    if asked.actor.type == "Bot":
        no(403, "Resource not accessible by integration")
    if asked.actor.login != asked.world.owner:
        no(403, "Must have admin rights to Repository.")


@route("GET", f"{START}/actions/permissions")
def permissions(asked: Asked) -> Said:
    admin(asked)
    settings = asked.world.settings
    return Said(200, {"enabled": settings.enabled, "allowed_actions": settings.allowed, "sha_pinning_required": False})


@route("GET", f"{START}/actions/permissions/workflow")
def workflow_permissions(asked: Asked) -> Said:
    admin(asked)
    world = asked.world
    rights = world.settings.default_rights
    return Said(
        200, {"default_workflow_permissions": rights, "can_approve_pull_request_reviews": world.actions_may_open_pulls}
    )


@route("GET", f"{START}/actions/variables")
def variables(asked: Asked) -> Said:
    admin(asked)
    at = {"created_at": shapes.BORN, "updated_at": shapes.BORN}
    return _counted(
        asked, "variables", [{"name": name, "value": value, **at} for name, value in asked.world.settings.variables.items()]
    )


@route("GET", f"{START}/actions/secrets")
def secrets(asked: Asked) -> Said:
    admin(asked)
    return _counted(asked, "secrets", [_secret(name) for name in asked.world.settings.secrets])


@route("GET", f"{START}/environments")
def environments(asked: Asked) -> Said:
    found = [_environment(asked, name, one) for name, one in asked.world.settings.environments.items()]
    return _counted(asked, "environments", found)


@route("GET", f"{START}/environments/{{environment}}/secrets")
def environment_secrets(asked: Asked) -> Said:
    admin(asked)
    return _counted(asked, "secrets", [_secret(name) for name in _find(asked).secrets])


@route("GET", f"{START}/environments/{{environment}}/deployment-branch-policies")
def policies(asked: Asked) -> Said:
    names = _find(asked).branches or ()
    found = [{"id": n, "node_id": shapes.node("Policy", n), "name": name, "type": "branch"} for n, name in enumerate(names)]
    return _counted(asked, "branch_policies", found)


@route("GET", f"{START}/branches/{{branch+}}")
def branch(asked: Asked) -> Said:
    world, name = asked.world, asked.at["branch"]
    sha = world.refs().get(f"refs/heads/{name}") or no(404, "Branch not found")
    url = f"{asked.api}/repos/{world.full_name}"
    person = {"name": "Ada", "email": "ada@example.org", "date": shapes.BORN}
    told = {
        "author": person, "committer": person, "message": "one", "comment_count": 0, "url": f"{url}/git/commits/{sha}",
        "tree": {"sha": sha, "url": f"{url}/git/trees/{sha}"},
    }  # fmt: skip
    commit: dict[str, Any] = {
        "sha": sha, "node_id": shapes.node("Commit", sha), "url": f"{url}/commits/{sha}", "html_url": f"{url}/commit/{sha}",
        "comments_url": f"{url}/commits/{sha}/comments", "author": None, "committer": None, "parents": [], "commit": told,
    }  # fmt: skip
    return Said(200, {
        "name": name, "protected": world.settings.protected, "protection": {"enabled": world.settings.protected},
        "protection_url": f"{url}/branches/{name}/protection", "commit": commit,
        "_links": {"html": f"https://github.com/{world.full_name}/tree/{name}", "self": f"{url}/branches/{name}"},
    })  # fmt: skip


@route("GET", f"{START}/rules/branches/{{branch+}}")
def rules(asked: Asked) -> Said:
    name = asked.at["branch"]
    known = asked.world.settings.rules
    types = known.get(name, []) + (known.get("split-ci/", []) if name.startswith("split-ci/") else [])
    about = {"ruleset_source_type": "Repository", "ruleset_source": asked.world.full_name, "ruleset_id": 1}
    return page(asked, [{"type": kind, **PARAMETERS.get(kind, {}), **about} for kind in types])


PARAMETERS: dict[str, dict[str, Any]] = {
    "update": {"parameters": {"update_allows_fetch_and_merge": False}},
    "pull_request": {"parameters": {
        "dismiss_stale_reviews_on_push": False, "require_code_owner_review": True, "require_last_push_approval": False,
        "required_approving_review_count": 1, "required_review_thread_resolution": False,
    }},
}  # fmt: skip


def _counted(asked: Asked, key: str, items: list[Any]) -> Said:
    said = page(asked, items)
    return Said(200, {"total_count": len(items), key: said.body}, said.headers)


def _secret(name: str) -> dict[str, Any]:
    return {"name": name, "created_at": shapes.BORN, "updated_at": shapes.BORN}


def _find(asked: Asked) -> Environment:
    found: Environment | None = asked.world.settings.environments.get(asked.at["environment"])
    return found or no(404, "Not Found")


def _environment(asked: Asked, name: str, one: Environment) -> dict[str, Any]:
    url = f"{asked.api}/repos/{asked.world.full_name}/environments/{name}"
    policy = None if one.branches is None else {
        "protected_branches": one.branches == (), "custom_branch_policies": one.branches != (),
    }  # fmt: skip
    rules = [{"id": 1, "node_id": "a", "type": "required_reviewers", "reviewers": []}] if one.reviewers else []
    return {
        "id": 1, "node_id": shapes.node("Environment", name), "name": name, "url": url, "created_at": shapes.BORN,
        "html_url": f"https://github.com/{asked.world.full_name}/deployments", "updated_at": shapes.BORN,
        "protection_rules": rules, "deployment_branch_policy": policy,
    }  # fmt: skip


@route("GET", f"{START}/actions/workflows")
def workflows(asked: Asked) -> Said:
    world, at = asked.world, {"created_at": shapes.BORN, "updated_at": shapes.BORN}
    found = []
    for number, (name, state) in enumerate(world.settings.workflows.items(), 1):
        url, html = (
            f"{asked.api}/repos/{world.full_name}/actions/workflows/{number}",
            f"https://github.com/{world.full_name}",
        )
        found.append({
            "id": number, "node_id": shapes.node("Workflow", number), "name": name, "path": f".github/workflows/{name}",
            "state": state, "url": url, "html_url": f"{html}/blob/main/.github/workflows/{name}",
            "badge_url": f"{html}/workflows/{name}/badge.svg", **at,
        })  # fmt: skip
    return _counted(asked, "workflows", found)
