"""doctor on GitHub: what the token sees is judged, what it doesn't see is said, and nothing is changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from split_ci.github_settings import WORKFLOWS
from tests.builders import commit, git, write
from tests.github import Answer, Fault
from tests.github.world import BOT, Environment

if TYPE_CHECKING:
    from tests.forges.hub import Hub

CONFIG = """\
models:
  strong: {api: openai, model: m, key: STRONG_KEY, price: {input: 1, output: 1}}
  cheap: {api: openai, model: m, key: CHEAP_KEY, price: {input: 1, output: 1}}
architect: strong
implementers: [exact, cheap]
forge: github
sandbox: none
"""
KEYS = {"STRONG_KEY": "k" * 20, "CHEAP_KEY": "k" * 20}
FORGE = (
    "github", "token", "actions", "pull requests", "identity of the bot", "default rights", "workflows",
    "environment split-ci-implementer", "environment split-ci-architect", "branch main", "branches split-ci/**",
)  # fmt: skip


@pytest.fixture
def set_up(hub: Hub) -> Hub:
    """A repository as docs/github.md says."""
    write(hub.repo, {".split-ci.yaml": CONFIG})
    settings = hub.server.world.settings
    settings.environments = {
        "split-ci-implementer": Environment(secrets=("CHEAP_KEY",)), "split-ci-architect": Environment(secrets=("STRONG_KEY",)),
        "production": Environment(None),
    }  # fmt: skip
    settings.workflows = dict.fromkeys(WORKFLOWS, "active")
    settings.rules = {"main": ["pull_request"]}
    return hub


def told(hub: Hub, token: str = "ada-token", *args: str, code: int | None = 0) -> dict[str, Any]:
    done = hub.cli("doctor", "--format", "json", *args, code=code, token=token, **KEYS)
    return {each["name"]: each for each in json.loads(done.stdout)["checks"]}


def states(found: dict[str, Any]) -> dict[str, str]:
    return {name: found[name]["state"] for name in FORGE}


def test_an_administrator_s_token_sees_all_of_it(set_up: Hub) -> None:
    found = told(set_up)
    assert states(found) == dict.fromkeys(FORGE, "ok")
    assert found["environment split-ci-implementer"]["message"] == "CHEAP_KEY, for the branch main alone"
    assert set_up.server.writes == []


def test_a_workflow_s_token_says_what_it_does_not_see(set_up: Hub) -> None:
    found = told(set_up, "bot-token")
    assert found["pull requests"] == {
        "name": "pull requests", "state": "warn",
        "message": "whether Actions may open pull requests: this token doesn't see it (an administrator's does)",
        "mend": "https://github.com/ada/one/settings/actions, Workflow permissions: "
        "`Allow GitHub Actions to create and approve pull requests`",
    }  # fmt: skip
    assert {name for name, state in states(found).items() if state == "ok"} == {
        "github", "token", "workflows", "environment split-ci-implementer", "environment split-ci-architect", "branch main",
        "branches split-ci/**",
    }  # fmt: skip


def test_what_is_wrong_is_said(set_up: Hub) -> None:
    world, settings = set_up.server.world, set_up.server.world.settings
    world.actions_may_open_pulls = False
    settings.enabled, settings.default_rights = False, "write"
    settings.environments = {
        "split-ci-implementer": Environment(None),
        "split-ci-architect": Environment(("dev", "main"), ("STRONG_KEY",)),
    }
    settings.variables = {"SPLIT_CI_PAUSED": "true"}
    settings.rules = {"split-ci/": ["required_signatures", "non_fast_forward", "required_linear_history"]}
    found = told(set_up, code=1)
    assert states(found) == {
        **dict.fromkeys(FORGE, "fail"), "github": "ok", "token": "ok", "identity of the bot": "ok", "default rights": "warn",
        "workflows": "warn", "environment split-ci-architect": "warn", "branch main": "warn",
        "environment split-ci-implementer": "fail",
    }  # fmt: skip
    assert "CHEAP_KEY is neither" in found["environment split-ci-implementer"]["message"]
    assert found["environment split-ci-architect"]["message"] == "dev may use it, too"
    assert "required_signatures: " in found["branches split-ci/**"]["message"]
    assert "required_linear_history" not in found["branches split-ci/**"]["message"]


def test_a_pause_that_says_false_is_none(set_up: Hub) -> None:
    set_up.server.world.settings.variables = {"SPLIT_CI_PAUSED": "false", "SPLIT_CI_APP_ID": "Iv1"}
    found = told(set_up)
    assert found["workflows"]["state"] == "ok"
    assert "an App" in found["identity of the bot"]["message"]
    assert found["environment split-ci-publisher"]["state"] == "warn"


def test_offline_nobody_is_asked(set_up: Hub) -> None:
    found = told(set_up, "ada-token", "--offline")
    assert "github" not in found
    assert found["forge"]["state"] == "ok"
    assert set_up.server.log == []


FAULTS: dict[str, tuple[Answer | None, str]] = {
    "a token that is no good": (Answer(401, {"message": "Bad credentials"}), "401: Bad credentials"),
    "a repository that it doesn't see": (Answer(404, {"message": "Not Found"}), "404: Not Found"),
    "a page of a proxy": (Answer(200, b"<html>hello"), "what is not JSON"),
}


@pytest.mark.parametrize("row", FAULTS)
def test_a_forge_that_does_not_answer_is_one_line(set_up: Hub, row: str) -> None:
    answer, message = FAULTS[row]
    set_up.server.faults.append(Fault(answer, times=0))
    done = set_up.cli("doctor", "--format", "json", code=1, **KEYS)
    (found,) = [each for each in json.loads(done.stdout)["checks"] if each["state"] == "fail"]
    assert found["name"] == "forge"
    assert message in found["message"]
    assert "bot-token" not in done.stdout + done.stderr


def test_what_others_may_run_with_secrets_is_listed_on_all_branches(set_up: Hub) -> None:
    git(set_up.repo, "checkout", "-q", "-b", "old")
    commit(set_up.repo, {".github/workflows/label.yml": "on: pull_request_target\n"})
    git(set_up.repo, "push", "-q", "origin", "old")
    git(set_up.repo, "checkout", "-q", "main")
    git(set_up.repo, "branch", "-q", "-D", "old")
    write(set_up.repo, {".split-ci.yaml": CONFIG})
    found = told(set_up)
    assert found["other workflows"]["state"] == "warn"
    assert found["other workflows"]["message"] == (
        ".github/workflows/label.yml runs with the repository's secrets on what others write (pull_request_target); on origin/old"
    )


def test_a_token_that_may_not_push(set_up: Hub) -> None:
    set_up.server.world.tokens["bot-token"] = BOT._replace(may=frozenset({"issues"}))
    assert told(set_up, "bot-token", code=1)["token"]["state"] == "fail"
