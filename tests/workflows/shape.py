"""What the workflows may be: a row for each job, and every way in which a workflow differs from its rows."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Workflow = dict[Any, Any]
ACTION = "./.github/actions/split-ci"
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}\Z")
# What each action takes, of the inputs that its action.yml names at the version that is pinned.
ACTIONS = {
    "actions/checkout": {"fetch-depth", "persist-credentials"},
    "actions/upload-artifact": {"name", "path", "if-no-files-found", "retention-days"},
    "actions/download-artifact": {"name", "path"},
    "actions/create-github-app-token": {
        "client-id", "private-key", "permission-contents", "permission-pull-requests", "permission-statuses",
    },
}  # fmt: skip
JOB_KEYS = {"name", "needs", "if", "runs-on", "timeout-minutes", "environment", "permissions", "outputs", "steps"}
STEP_KEYS = {"name", "id", "if", "uses", "with", "run", "env", "timeout-minutes"}
SECRET = re.compile(r"secrets\b\W*(\w*)")
APP_KEY = "SPLIT_CI_APP_KEY"
TOKEN = "${{ github.token }}"
TOKEN_OF_APP = "${{ steps.app.outputs.token || github.token }}"
TRIGGERS = {
    "split-ci-dispatch.yml": {"push", "schedule", "workflow_dispatch"},
    "split-ci-spec.yml": {"workflow_dispatch"},
    "split-ci-check.yml": {"pull_request"},
}
READ, WRITE = "read", "write"


class Row(NamedTuple):
    """What one job may do. `speaks` are the commands that are given a token, `hands_on` those whose file is uploaded last."""

    permissions: Mapping[str, str]
    commands: Sequence[str]
    speaks: Sequence[str] = ()
    key: str = ""  # the command that is given models' keys, all of one environment
    environment: str = ""
    app: bool = False
    sandbox: bool = False
    hands_on: bool = False


PUBLISHER = "split-ci-publisher"
ROWS: dict[str, dict[str, Row]] = {
    "split-ci-dispatch.yml": {
        "recover": Row({"contents": WRITE, "actions": READ}, ["record"], ["record"]),
        "dispatch": Row(
            {"contents": READ, "pull-requests": READ, "statuses": READ, "actions": WRITE}, ["dispatch"], ["dispatch"]
        ),
    },
    "split-ci-spec.yml": {
        "admit": Row({"contents": READ, "pull-requests": READ, "statuses": READ}, ["admit"], ["admit"]),
        "implement": Row(
            {"contents": READ}, ["status", "implement"], ["status"], "implement", "split-ci-implementer", sandbox=True,
            hands_on=True,
        ),
        "verify": Row({"contents": READ}, ["gate", "accept"], sandbox=True, hands_on=True),
        "publish": Row(
            {"contents": WRITE, "pull-requests": WRITE}, ["publish"], ["publish"], environment=PUBLISHER, app=True
        ),
        "review": Row(
            {"contents": READ}, ["status", "review"], ["status"], "review", "split-ci-architect", hands_on=True
        ),
        "comment": Row({"contents": READ, "pull-requests": WRITE, "statuses": WRITE}, ["comment"], ["comment"]),
        "coach": Row({"contents": WRITE, "pull-requests": WRITE}, ["coach"], ["coach"], environment=PUBLISHER, app=True),
        "record": Row({"contents": WRITE}, ["record"], ["record"]),
    },
    "split-ci-check.yml": {"check": Row({"contents": READ}, ["check", "coach"])},
}  # fmt: skip
RUNS_COMMANDS = ("implement", "accept")  # what runs code that somebody else wrote
WHOLE_RUN = ("record",)  # these go on whatever became of the jobs before them


def faults(name: str, workflow: Workflow) -> list[str]:
    """Every way in which one of the three workflows is not what its rows say."""
    return list(_faults(name, workflow))


def _faults(name: str, workflow: Workflow) -> Iterator[str]:
    rows = ROWS[name]
    if workflow.get("permissions") != {}:
        yield "permissions are not empty on top"
    triggers = set(workflow[True])  # YAML 1.1 reads the key `on` as true
    yield from (f"trigger {each}" for each in sorted(triggers - TRIGGERS[name]))
    yield from (f"no trigger {each}" for each in sorted(TRIGGERS[name] - triggers))
    yield from (f"{key} on top" for key in workflow if key in ("env", "secrets"))
    if list(workflow["jobs"]) != list(rows):
        yield f"jobs {list(workflow['jobs'])}"
    writes = any(_writes(job) for job in workflow["jobs"].values())
    concurrency = workflow.get("concurrency", {})
    if not concurrency.get("group"):
        yield "no concurrency group"
    if writes and concurrency.get("cancel-in-progress") is not False:
        yield "a job that writes may be cancelled by the next run"
    if "inputs." in str(concurrency.get("group")) and concurrency.get("queue") != "max":
        yield "runs that wait are dropped"
    for job_name, job in workflow["jobs"].items():
        yield from (f"{job_name}: {fault}" for fault in _names(job, workflow["jobs"]))
        if job_name in rows:
            yield from (f"{job_name}: {fault}" for fault in _job(job, rows[job_name], job_name))


def _job(job: Workflow, row: Row, name: str) -> Iterator[str]:
    yield from (f"{key}: is not a job's to have" for key in job if key not in JOB_KEYS)
    if job.get("permissions") != row.permissions:
        yield f"permissions {job.get('permissions')}"
    if not isinstance(job.get("timeout-minutes"), int) or not 0 < job["timeout-minutes"] <= 350:
        yield "no time limit below GitHub's own"
    if job.get("runs-on") != "ubuntu-24.04":
        yield f"runs on {job.get('runs-on')}"
    condition = str(job.get("if", ""))
    yield from _condition(condition)
    if name in WHOLE_RUN and "!cancelled()" not in condition:
        yield "it doesn't run where a job before it failed"
    yield from _environment(job, row)
    yield from _held(job, row)
    steps = job["steps"]
    if not _uses(steps[0], "actions/checkout") or steps[1].get("uses") != ACTION:
        yield "it doesn't start with a checkout and the action"
    if (steps[1].get("with", {}) == {"sandbox": "true"}) is not row.sandbox:
        yield "the sandbox is not made to work" if row.sandbox else "a sandbox for nothing"
    yield from (fault for step in steps for fault in _step(step, row))
    folders = [step["with"]["path"] for step in steps if _uses(step, "actions/download-artifact")]
    if len(set(folders)) < len(folders):
        yield "what one job handed on can lie over what another did"
    ran = [words[1] for step in steps for words in _commands(step) if words[:1] == ["split-ci"]]
    if ran != list(row.commands):
        yield f"runs {', '.join(ran) or 'nothing'}"
    if row.hands_on and not (_uses(steps[-1], "actions/upload-artifact") and steps[-1].get("if") == "${{ !cancelled() }}"):
        yield "its last step doesn't hand on what there is"


def _names(job: Workflow, jobs: Workflow) -> Iterator[str]:
    """Outputs that nothing puts out: an expression with such a name is empty, and nobody says so."""
    needs = job.get("needs", [])
    for name, _, output in re.findall(r"needs\.([\w-]+)\.(result|outputs\.([\w-]+))", str(job)):
        if name not in ([needs] if isinstance(needs, str) else needs):
            yield f"{name} is not among its needs"
        elif output and output not in jobs[name].get("outputs", {}):
            yield f"{name} puts out no {output}"
    steps = {step["id"] for step in job["steps"] if "id" in step}
    yield from (f"no step is {name}" for name in re.findall(r"steps\.([\w-]+)\.", str(job)) if name not in steps)


def _environment(job: Workflow, row: Row) -> Iterator[str]:
    """A job that is given a secret is in the environment that holds it; one that isn't is in none."""
    secrets = SECRET.findall(str(job["steps"]))
    wanted = {"name": row.environment, "deployment": False} if secrets and row.environment else None
    if job.get("environment") != wanted:
        yield f"environment {job.get('environment')}"


