"""Rungs of a configuration: which model an agent is given, what is refused before anything is paid for, and a whole run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from split_ci.config import parse_config
from split_ci.errors import UsageError
from split_ci.implementers.agent import Agent
from split_ci.implementers.chat import Chat
from split_ci.implementers.ladder import Ladder, model_of, upstream_of
from tests.agents.fakes import install
from tests.agents.real import FILES, KEY, MODEL, PROSE
from tests.agents.server import model_server
from tests.builders import SOURCE, commit, git, make_repo, spec, split_ci

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
models:
  strong: {{api: anthropic, model: s, key: STRONG_KEY}}
  cheap: {{api: openai, model: {model}, base_url: "{url}", key: CHEAP_KEY, price: {{input: 1, cached: 0.1, output: 10}}}}
architect: strong
agents: {agents}
implementers: [exact, {rungs}]
limits: {{minutes: 1}}
"""
ENV = {"CHEAP_KEY": KEY, "STRONG_KEY": "sk-strong-0123456789"}
ACCEPT = "  - run: grep -q new docs/app.md"


def config(agents: str, rungs: str = "cheap", url: str = "http://127.0.0.1:1/v1") -> str:
    return CONFIG.format(agents=agents, rungs=rungs, url=url, model=MODEL)


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(tmp_path / "fakes", "goose")
    install(tmp_path / "fakes", "claude")
    monkeypatch.setenv("PATH", f"{tmp_path / 'fakes'}{os.pathsep}{os.environ['PATH']}")
    return make_repo(tmp_path / "r", dict(FILES))


def test_names_become_what_they_are(repo: Path) -> None:
    ladder = Ladder(parse_config(config("{goose: {}}", "goose, cheap").encode(), {}), ENV, str(repo))
    assert list(ladder) == ["goose", "cheap"]
    assert "exact" not in ladder
    assert isinstance(ladder["goose"], Agent)
    assert isinstance(ladder["cheap"], Chat)
    assert ladder["goose"] is ladder["goose"]


MODELS = {
    "not one that it can't speak to": ("{goose: {}, claude: {}}", "cheap"),
    "the first that isn't the architect's": ("{goose: {}}", "cheap"),
    "the one that it names": ("{goose: {model: strong}}", "strong"),
}


@pytest.mark.parametrize("case", MODELS)
def test_the_model_of_an_agent(case: str) -> None:
    agents, name = MODELS[case]
    assert model_of(parse_config(config(agents).encode(), {}), "goose", ("chat",)).name == name


def test_an_architect_alone_is_not_used_by_itself() -> None:
    text = "models: {a: {api: anthropic, model: m, key: A_KEY}}\narchitect: a\nagents: {goose: {}}\nimplementers: [exact, goose]\n"
    with pytest.raises(UsageError, match=r"agents\.goose: it needs a model of its own"):
        model_of(parse_config(text.encode(), {}), "goose", ("messages",))


def test_where_an_agents_requests_go() -> None:
    models = parse_config(config("{}").encode(), {}).models
    assert upstream_of(models["cheap"], ENV) == ("http://127.0.0.1:1/v1", KEY, MODEL)
    assert upstream_of(models["strong"], ENV)[0] == "https://api.anthropic.com/v1"


