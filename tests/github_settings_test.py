"""Settings of a repository and what each that is missing breaks: a row for each, and a twin that lacks nothing."""

from __future__ import annotations

from typing import Any

import pytest

from split_ci.github_settings import APP_KEY, PUBLISHER, REFUSES, WORKFLOWS, Environment, Needs, Settings, findings

URL = "https://github.com/ada/one"
SEEN = frozenset[str]()
IMPLEMENTER = Environment("split-ci-implementer", ("main",), secrets=frozenset({"CHEAP_KEY"}))
ARCHITECT = Environment("split-ci-architect", ("main",), secrets=frozenset({"STRONG_KEY"}))
GOOD = Settings(
    "ada/one", URL, "main", private=False, archived=False, pushes=True, installation=False, enabled=True, allowed="all",
    opens_pulls=True, default_rights="read", app=False, paused=False, environments=(IMPLEMENTER, ARCHITECT), secrets=SEEN,
    workflows=dict.fromkeys(WORKFLOWS, "active"), protected=True, rules=("pull_request",), bot_rules=(),
)  # fmt: skip
NEEDS = Needs({"split-ci-implementer": ("CHEAP_KEY",), "split-ci-architect": ("STRONG_KEY",)})


def told(settings: Settings, needs: Needs = NEEDS) -> list[tuple[str, str, str, str]]:
    return [tuple(each) for each in findings(settings, needs)]  # type: ignore[misc]


def test_one_that_lacks_nothing() -> None:
    assert {state for _, state, _, _ in told(GOOD)} == {"ok"}
    assert not any(mend for _, _, _, mend in told(GOOD))


def with_environment(**changes: Any) -> dict[str, Any]:
    return {"environments": (IMPLEMENTER._replace(**changes), ARCHITECT)}


FAULTS: dict[str, tuple[dict[str, Any], str, str, str, str]] = {
    "an archive": ({"archived": True}, "github", "fail", "nothing can be pushed", "/settings/"),
    "a token that may not push": (
        {"pushes": False}, "token", "fail", "publish, coach and record can't work with it", "contents: write, pull-requests: write",
    ),
    "no actions": ({"enabled": False}, "actions", "fail", "no workflow runs", "/settings/actions"),
    "only one's own actions": ({"allowed": "local_only"}, "actions", "fail", "not actions/checkout", "/settings/actions"),
    "actions may not open pull requests": (
        {"opens_pulls": False}, "pull requests", "fail", "publish and coach end with 403",
        "`Allow GitHub Actions to create and approve pull requests` (where it is grey, the organisation's settings first)",
    ),
    "workflows may write by default": ({"default_rights": "write"}, "default rights", "warn", "others may not", "permissions: read"),
    "no workflow": ({"workflows": {}}, "workflows", "warn", "split-ci-dispatch.yml, split-ci-spec.yml, split-ci-check.yml not on", "init"),
    "a workflow that went to sleep": (
        {"workflows": {**GOOD.workflows, "split-ci-dispatch.yml": "disabled_inactivity"}}, "workflows", "fail",  # type: ignore[dict-item]
        "split-ci-dispatch.yml is off: GitHub does that after 60 days", "/actions/workflows/split-ci-dispatch.yml: enable it",
    ),
    "a workflow that somebody switched off": (
        {"workflows": {**GOOD.workflows, "split-ci-spec.yml": "disabled_manually"}}, "workflows", "fail", "disabled_manually", "enable",  # type: ignore[dict-item]
    ),
    "a pause": ({"paused": True}, "workflows", "warn", "SPLIT_CI_PAUSED is set: nothing new is started", "delete SPLIT_CI_PAUSED"),
    "no environment": (
        {"environments": (ARCHITECT,)}, "environment split-ci-implementer", "warn",
        "CHEAP_KEY has to be one of the repository's secrets, which a workflow on any branch can read", "New environment",
    ),
    "no environment, and the secret is everywhere": (
        {"environments": (ARCHITECT,), "secrets": frozenset({"CHEAP_KEY"})}, "environment split-ci-implementer", "warn",
        "CHEAP_KEY is a secret of the repository, which a workflow on any branch can read", "New environment",
    ),
    "no environment, on a private repository": (
        {"environments": (), "private": True}, "environment split-ci-architect", "warn", "Free plan there are no secrets in environments", "",
    ),
    "no secret": (
        with_environment(secrets=SEEN), "environment split-ci-implementer", "fail",
        "CHEAP_KEY is neither among its secrets nor the repository's: the job ends without a key", "Add environment secret",
    ),
    "a secret of the repository, too": (
        {"secrets": frozenset({"CHEAP_KEY"})}, "environment split-ci-implementer", "warn", "can read it there", "/settings/secrets/actions",
    ),
    "any branch": (with_environment(branches=None), "environment split-ci-implementer", "warn", "any branch may use it", "Deployment branches"),
    "another branch": (with_environment(branches=("release",)), "environment split-ci-implementer", "fail", "main may not use it", "main"),
    "another branch, too": (
        with_environment(branches=("main", "*")), "environment split-ci-implementer", "warn", "* may use it, too", "main alone",
    ),
    "a reviewer": (with_environment(reviewers=True), "environment split-ci-implementer", "warn", "every run waits", "Required reviewers"),
    "an App without its key": (
        {"app": True}, f"environment {PUBLISHER}", "warn", f"{APP_KEY} has to be one of the repository's secrets", "New environment",
    ),
    "no rule": (
        {"rules": (), "protected": False}, "branch main", "warn", "who may push can change specs, lessons and workflows unseen", "CODEOWNERS",
    ),
    "no rule, on a private repository": (
        {"rules": (), "protected": False, "private": True}, "branch main", "warn", "a private repository of the Free plan can't", "rules",
    ),
    **{
        f"the rule {rule}": ({"bot_rules": (rule,)}, "branches split-ci/**", "fail", why, "leave refs/heads/split-ci/** out")
        for rule, why in REFUSES.items()
    },
}  # fmt: skip