def _held(job: Workflow, row: Row) -> Iterator[str]:
    """At most one of: a model's key, a credential that writes, foreign code. In `implement` the sandbox parts two of them."""
    text = str(job["steps"])
    key = any(secret != APP_KEY for secret in SECRET.findall(text))
    writes = _writes(job) or APP_KEY in text
    foreign = any(
        words[1] in RUNS_COMMANDS for step in job["steps"] for words in _commands(step) if words[:1] == ["split-ci"]
    )
    if key and writes:
        yield "a model's key and a credential that writes"
    if writes and foreign:
        yield "a credential that writes and foreign code"
    if foreign and "--sandbox required" not in text:
        yield "foreign code without the sandbox"
    if key and foreign and not row.key:
        yield "a model's key and foreign code"


def _writes(job: Workflow) -> bool:
    permissions = job.get("permissions", {})
    return WRITE in permissions.values() if isinstance(permissions, dict) else True


def _condition(condition: str) -> Iterator[str]:
    if re.search(r"\b(?:always|failure)\(\)", condition):
        yield f"if: {condition}"


def _step(step: Workflow, row: Row) -> Iterator[str]:
    yield from (f"{key}: is not a step's to have" for key in step if key not in STEP_KEYS)
    yield from _condition(str(step.get("if", "")))
    if "uses" in step:
        yield from _used(step, row)
    run = str(step.get("run", ""))
    if "${{" in run:
        yield "an expression inside run"
    for words in _commands(step):
        if words[0] != "split-ci" or words[1] not in row.commands or not _plain(run):
            yield f"runs {' '.join(words[:2])}"
    yield from _secrets(step, row)


