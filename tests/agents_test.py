"""The rows: what each agent is started with, and how what it prints is read."""

from __future__ import annotations

import json

import pytest

from split_ci import agents
from split_ci.agent_said import Ended, Said
from split_ci.config_keys import KNOWN_AGENTS
from tests.agents.shapes import GIVE_UP, SHAPES

BRIEF = "Say that it is new. " * 10
AT = agents.Place(
    url="http://127.0.0.1:4141", key="split-ci-placeholder", model="m/1", brief=BRIEF, brief_file="/gate/brief.md", run="/run/x",
    home="/home/x", id="a-spec", turns=7, seconds=90, files=("docs/app.md",), reads=("src/app.py",),
)  # fmt: skip


def read(name: str, mood: str) -> Said:
    shape = SHAPES[name][mood]
    return agents.ROWS[name].read(Ended(shape.code, shape.stdout, "", shape.files))


def test_the_configuration_knows_the_same_agents() -> None:
    assert sorted(agents.ROWS) == sorted(KNOWN_AGENTS)


@pytest.mark.parametrize("name", agents.ROWS)
def test_success_is_told_with_its_tokens(name: str) -> None:
    said = read(name, "success")
    assert said.fault == ""
    assert (said.input, said.output) == (2400, 68)
    assert said.last


FAULTS: dict[str, dict[str, str]] = {
    "error": {
        "goose": "Ran into this error: Server error: it is a 500.", "aider": "litellm.InternalServerError: OpenAIException - it is a 500",
        "claude": "API Error: 500 it is a 500", "codex": "high demand", "opencode": "it is a 500", "mini-swe-agent": "InternalServerError",
    },
    "limit": {
        "goose": "I've reached the maximum number of actions I can do without user input.", "aider": "no edit was applied",
        "claude": "error_max_turns", "codex": "exit 1", "opencode": "it did not come to an end", "mini-swe-agent": "LimitsExceeded",
    },
}  # fmt: skip


@pytest.mark.parametrize("mood", FAULTS)
@pytest.mark.parametrize("name", agents.ROWS)
def test_failure_is_told_whatever_the_exit_code(name: str, mood: str) -> None:
    assert read(name, mood).fault == FAULTS[mood][name]


@pytest.mark.parametrize("name", agents.ROWS)
def test_last_words_are_found(name: str) -> None:
    assert read(name, "giveup").last == GIVE_UP


NONSENSE = {
    "nothing": "", "words": "Segmentation fault", "a list": "[1, 2]", "half an object": '{"type": "result", "usage": {', "null": "null",
    "numbers for objects": '{"messages": 5, "metadata": 7, "modelUsage": {"m": 3}, "result": 9, "is_error": false, "info": 1, "part": 2, "type": "text"}',
    "depth": "[" * 100_000, "depth in an object": '{"a":' * 100_000, "less than nothing": '{"type": "step_finish", "part": {"tokens": {"input": -5}}}',
    "nothing for objects": '{"type": "turn.completed", "usage": null, "messages": null, "properties": null, "event": "message_send"}',
}  # fmt: skip


@pytest.mark.parametrize("case", NONSENSE)
@pytest.mark.parametrize("name", agents.ROWS)
def test_nonsense_is_a_fault_and_no_crash(name: str, case: str) -> None:
    row = agents.ROWS[name]
    said = row.read(Ended(0, NONSENSE[case], "", dict.fromkeys(row.collects, NONSENSE[case])))
    assert (said.input or 0) >= 0
    if case != "numbers for objects":
        assert said.fault


@pytest.mark.parametrize("name", agents.ROWS)
def test_what_an_agent_is_started_with(name: str) -> None:
    """No key in a command line, the brief only where there is no other way, the model and the meter's address somewhere."""
    row = agents.ROWS[name]
    argv, env = row.argv(AT), row.env(AT)
    assert argv[0] == row.program
    assert AT.key not in " ".join(argv)
    assert AT.key in " ".join(env.values())
    assert "127.0.0.1:4141" in " ".join([*argv, *env.values()])
    assert any("m/1" in word for word in argv) or "m/1" in env.get("GOOSE_MODEL", "")
    assert row.stdin or AT.brief_file in argv or name == "mini-swe-agent"
    assert (BRIEF in argv) == (name == "mini-swe-agent")
    assert all(isinstance(word, str) and "\0" not in word for word in argv)


def test_a_long_brief_of_mini_is_named_by_its_file() -> None:
    argv = agents.ROWS["mini-swe-agent"].argv(AT._replace(brief="x" * 100_000))
    assert max(map(len, argv)) < 200
    assert any("/gate/brief.md" in word for word in argv)


def test_codex_has_its_own_sandbox_where_there_is_none_of_ours() -> None:
    row = agents.ROWS["codex"]
    assert "danger-full-access" in row.argv(AT)
    assert "workspace-write" in row.argv(AT._replace(fenced=False))


@pytest.mark.parametrize(
    ("name", "switch"),
    [("goose", "GOOSE_TELEMETRY_ENABLED=false"), ("aider", "--analytics-disable"), ("aider", "--no-check-update"),
     ("claude", "DISABLE_AUTOUPDATER=1"), ("claude", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1"), ("codex", "analytics.enabled=false"),
     ("codex", "check_for_update_on_startup=false"), ("opencode", "OPENCODE_DISABLE_AUTOUPDATE=1"), ("opencode", "OPENCODE_DISABLE_MODELS_FETCH=1"),
     ("mini-swe-agent", "LITELLM_LOCAL_MODEL_COST_MAP=True")],
)  # fmt: skip
def test_telemetry_and_updates_are_off(name: str, switch: str) -> None:
    row = agents.ROWS[name]
    assert switch in [*row.argv(AT), *(f"{key}={value}" for key, value in row.env(AT).items())]


def test_opencode_is_told_its_settings() -> None:
    settings = json.loads(agents.ROWS["opencode"].env(AT)["OPENCODE_CONFIG_CONTENT"])
    assert settings["provider"]["split"]["options"] == {"baseURL": "http://127.0.0.1:4141/v1", "apiKey": AT.key}
    assert settings["permission"]["webfetch"] == "deny"


def test_a_command_of_the_configuration() -> None:
    row = agents.custom("mine", ["mine", "--url={url}", "--task", "{brief_file}", "{unknown}", "{{model}}"])
    assert row.argv(AT) == ["mine", "--url=http://127.0.0.1:4141", "--task", "/gate/brief.md", "{unknown}", "{m/1}"]
    assert not row.stdin
    assert row.read(Ended(3, "", "no such file\n")) == Said("exit 3", "no such file")
    assert row.read(Ended(0, "one\ntwo\n")) == Said("", "two")


def test_a_command_without_the_brief_gets_it_on_standard_input() -> None:
    assert agents.custom("mine", ["mine"]).stdin


def test_what_is_filled_in_is_not_filled_again() -> None:
    row = agents.custom("mine", ["mine", "{brief}"])
    assert row.argv(AT._replace(brief="{key}"))[1] == "{key}"


def test_a_command_that_prints_like_a_known_agent() -> None:
    row = agents.custom("mine", ["mine"], "claude")
    shape = SHAPES["claude"]["success"]
    assert row.read(Ended(0, shape.stdout)).input == 2400


def test_a_known_agent_with_another_command_keeps_its_variables() -> None:
    row = agents.custom("goose", ["/opt/goose/bin/goose", "run", "-i", "{brief_file}"])
    assert row.program == "/opt/goose/bin/goose"
    assert row.env(AT)["OPENAI_HOST"] == AT.url
