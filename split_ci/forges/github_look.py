"""What GitHub tells of a repository's settings, as far as a token may see them. It only looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from split_ci.errors import WorldError
from split_ci.forges.github_errors import field
from split_ci.github_settings import APP_ID, PAUSED, Environment, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from split_ci.forges.github_client import Client

T = TypeVar("T")
UNPAUSED = ("", "0", "false", "no")
ANY_OF_THE_BOT = "split-ci/any"


def look(client: Client) -> Settings:
    """The settings. Raises WorldError where not even the repository is told, or GitHub is out of reach."""
    repository = client.get("")
    branch = field(repository, "default_branch", str)
    rights = repository.get("permissions")
    actions = _seen(lambda: client.get_object("actions/permissions")) or {}
    workflow = _seen(lambda: client.get_object("actions/permissions/workflow")) or {}
    return Settings(
        name=field(repository, "full_name", str),
        url=field(repository, "html_url", str),
        branch=branch,
        private=field(repository, "private", bool),
        archived=bool(repository.get("archived")),
        pushes=rights.get("push") if isinstance(rights, dict) else None,
        installation=client.place.token.startswith("ghs_"),
        enabled=actions.get("enabled"),
        allowed=actions.get("allowed_actions"),
        opens_pulls=workflow.get("can_approve_pull_request_reviews"),
        default_rights=workflow.get("default_workflow_permissions"),
        app=_is_set(client, APP_ID),
        paused=_is_set(client, PAUSED),
        environments=_seen(lambda: _environments(client, branch)),
        secrets=_seen(lambda: _names(client, "actions/secrets", "secrets")),
        workflows=_seen(lambda: _workflows(client)),
        protected=_seen(lambda: field(client.get(f"branches/{quote(branch, safe='')}"), "protected", bool)),
        rules=_seen(lambda: _rules(client, branch)),
        bot_rules=_seen(lambda: _rules(client, ANY_OF_THE_BOT)),
    )


def _seen(ask: Callable[[], T]) -> T | None:
    """None where the token may not see it. Raises WorldError where asking again may help."""
    try:
        return ask()
    except WorldError as error:
        if error.again:
            raise
        return None


def _is_set(client: Client, name: str) -> bool | None:
    """Whether a variable of the repository is set to something; None where that can't be seen."""
    listed = _seen(lambda: list(client.pages("actions/variables", "variables")))
    if listed is None:
        return None
    return any(each.get("name") == name and str(each.get("value")).strip().lower() not in UNPAUSED for each in listed)


def _environments(client: Client, branch: str) -> tuple[Environment, ...]:
    found = []
    for each in client.pages("environments", "environments"):
        name = field(each, "name", str)
        if name.startswith("split-ci-"):
            path = f"environments/{quote(name, safe='')}"
            rules = {rule.get("type") for rule in each.get("protection_rules") or ()}
            secrets = _seen(lambda path=path: _names(client, f"{path}/secrets", "secrets"))  # type: ignore[misc]
            branches = _branches(client, path, each.get("deployment_branch_policy"), branch)
            found.append(Environment(name, branches, "required_reviewers" in rules, secrets))
    return tuple(found)


def _branches(client: Client, path: str, policy: Any, branch: str) -> tuple[str, ...] | None:  # noqa: ANN401 - foreign JSON
    """Which branches may use an environment: None is any."""
    if not isinstance(policy, dict):
        return None
    if policy.get("custom_branch_policies"):
        listed = client.pages(f"{path}/deployment-branch-policies", "branch_policies")
        return tuple(str(each.get("name")) for each in listed)
    return (branch,) if policy.get("protected_branches") else None


def _names(client: Client, path: str, key: str) -> frozenset[str]:
    return frozenset(str(each.get("name")) for each in client.pages(path, key))


def _workflows(client: Client) -> dict[str, str]:
    listed = client.pages("actions/workflows", "workflows")
    return {field(each, "path", str).rpartition("/")[2]: field(each, "state", str) for each in listed}


def _rules(client: Client, branch: str) -> tuple[str, ...]:
    listed = client.pages(f"rules/branches/{quote(branch, safe='')}")
    return tuple(sorted({str(each.get("type")) for each in listed}))