def _used(step: Workflow, row: Row) -> Iterator[str]:
    uses = step["uses"]
    if uses == ACTION:
        return
    if not PINNED.match(uses):
        yield f"{uses} is not pinned by hash"
    name, given = uses.partition("@")[0], step.get("with", {})
    if name not in ACTIONS:
        yield f"{name} is not one of the known actions"
    yield from (f"{name} is given {key}" for key in given if key not in ACTIONS.get(name, set(given)))
    if _uses(step, "actions/checkout") and given != {"fetch-depth": 0, "persist-credentials": False}:
        yield "the checkout keeps its credentials, or takes something else"
    if _uses(step, "actions/download-artifact") and not str(given.get("path", "")).startswith("${{ runner.temp }}/"):
        yield "what was handed on lies among the repository's files"
    if _uses(step, "actions/create-github-app-token"):
        if not row.app or step.get("if") != "vars.SPLIT_CI_APP_ID != ''":
            yield "an App's token"
        if {key for key in given if key.startswith("permission-")} != {f"permission-{key}" for key in row.permissions}:
            yield "the App's token has other rights than the job"


def _secrets(step: Workflow, row: Row) -> Iterator[str]:
    """Where secrets and tokens are, one by one: the environment of the one step that needs them."""
    commands = [words[1] for words in _commands(step) if len(words) > 1]
    for variable, value in step.get("env", {}).items():
        text = str(value)
        for secret in SECRET.findall(text):
            if row.key not in commands or not row.key or text != f"${{{{ secrets.{variable} }}}}" or secret != variable:
                yield f"the secret {secret or text} for {' '.join(commands)}"
        if "github.token" in text or "outputs.token" in text:
            wanted = TOKEN_OF_APP if row.app else TOKEN
            if variable != "GITHUB_TOKEN" or text != wanted or not set(commands) <= set(row.speaks):
                yield f"a token for {' '.join(commands)}"
    rest = str({key: value for key, value in step.items() if key != "env"})
    for secret in SECRET.findall(rest):
        if not _uses(step, "actions/create-github-app-token") or secret != APP_KEY:
            yield f"the secret {secret} outside of env"
    if "github.token" in rest:
        yield "a token outside of env"


def _uses(step: Workflow, action: str) -> bool:
    return str(step.get("uses", "")).startswith(action + "@")


def _commands(step: Workflow) -> list[list[str]]:
    """The commands of a step, one a line."""
    return [words for line in str(step.get("run", "")).splitlines() if (words := shlex.split(line))]


def _plain(run: str) -> bool:
    """Whether it is nothing but commands, one a line, without pipes, lists, substitutions or redirections."""
    return not re.search(r"[;|&<>`]|\$\(", run)