REFUSED = {
    "no key": ("{goose: {}}", {"CHEAP_KEY": ""}, r"models\.cheap: the environment variable CHEAP_KEY is not set"),
    "another wire": (
        "{goose: {model: strong}}",
        {},
        r"agents\.goose: it speaks chat, which strong \(api: anthropic\) doesn't offer",
    ),
    "no program": ("{goose: {command: [no-such-agent]}}", {}, r"agents\.goose: there is no program no-such-agent on PATH"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_work_is_said_at_once(repo: Path, case: str) -> None:
    agents, env, why = REFUSED[case]
    ladder = Ladder(parse_config(config(agents, "goose").encode(), {}), {**ENV, **env}, str(repo))
    with pytest.raises(UsageError, match=why):
        ladder["goose"]


@pytest.mark.parametrize(
    "agents", ["{goose: {turns: 9}}", "{mine: {command: [goose, '-i', '{brief_file}'], usage: goose, model: cheap}}"]
)
def test_a_run_with_an_agent(repo: Path, agents: str) -> None:
    """The branch, the ledger with its version and its cost; the work tree as it was, the key nowhere."""
    name = "goose" if "goose: {" in agents else "mine"
    if name == "mine":
        fake = repo.parent / "fakes" / "goose"
        fake.write_text(fake.read_text().replace('env["OPENAI_HOST"] + "/v1" if NAME == "goose" else ', ""))
    with model_server() as server:
        files = {".split-ci.yaml": config(agents, name, f"{server.url}/v1").replace("architect: strong\n", "")}
        commit(repo, {**files, "specs/a.md": spec(PROSE, accept=ACCEPT)})
        done = split_ci(repo, "run", "--format", "json", env=ENV)
    (one,) = json.loads(done.stdout)["specs"]
    assert (one["outcome"], one["edits"]["model"], one["usd"]) == ("done", 1, 0.00272)
    assert one["usage"]["implementer"]["calls"] == 2
    assert git(repo, "show", "split-ci/a:docs/app.md") == "new"
    assert (
        git(repo, "log", "-1", "--format=%(trailers:key=Implementer,valueonly)", "split-ci/a").strip() == f"{name} (9.8.7)"
    )
    assert git(repo, "status", "--porcelain") == ""
    assert KEY not in done.stdout + done.stderr + git(repo, "log", "--all", "-p", "--notes=split-ci*")


def test_a_frozen_file_that_an_agent_changed_is_refused_by_name(repo: Path) -> None:
    install(repo.parent / "fakes", "goose", do="new file")
    with model_server() as server:
        files = {".split-ci.yaml": config("{goose: {}}", "goose", f"{server.url}/v1").replace("architect: strong\n", "")}
        commit(repo, {**files, "specs/a.md": spec(PROSE, accept=ACCEPT)})
        done = split_ci(repo, "run", "--format", "json", env=ENV, code=1)
    (one,) = json.loads(done.stdout)["specs"]
    assert one["outcome"] == "refused"
    assert "NOTES.md" in one["reason"]
    assert one["usage"]["implementer"]["calls"] == 2


@pytest.mark.parametrize("box", ["auto", "none"])
def test_a_run_that_is_killed_leaves_no_process_and_loses_no_cost(repo: Path, box: str) -> None:
    """While its agent waits for the model: the next run finds what was asked in the journal, and what was left is gone."""
    with model_server(mood="hang") as server:
        text = config("{goose: {}}", "goose", f"{server.url}/v1").replace("architect: strong\n", f"sandbox: {box}\n")
        commit(repo, {".split-ci.yaml": text, "specs/a.md": spec(PROSE, accept=ACCEPT)})
        env = {**os.environ, **ENV, "PYTHONPATH": SOURCE}
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "split_ci", "run"],
            cwd=repo,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            while not server.asked:
                assert process.poll() is None
                time.sleep(0.02)
            process.kill()
        end = time.monotonic() + 20
        while running(str(repo.parent / "fakes" / "goose")) and time.monotonic() < end:
            time.sleep(0.02)
        assert running(str(repo.parent / "fakes" / "goose")) == []
        server.mood = "edit"
        split_ci(repo, "run", env=ENV)
    entries = [json.loads(line) for line in git(repo, "grep", "-h", "attempt", "refs/notes/split-ci").splitlines()]
    assert sorted((e["outcome"], e["usage"]["calls"], e["usage"]["usd"]) for e in entries) == [
        ("done", 2, 0.00272),
        ("failed", 1, None),
    ]


def running(program: str) -> list[str]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        found += [pid] if program in words and "split_ci" not in words else []
    return found
