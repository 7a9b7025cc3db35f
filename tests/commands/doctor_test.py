"""doctor in real repositories: one line a thing, how to mend it, and no word of any key."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from split_ci import sandbox
from split_ci.steps.doctor import examine
from tests.builders import git, make_repo, split_ci, write
from tests.models.contract_test import said
from tests.models.servers import Answer, serving

if TYPE_CHECKING:
    from pathlib import Path

KEY = "CANARY0123456789abcdef"
MODEL = "models:\n  cheap: {{api: {api}, model: m, key: CHEAP_KEY{more}}}\nimplementers: [exact, cheap]\nsandbox: none\n"
OPENAI = MODEL.format(api="openai", more="")
PRICED = MODEL.format(api="openai", more=", price: {input: 1, output: 2}")
LOCAL = "models:\n  here: {api: openai, model: m, base_url: 'http://localhost:1/v1', price: {input: 0, output: 0}}\nimplementers: [exact, here]\nsandbox: none\n"
SCRIPTED = "models:\n  a: {api: scripted, replies: replies.json}\narchitect: a\nsandbox: none\n"
AGENT = "agents: {mine: {command: [no-such-program-here]}}\nimplementers: [exact, mine]\nsandbox: none\n"
GITHUB = "forge: github\nsandbox: none\n"
FROM = ("--source", f"git+https://github.com/o/r@{'0' * 40}")


def found(repo: Path, *, env: dict[str, str] | None = None, code: int = 0) -> dict[str, dict[str, str]]:
    """The findings by name; of several with one name, the last."""
    done = split_ci(repo, "doctor", "--format", "json", env=env, code=code)
    answer = json.loads(done.stdout)
    assert answer["ok"] is (code == 0)
    return {check["name"]: check for check in answer["checks"]}


def line(repo: Path, name: str, *, env: dict[str, str] | None = None, code: int = 0) -> tuple[str, str, str]:
    check = found(repo, env=env, code=code)[name]
    return check["state"], check["message"], check["mend"]


def test_a_repository_as_init_leaves_it_lacks_nothing(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": "sandbox: auto\n", "a.txt": "a"})
    split_ci(repo, "init", "--hook", "git", *FROM)
    checks = found(repo)
    assert {name: check["state"] for name, check in checks.items() if name != "sandbox"} == dict.fromkeys(
        ("python", "git", "repository", "identity", "configuration", "specs", "hook", "implementer", "architect", "forge",
         "workflows"),
        "ok",
    )  # fmt: skip
    assert checks["python"]["message"] == ".".join(map(str, sys.version_info[:3]))
    assert checks["repository"]["message"] == f"{repo}, default branch main"
    assert not any(check["mend"] for name, check in checks.items() if name != "sandbox")


def test_the_text_ends_in_a_count(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": "sandbox: none\n"})
    done = split_ci(repo, "doctor")
    assert "warn  specs          there is no folder specs/\n                     mend: split-ci init\n" in done.stdout
    assert done.stdout.endswith("\n8 ok, 3 that could be better, 0 that must be mended\n")


def test_it_changes_nothing(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": "sandbox: none\n"})
    before = {p: p.read_bytes() for p in repo.rglob("*") if p.is_file()}
    split_ci(repo, "doctor")
    assert {p: p.read_bytes() for p in repo.rglob("*") if p.is_file()} == before


KEYS = {
    "not set": (None, ("fail", "cheap (openai, m): CHEAP_KEY is not set", "export CHEAP_KEY=…")),
    "blank": ("  ", ("fail", "cheap (openai, m): CHEAP_KEY is blank", "export CHEAP_KEY=…")),
    "quoted": (f'"{KEY}"', ("fail", "cheap (openai, m): CHEAP_KEY has quotes around it", "export CHEAP_KEY=…")),
    "with a line end": (
        KEY + "\n",
        (
            "fail",
            "cheap (openai, m): CHEAP_KEY holds a blank, a line end or another character that no key has",
            "export CHEAP_KEY=…",
        ),
    ),
    "without a price": (
        KEY,
        (
            "warn",
            "cheap (openai, m): its price is not known, so money limits can't hold",
            "models.cheap.price in .split-ci.yaml",
        ),
    ),
}


@pytest.mark.parametrize(("key", "said"), KEYS.values(), ids=KEYS)
def test_a_key_is_judged_and_never_shown(tmp_path: Path, key: str | None, said: tuple[str, str, str]) -> None:
    pytest.importorskip("openai", reason="the SDK is an extra")
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": OPENAI})
    code = 1 if said[0] == "fail" else 0
    env = {} if key is None else {"CHEAP_KEY": key}
    assert line(repo, "implementer", env=env, code=code) == said
    done = split_ci(repo, "doctor", env=env, code=code)
    assert KEY not in done.stdout + done.stderr


def test_a_model_with_everything_is_fine(tmp_path: Path) -> None:
    pytest.importorskip("openai", reason="the SDK is an extra")
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": PRICED})
    assert line(repo, "implementer", env={"CHEAP_KEY": KEY}) == ("ok", "cheap (openai, m), key in CHEAP_KEY", "")


def test_a_model_on_this_machine_needs_no_key(tmp_path: Path) -> None:
    pytest.importorskip("openai", reason="the SDK is an extra")
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": LOCAL})
    assert line(repo, "implementer") == ("ok", "here (openai, m), which needs no key", "")


BROKEN = {
    "a configuration with a typo": (
        {".split-ci.yaml": "sandbx: none\n"},
        "configuration",
        (
            ".split-ci.yaml:1: unknown key 'sandbx': did you mean 'sandbox'?",
            "mend .split-ci.yaml; the defaults are used below",
        ),
    ),
    "recorded replies that are not there": (
        {".split-ci.yaml": SCRIPTED},
        "architect",
        ("a (recorded replies): replies.json is not there", "put it there, or change .split-ci.yaml"),
    ),
    "an agent that is not installed": (
        {".split-ci.yaml": AGENT},
        "implementer",
        ("mine: there is no program no-such-program-here on PATH", "install no-such-program-here, or change .split-ci.yaml"),
    ),
    "github without a token": (
        {".split-ci.yaml": GITHUB},
        "forge",
        ("github: none of GITHUB_TOKEN and GH_TOKEN is set", "export GITHUB_TOKEN=…, or `forge: local`"),
    ),
}


@pytest.mark.parametrize(("files", "name", "said"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_work_fails(tmp_path: Path, files: dict[str, str], name: str, said: tuple[str, str]) -> None:
    repo = make_repo(tmp_path / "r", files)
    env = {"GITHUB_TOKEN": "", "GH_TOKEN": ""}
    assert line(repo, name, env=env, code=1) == ("fail", *said)


def test_recorded_replies_that_are_there_are_called_so(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": SCRIPTED, "replies.json": "[]"})
    assert line(repo, "architect") == ("ok", "a (recorded replies of replies.json)", "")


def test_github_without_a_remote_fails(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": GITHUB})
    said = line(repo, "forge", env={"GITHUB_TOKEN": KEY}, code=1)
    assert said == ("fail", "github: there is no remote origin", "git remote add origin …, or `forge: local`")


def test_no_commit_yet(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r")
    write(repo, {".split-ci.yaml": "sandbox: none\n"})
    assert line(repo, "repository") == ("warn", f"{repo} has no commit yet", "git commit: a result starts from one")


def test_a_shallow_clone(tmp_path: Path) -> None:
    origin = make_repo(tmp_path / "r", {".split-ci.yaml": "sandbox: none\n"})
    git(origin, "commit", "-q", "--allow-empty", "-m", "second")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{origin}", "shallow")
    repo = tmp_path / "shallow"
    assert line(repo, "repository") == ("warn", f"{repo} is shallow: a base may be out of reach", "git fetch --unshallow")


def test_a_person_without_a_name(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": "sandbox: none\n"})
    git(repo, "config", "--unset", "user.name")
    env = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    assert line(repo, "identity", env=env) == (
        "warn",
        "user.name not set: land merges in your name",
        "git config user.name …",
    )


HOOKS = {
    "nothing": ({}, ("warn", "no hook checks specs when they are committed", "split-ci init")),
    "an odd pre-commit configuration": (
        {".pre-commit-config.yaml": "repos: 7\n"},
        ("warn", "no hook checks specs when they are committed", "split-ci init"),
    ),
    "an entry that git knows nothing of": (
        {".pre-commit-config.yaml": "repos:\n- repo: local\n  hooks:\n  - id: split-ci-check\n"},
        ("warn", ".pre-commit-config.yaml names the hook, and pre-commit is not installed here", "pre-commit install"),
    ),
    "both": (
        {
            ".pre-commit-config.yaml": "repos:\n- repo: local\n  hooks:\n  - id: split-ci-check\n",
            ".git/hooks/pre-commit": "#!/bin/sh\nexec pre-commit hook-impl\n",
        },
        ("ok", "specs are checked by pre-commit at every commit", ""),
    ),
    "a line in a hook of one's own": (
        {".git/hooks/pre-commit": "#!/bin/sh\nsplit-ci check --staged || exit 1\n"},
        ("ok", "specs are checked by a git hook at every commit", ""),
    ),
}


@pytest.mark.parametrize(("files", "said"), HOOKS.values(), ids=HOOKS)
def test_the_hook(tmp_path: Path, files: dict[str, str], said: tuple[str, str, str]) -> None:
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": "sandbox: none\n"})
    write(repo, files)
    assert line(repo, "hook") == said


def test_a_hooks_path_of_the_user_is_read(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": "sandbox: none\n", ".husky/pre-commit": "split-ci check --staged\n"})
    git(repo, "config", "core.hooksPath", ".husky")
    assert line(repo, "hook")[0] == "ok"


def test_a_sandbox_that_is_off_is_said(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": "sandbox: none\n"})
    state, message, mend = line(repo, "sandbox")
    assert (state, mend) == ("warn", "sandbox: auto")
    assert message.startswith("none: ")


def path_with(folder: Path, *programs: tuple[str, str]) -> dict[str, str]:
    """A PATH that holds these programs and nothing else."""
    for name, script in programs:
        write(folder, {name: script})
        (folder / name).chmod(0o755)
    return {"PATH": str(folder)}


@pytest.mark.parametrize(("mode", "state"), [("required", "fail"), ("auto", "warn")])
def test_a_sandbox_that_does_not_work_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, state: str) -> None:
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": f"sandbox: {mode}\n"})
    monkeypatch.setitem(sandbox._chosen, "found", sandbox.Sandbox("none", warning="unshare: not allowed"))
    (finding,) = [finding for finding in examine(str(repo), {}) if finding.name == "sandbox"]
    assert (finding.state, finding.mend) == (state, sandbox.HOW_TO_MEND)
    assert "unshare: not allowed" in finding.message


def test_an_old_git_fails_and_the_rest_is_said_too(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": "sandbox: none\n"})
    script = (
        '#!/bin/sh\nfor each; do [ "$each" = version ] && echo git version 2.37.9 && exit; done\nexec /usr/bin/git "$@"\n'
    )
    checks = found(repo, env=path_with(tmp_path / "bin", ("git", script)), code=1)
    assert (checks["git"]["state"], checks["git"]["mend"]) == ("fail", "install git 2.38 or newer")
    assert checks["forge"]["state"] == "ok"


def test_no_git_at_all_is_one_line(tmp_path: Path) -> None:
    repo = make_repo(tmp_path / "r", {})
    checks = found(repo, env={"PATH": str(tmp_path)}, code=1)
    assert list(checks) == ["python", "repository"]
    assert checks["repository"]["message"] == "git is not on PATH"


def test_outside_a_repository(tmp_path: Path) -> None:
    assert line(tmp_path, "repository", code=1)[2] == "git init, or cd to one"


# --- with calls


LIVE = """\
models:
  cheap: {{api: openai, model: small, base_url: '{url}/v1', key: CHEAP_KEY, price: {{input: 1, cached: 0.1, output: 10}}}}
  strong: {{api: anthropic, model: small, base_url: '{url}', key: STRONG_KEY}}