@pytest.mark.parametrize(("changes", "name", "state", "said", "mend"), FAULTS.values(), ids=FAULTS)
def test_a_setting_that_lacks(changes: dict[str, Any], name: str, state: str, said: str, mend: str) -> None:
    found = told(GOOD._replace(**changes))
    (line,) = [each for each in found if each[0] == name and each[1] == state]
    assert said in line[2]
    assert mend in line[3]
    assert line[3]


@pytest.mark.parametrize(
    "field", ["enabled", "opens_pulls", "default_rights", "app", "environments", "workflows", "bot_rules"]
)
def test_what_a_token_does_not_see_is_said_and_where_to_look(field: str) -> None:
    unseen: dict[str, Any] = {field: None}
    found = [each for each in told(GOOD._replace(**unseen)) if each[1] != "ok"]
    assert found
    for _, state, said, mend in found:
        assert (state, "this token doesn't see it" in said) == ("warn", True)
        assert mend.startswith(f"{URL}/")


def test_an_app_needs_no_setting_for_pull_requests() -> None:
    publisher = Environment(PUBLISHER, ("main",), secrets=frozenset({APP_KEY}))
    app = GOOD._replace(app=True, opens_pulls=False, environments=(IMPLEMENTER, ARCHITECT, publisher))
    assert {state for _, state, _, _ in told(app)} == {"ok"}
    lines = {name: said for name, _, said, _ in told(app)}
    assert "an App: your own checks start by themselves" in lines["identity of the bot"]
    assert "wait until somebody approves them" in {name: said for name, _, said, _ in told(GOOD)}["identity of the bot"]


def test_lessons_that_go_where_nobody_may_push() -> None:
    (line,) = [each for each in told(GOOD, NEEDS._replace(coaching="main")) if each[1] == "fail"]
    assert line[2].endswith("`coaching.branch` is main: coach can't push")


def test_without_keys_no_environment_is_asked_for() -> None:
    assert not [name for name, _, _, _ in told(GOOD._replace(environments=()), Needs()) if name.startswith("environment")]
