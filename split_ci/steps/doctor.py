"""doctor: what this machine and this repository still lack, each with the way to mend it. Keys are named, never read out."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

from split_ci import sandbox
from split_ci.coaching import default_branch
from split_ci.config import FILE, Config, find_config
from split_ci.errors import Refused, UsageError, WorldError
from split_ci.examined import Finding
from split_ci.fields import read_object
from split_ci.git import Repo, run_git
from split_ci.hook_entry import PRE_COMMIT, has_entry, hooks_path
from split_ci.plain import visible
from split_ci.ports import Message, Request
from split_ci.risky import risky_workflows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from split_ci.config import ModelConfig
    from split_ci.ports import Model

LIVE_SECONDS = 60.0
LIVE_TOKENS = 256  # models that think before they answer need some
OK = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": False}
OLDEST_GIT = (2, 38)  # the first with `merge-tree --write-tree`, which finds conflicts before anything is touched
OLDEST_PYTHON = (3, 11)
PROGRAMS = {"mini-swe-agent": "mini"}  # agents whose program has another name
MOST_RISKY = 50
MOST_BRANCHES = 5
TOKENS = ("GITHUB_TOKEN", "GH_TOKEN")


def examine(cwd: str, env: Mapping[str, str]) -> tuple[Finding, ...]:
    """Looks at everything that can be looked at without a network, and changes nothing."""
    return tuple(_examine(cwd, env))


def _examine(cwd: str, env: Mapping[str, str]) -> Iterator[Finding]:
    yield _python()
    try:
        yield _git(cwd)
        repo = Repo.find(cwd)
    except UsageError as error:
        yield Finding("repository", "fail", error.message, error.hint)
        return
    yield _repository(repo)
    yield _identity(repo)
    config, finding = _configuration(repo, env)
    yield finding
    yield _specs(repo, config)
    yield _hook(repo)
    yield from _rungs(config, env, repo.root)
    yield _forge(repo, config, env)
    yield _sandbox(config)
    yield from _risky(repo)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Finding("python", "fail", found, "install Python 3.11 or newer")
    return Finding("python", "ok", found)


def _git(cwd: str) -> Finding:
    """Raises UsageError where there is no git."""
    said = run_git(["version"], cwd=cwd).stdout.decode(errors="replace").strip()
    numbers = re.search(r"(\d+)\.(\d+)", said)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST_GIT:
        return Finding("git", "fail", said, "install git 2.38 or newer")
    return Finding("git", "ok", said.removeprefix("git version "))


def _repository(repo: Repo) -> Finding:
    if repo.commit_or_none("HEAD") is None:
        return Finding("repository", "warn", f"{repo.root} has no commit yet", "git commit: a result starts from one")
    if repo.ask("rev-parse", "--is-shallow-repository") == "true":
        return Finding("repository", "warn", f"{repo.root} is shallow: a base may be out of reach", "git fetch --unshallow")
    branch = default_branch(repo).removeprefix("refs/heads/")
    if branch == "HEAD" or repo.commit_or_none(branch) is None:
        return Finding("repository", "warn", "no default branch is known", "git remote set-head origin --auto")
    return Finding("repository", "ok", f"{repo.root}, default branch {branch}")


def _identity(repo: Repo) -> Finding:
    lacking = [key for key in ("user.name", "user.email") if not repo.ask("config", key)]
    if lacking:
        return Finding(
            "identity", "warn", f"{' and '.join(lacking)} not set: land merges in your name", f"git config {lacking[0]} …"
        )
    return Finding("identity", "ok", f"{repo.ask('config', 'user.name')} <{repo.ask('config', 'user.email')}>")


def _configuration(repo: Repo, env: Mapping[str, str]) -> tuple[Config, Finding]:
    try:
        config = find_config(repo, env)
    except UsageError as error:
        return Config(), Finding("configuration", "fail", error.message, f"mend {FILE}; the defaults are used below")
    if not os.path.exists(os.path.join(repo.root, FILE)):
        return config, Finding("configuration", "ok", f"no {FILE}: the defaults, which need no key")
    return config, Finding("configuration", "ok", FILE)


def _specs(repo: Repo, config: Config) -> Finding:
    folder = os.path.join(repo.root, config.specs)
    if repo.bare or os.path.isdir(folder):
        return Finding("specs", "ok", f"{config.specs}/")
    return Finding("specs", "warn", f"there is no folder {config.specs}/", "split-ci init")


def _hook(repo: Repo) -> Finding:
    folder = os.path.join(repo.root, hooks_path(repo) or os.path.join(repo.common_dir, "hooks"))
    script = _text(os.path.join(folder, "pre-commit"))
    if "split-ci check" in script:
        return Finding("hook", "ok", "specs are checked by a git hook at every commit")
    try:
        entered = has_entry(_text(os.path.join(repo.root, PRE_COMMIT)))
    except ValueError:
        entered = False
    if not entered:
        return Finding("hook", "warn", "no hook checks specs when they are committed", "split-ci init")
    if not re.search(r"pre-commit|prek", script):
        return Finding(
            "hook", "warn", f"{PRE_COMMIT} names the hook, and pre-commit is not installed here", "pre-commit install"
        )
    return Finding("hook", "ok", "specs are checked by pre-commit at every commit")


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _rungs(config: Config, env: Mapping[str, str], root: str) -> Iterator[Finding]:
    yield from (_rung(config, name, env, root) for name in config.implementers)
    if config.architect == "rules":
        yield Finding("architect", "ok", "rules, which needs no key and approves only what is wholly exact")
    else:
        yield _model("architect", config.models[config.architect], env, root)


def _rung(config: Config, name: str, env: Mapping[str, str], root: str) -> Finding:
    if name in config.models:
        return _model("implementer", config.models[name], env, root)
    if name in config.agents:
        return _agent(name, config.agents[name])
    return Finding("implementer", "ok", f"{name}, which needs no key")


def _model(role: str, model: ModelConfig, env: Mapping[str, str], root: str) -> Finding:
    if model.api == "scripted":
        return _recorded(role, model, root)
    said = f"{model.name} ({model.api}, {model.model})"
    if find_spec(model.api) is None:
        return Finding(role, "fail", f"{said}: its SDK is not installed", f"pip install {model.api}")
    fault = _key_fault(model, env)
    if fault:
        return Finding(role, "fail", f"{said}: {model.key} {fault}", f"export {model.key}=…")
    if model.price is None:
        mend = f"models.{model.name}.price in {FILE}"
        return Finding(role, "warn", f"{said}: its price is not known, so money limits can't hold", mend)
    return Finding(role, "ok", f"{said}, {f'key in {model.key}' if model.key else 'which needs no key'}")


def _recorded(role: str, model: ModelConfig, root: str) -> Finding:
    if os.path.isfile(os.path.join(root, model.replies or "")):
        return Finding(role, "ok", f"{model.name} (recorded replies of {model.replies})")
    mend = f"put it there, or change {FILE}"
    return Finding(role, "fail", f"{model.name} (recorded replies): {model.replies} is not there", mend)


def _key_fault(model: ModelConfig, env: Mapping[str, str]) -> str:
    """What is wrong with a key, without a word of it."""
    if model.key is None:
        return ""
    value = env.get(model.key)
    if value is None:
        return "is not set"
    if not value.strip():
        return "is blank"
    if value[0] in "'\"" or value[-1] in "'\"":
        return "has quotes around it"
    if not value.isprintable() or not value.isascii() or " " in value:
        return "holds a blank, a line end or another character that no key has"
    return ""


def _agent(name: str, agent: Mapping[str, object]) -> Finding:
    command = agent.get("command")
    program = command[0] if isinstance(command, tuple) else PROGRAMS.get(name, name)
    if shutil.which(program) is None:
        return Finding(
            "implementer", "fail", f"{name}: there is no program {program} on PATH", f"install {program}, or change {FILE}"
        )
    return Finding("implementer", "ok", f"{name} ({program})")


def _forge(repo: Repo, config: Config, env: Mapping[str, str]) -> Finding:
    if config.forge == "local":
        return Finding("forge", "ok", "local: results are branches here, reviews are notes")
    if not any(env.get(name) for name in TOKENS):
        return Finding(
            "forge", "fail", f"github: none of {' and '.join(TOKENS)} is set", "export GITHUB_TOKEN=…, or `forge: local`"
        )
    if not repo.ask("remote", "get-url", "origin"):
        return Finding("forge", "fail", "github: there is no remote origin", "git remote add origin …, or `forge: local`")
    if find_spec("githubkit") is None:
        return Finding("forge", "fail", "github: its client is not installed", "pip install githubkit 'hishel<2'")
    return Finding("forge", "ok", "github, by a token of the environment")


def _risky(repo: Repo) -> Iterator[Finding]:
    """Workflows that run with secrets on what others write, where this repository has any."""
    found = risky_workflows(repo)
    for each in found[:MOST_RISKY]:
        named = ", ".join(each.branches[:MOST_BRANCHES])
        more = f" and {len(each.branches) - MOST_BRANCHES} more" if len(each.branches) > MOST_BRANCHES else ""
        said = f"{each.path} runs with the repository's secrets on what others write ({each.trigger}); on {named}{more}"
        yield Finding("other workflows", "warn", said, "read it with that in mind, or delete it there")
    if len(found) > MOST_RISKY:
        said = f"and {len(found) - MOST_RISKY} more of such workflows"
        yield Finding("other workflows", "warn", said, "delete branches that nobody needs")


def _sandbox(config: Config) -> Finding:
    try:
        found = sandbox.choose(config.sandbox)
    except WorldError as error:
        return Finding("sandbox", "fail", error.message, error.hint)
    if found.kind == "none":
        return Finding(
            "sandbox", "warn", f"none: {found.warning}", sandbox.HOW_TO_MEND if config.sandbox != "none" else "sandbox: auto"
        )
    return Finding("sandbox", "ok", f"{found.kind}, proved by a probe")


def ask_each(config: Config, models: Sequence[str], build: Callable[[ModelConfig], Model]) -> Iterator[Finding]:
    """One cheap call to each of some models, by name: is there such a server, such a model, and is the key good?

    The architect's is asked for JSON by a schema, as a review asks.
    """
    for name in dict.fromkeys(models):
        row = config.models[name]
        said = f"{name} ({row.api}, {row.model})"
        if row.api == "scripted":
            yield Finding("call", "ok", f"{said}: its replies are recorded, nobody is asked")
            continue
        try:
            yield _asked(said, row, build(row), schema=OK if name == config.architect else None)
        except UsageError as error:
            yield Finding("call", "fail", error.message, error.hint or f"models.{name} in {FILE}")
        except WorldError as error:
            later = "try again later" if error.again else f"models.{name} in {FILE}"
            yield Finding("call", "fail", error.message, error.hint or later)


def _asked(said: str, row: ModelConfig, model: Model, *, schema: Mapping[str, object] | None) -> Finding:
    question = Message("user", 'Answer {"ok": true}.' if schema else "Answer: ok")
    request = Request("You are asked whether you can be reached.", (question,), LIVE_TOKENS, schema, seconds=LIVE_SECONDS)
    began = time.monotonic()
    reply = model.ask(request)
    usage = reply.usage
    cost = "at a price that is not known" if usage.usd is None else f"${usage.usd:.6f}"
    took = f"{time.monotonic() - began:.1f} s, {usage.input} + {usage.output} tokens, {cost}"
    if schema and reply.stop == "end" and not _is_ok(reply.text):
        return Finding(
            "call", "fail", f"{said}: it answers, and not in JSON as it was asked to ({took})",
            "a review needs it: another model or server as architect",
        )  # fmt: skip
    if reply.model != row.model and not reply.model.startswith(row.model):
        return Finding(
            "call", "warn", f"{said}: {visible(reply.model)[:80]} answers in its place ({took})", f"models.{row.name}.model"
        )
    return Finding("call", "ok", f"{said}: answers ({took})")


def _is_ok(text: str) -> bool:
    try:
        return read_object(text, "the answer").flag("ok")
    except Refused:
        return False