architect: {architect}
implementers: [exact, {rungs}]
sandbox: none
"""
KEYED = {"CHEAP_KEY": KEY, "STRONG_KEY": KEY}
OPENAI_OK = said("openai", '{"ok": true}')


def live(tmp_path: Path, *answers: Answer, architect: str = "rules", rungs: str = "cheap", code: int = 0) -> Called:
    """The findings about calls, with what the server was asked."""
    pytest.importorskip("openai")
    pytest.importorskip("anthropic")
    with serving(*answers) as server:
        text = LIVE.format(url=server.url, architect=architect, rungs=rungs)
        repo = make_repo(tmp_path / "r", {".split-ci.yaml": text, "a.txt": "a"})
        done = split_ci(repo, "doctor", "--live", "--format", "json", env=KEYED, code=code)
        assert KEY not in done.stdout + done.stderr
        checks = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "call"]
        text = split_ci(repo, "doctor", "--live", env=KEYED, code=code).stdout
        assert KEY not in text
        return Called(checks, server.asked[: len(server.asked) // 2])


class Called(NamedTuple):
    checks: list[dict[str, str]]
    asked: list[dict[str, Any]]


def test_live_asks_each_model_one_short_question(tmp_path: Path) -> None:
    found = live(tmp_path, OPENAI_OK)
    ((check,), (asked,)) = found
    assert check["state"] == "ok"
    assert re.fullmatch(r"cheap \(openai, small\): answers \(\d\.\d s, 100 \+ 20 tokens, \$0\.000273\)", check["message"])
    assert asked["max_tokens"] == 256
    assert len(json.dumps(asked)) < 400
    assert "response_format" not in asked


def test_live_asks_the_architect_for_json(tmp_path: Path) -> None:
    found = live(tmp_path, said("anthropic", '{"ok": true}'), architect="strong", rungs="strong")
    assert [(check["state"], len(found.asked)) for check in found.checks] == [("ok", 1)]
    assert "at a price that is not known" in found.checks[0]["message"]
    assert found.asked[0]["output_config"]["format"]["type"] == "json_schema"


def test_live_says_where_an_architect_answers_in_prose(tmp_path: Path) -> None:
    ((check,), _) = live(tmp_path, said("openai", "ok!"), architect="cheap", code=1)
    assert check["message"].startswith("cheap (openai, small): it answers, and not in JSON as it was asked to (")
    assert check["mend"] == "a review needs it: another model or server as architect"


def test_live_says_where_another_model_answers(tmp_path: Path) -> None:
    other = {**OPENAI_OK.body, "model": "tiny\x1b[31m"}  # type: ignore[dict-item]
    ((check,), _) = live(tmp_path, Answer(200, other))
    assert (check["state"], check["mend"]) == ("warn", "models.cheap.model")
    assert "tiny\\x1b[31m answers in its place" in check["message"]


@pytest.mark.parametrize(
    ("answer", "message", "mend"),
    [
        (Answer(401, {"error": {"message": f"bad key {KEY}"}}), "cheap: 401, the key was refused",
         "is the value of CHEAP_KEY a key of URL/v1, and may it use this model?"),
        (Answer(404, {"error": {"message": "gone"}}), "cheap: 404, no such model or address",
         "models.cheap.model, models.cheap.base_url"),
        (Answer(200, b"<html>proxy</html>"), "cheap: an answer that can't be read", "try again later"),
        (Answer(400, {"error": {"message": "no"}}), "cheap: 400", "models.cheap in .split-ci.yaml"),
    ],
)  # fmt: skip
def test_live_says_how_to_mend_what_is_wrong(tmp_path: Path, answer: Answer, message: str, mend: str) -> None:
    ((check,), _) = live(tmp_path, answer, code=1)
    assert check["state"] == "fail"
    assert check["message"].startswith(message)
    assert re.sub(r"http://127\.0\.0\.1:\d+", "URL", check["mend"]) == mend


def test_live_says_where_nobody_answers(tmp_path: Path) -> None:
    text = LIVE.format(url="http://127.0.0.1:1", architect="rules", rungs="cheap")
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": text, "a.txt": "a"})
    done = split_ci(repo, "doctor", "--live", "--format", "json", env=KEYED, code=1)
    (check,) = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "call"]
    assert "the server can't be reached" in check["message"]
    assert check["mend"] == "is models.cheap.base_url right, and the network there?"


def test_live_without_a_key_asks_nobody(tmp_path: Path) -> None:
    text = LIVE.format(url="http://127.0.0.1:1", architect="rules", rungs="cheap")
    repo = make_repo(tmp_path / "r", {".split-ci.yaml": text, "a.txt": "a"})
    done = split_ci(repo, "doctor", "--live", "--format", "json", code=1)
    (check,) = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "call"]
    assert check["message"] == "models.cheap: the environment variable CHEAP_KEY is not set"


def test_live_starts_an_agent_once(tmp_path: Path) -> None:
    program = tmp_path / "bin/mine"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho mine 1.2.3\n")
    program.chmod(0o755)
    with serving(OPENAI_OK) as server:
        text = LIVE.format(url=server.url, architect="rules", rungs="mine")
        text += f"agents: {{mine: {{command: ['{program}'], model: cheap}}}}\n"
        repo = make_repo(tmp_path / "r", {".split-ci.yaml": text, "a.txt": "a"})
        done = split_ci(repo, "doctor", "--live", "--format", "json", env=KEYED)
        checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
        assert checks["agent"]["message"] == "mine (1.2.3) starts, and its model is cheap"
        assert checks["call"]["state"] == "ok"
        assert len(server.asked) == 1


def test_workflows_that_lag_behind_the_configuration_are_named(tmp_path: Path) -> None:
    pytest.importorskip("openai", reason="the SDK is an extra")
    repo = make_repo(tmp_path / "r", {"a.txt": "a"})
    assert "workflows" not in found(repo)
    split_ci(repo, "init", "--hook", "none", *FROM)
    assert line(repo, "workflows") == ("ok", "as this configuration and this version ask for", "")
    write(repo, {".split-ci.yaml": PRICED})
    spec_run = ".github/workflows/split-ci-spec.yml"
    said = f"{spec_run}: not what this configuration and this version ask for"
    env = {"CHEAP_KEY": KEY}
    assert line(repo, "workflows", env=env) == ("warn", said, "split-ci init, and commit what it writes")
    write(repo, {spec_run: "name: mine\n"})
    assert line(repo, "workflows", env=env) == ("ok", f"{spec_run}: changed by hand, and left to you", "")
