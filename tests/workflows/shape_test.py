"""The shape of the three workflows: what each job may do and hold. Each planted fault must be found, by its own words."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from split_ci.workflows import ACTION, WORKFLOWS, Setting, render
from tests.workflows.shape import ROWS, WRITE, Workflow, faults

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
KEYS = Setting("main", implementer_keys=("CHEAP_KEY",), architect_keys=("STRONG_KEY",))
SETTINGS = {
    "without keys": Setting("main"),
    "with keys": KEYS,
    "with one key for both": Setting("main", implementer_keys=("KEY",), architect_keys=("KEY",)),
    "with many keys": Setting("trunk", "docs/specs", ("A_KEY", "B_KEY", "C_KEY"), (), 120.0, 9),
}
DISPATCH, SPEC, CHECK = WORKFLOWS


def load(name: str, setting: Setting = KEYS) -> Workflow:
    found: Workflow = yaml.safe_load(render(setting)[f".github/workflows/{name}"])
    return found


@pytest.mark.parametrize("name", WORKFLOWS)
@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_what_is_rendered_has_no_fault(name: str, setting: Setting) -> None:
    assert faults(name, load(name, setting)) == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_those_of_this_project_have_none(name: str) -> None:
    assert faults(name, yaml.safe_load((ROOT / ".github/workflows" / name).read_text())) == []


def step(job: str, command: str, workflow: Workflow) -> Workflow:
    """The step of a job that runs a command, or uses an action."""
    for each in workflow["jobs"][job]["steps"]:
        if command in str(each.get("run", each.get("uses"))):
            found: Workflow = each
            return found
    raise LookupError(command)


def plant(job: str, command: str, **keys: Any) -> Callable[[Workflow], object]:
    """Keys put into the step of a job, merged where they are there."""

    def put(workflow: Workflow) -> None:
        found = step(job, command, workflow)
        for key, value in keys.items():
            found[key] = {**found.get(key, {}), **value} if isinstance(value, dict) else value

    return put


def in_job(job: str, **keys: Any) -> Callable[[Workflow], object]:
    return lambda workflow: workflow["jobs"][job].update({key.replace("_", "-"): value for key, value in keys.items()})


def add(job: str, added: Workflow, at: int | None = None) -> Callable[[Workflow], object]:
    """One more step; the last where it isn't said."""

    def put(workflow: Workflow) -> None:
        steps = workflow["jobs"][job]["steps"]
        steps.insert(len(steps) if at is None else at, added)

    return put


MODEL_KEY = {"CHEAP_KEY": "${{ secrets.CHEAP_KEY }}"}
CACHE = "actions/cache@0057852bfaa89a56745cba8c7296529d2fc39830"
PLANTED: dict[str, tuple[str, Callable[[Workflow], object], list[str]]] = {
    "rights on top": (SPEC, lambda w: w.update(permissions={"contents": "write"}), ["permissions are not empty on top"]),
    "no rights named on top": (SPEC, lambda w: w.pop("permissions"), ["permissions are not empty on top"]),
    "an environment on top": (SPEC, lambda w: w.update(env={"A": "b"}), ["env on top"]),
    "a trigger with secrets for forks": (CHECK, lambda w: w[True].update(pull_request_target=None), ["trigger pull_request_target"]),
    "a trigger by comments": (DISPATCH, lambda w: w[True].update(issue_comment=None), ["trigger issue_comment"]),
    "a trigger by other runs": (SPEC, lambda w: w[True].update(workflow_run=None), ["trigger workflow_run"]),
    "no clock": (DISPATCH, lambda w: w[True].pop("schedule"), ["no trigger schedule"]),
    "one more job": (SPEC, lambda w: w["jobs"].update(deploy=w["jobs"]["record"]), [f"jobs {[*ROWS[SPEC], 'deploy']}"]),
    "no group": (SPEC, lambda w: w.pop("concurrency"), ["no concurrency group", "a job that writes may be cancelled by the next run"]),
    "cancelled while it writes": (SPEC, lambda w: w["concurrency"].update({"cancel-in-progress": True}), ["a job that writes may be cancelled by the next run"]),
    "a queue of one": (SPEC, lambda w: w["concurrency"].pop("queue"), ["runs that wait are dropped"]),
    "more rights than its row": (SPEC, in_job("comment", permissions={"contents": WRITE}), ["comment: permissions {'contents': 'write'}"]),
    "all rights": (SPEC, in_job("record", permissions="write-all"), ["record: permissions write-all"]),
    "a model's key in publish": (SPEC, plant("publish", "split-ci publish", env=MODEL_KEY), ["publish: a model's key and a credential that writes", "publish: the secret CHEAP_KEY for publish"]),
    "a model call in publish": (SPEC, add("publish", {"run": 'split-ci review "$HEAD" --out r.json'}), ["publish: runs split-ci review", "publish: runs publish, review"]),
    "a model call by hand in publish": (SPEC, add("publish", {"run": "curl https://api.example.org/v1/messages"}), ["publish: runs curl https://api.example.org/v1/messages"]),
    "a repository's script in comment": (SPEC, add("comment", {"run": "bash tools/check.sh"}), ["comment: runs bash tools/check.sh"]),
    "a script behind a command": (SPEC, plant("comment", "split-ci comment", run="split-ci comment r.json; bash tools/check.sh"), ["comment: runs split-ci comment"]),
    "a script within a command": (SPEC, plant("comment", "split-ci comment", run='split-ci comment "$(bash tools/check.sh)"'), ["comment: runs split-ci comment"]),
    "foreign code beside a credential": (SPEC, add("record", {"run": "split-ci accept c.json --sandbox required"}), ["record: a credential that writes and foreign code", "record: runs split-ci accept", "record: runs record, accept"]),
    "rights to write in implement": (SPEC, in_job("implement", permissions={"contents": WRITE}), ["implement: permissions {'contents': 'write'}", "implement: a model's key and a credential that writes", "implement: a credential that writes and foreign code"]),
    "a sandbox that may fail": (SPEC, plant("verify", "split-ci accept", run="split-ci accept c.json --sandbox auto"), ["verify: foreign code without the sandbox"]),
    "no sandbox made": (SPEC, lambda w: step("verify", "./.github/actions", w).pop("with"), ["verify: the sandbox is not made to work"]),
    "a key in verify": (SPEC, plant("verify", "split-ci accept", env=MODEL_KEY), ["verify: a model's key and foreign code", "verify: the secret CHEAP_KEY for accept"]),
    "a key outside of its environment": (SPEC, lambda w: w["jobs"]["review"].pop("environment"), ["review: environment None"]),
    "the other's environment": (SPEC, in_job("review", environment={"name": "split-ci-implementer", "deployment": False}), ["review: environment {'name': 'split-ci-implementer', 'deployment': False}"]),
    "a token in implement": (SPEC, plant("implement", "split-ci implement", env={"GITHUB_TOKEN": "${{ github.token }}"}), ["implement: a token for implement"]),
    "a token by another name": (SPEC, plant("comment", "split-ci comment", env={"A": "${{ github.token }}"}), ["comment: a token for comment"]),
    "every secret at once": (SPEC, plant("review", "split-ci review", env={"ALL": "${{ toJSON(secrets) }}"}), ["review: the secret ${{ toJSON(secrets) }} for review"]),
    "a secret for an action": (SPEC, plant("comment", "download-artifact", **{"with": {"github-token": "${{ secrets.PAT }}"}}), ["comment: a model's key and a credential that writes", "comment: actions/download-artifact is given github-token", "comment: the secret PAT outside of env"]),
    "an App's token where there is none": (SPEC, add("comment", {"if": "vars.SPLIT_CI_APP_ID != ''", "uses": "actions/create-github-app-token@1b10c78c7865c340bc4f6099eb2f838309f1e8c3", "with": {f"permission-{k}": "write" for k in ROWS[SPEC]["comment"].permissions}}, 2), ["comment: an App's token"]),
    "an App with all its rights": (SPEC, lambda w: [step("coach", "app-token", w)["with"].pop(f"permission-{k}") for k in ("contents", "pull-requests")], ["coach: the App's token has other rights than the job"]),
    "an expression inside run": (SPEC, plant("admit", "split-ci admit", run='split-ci admit "${{ inputs.spec }}"'), ["admit: an expression inside run"]),
    "a tag": (SPEC, lambda w: step("verify", "upload-artifact", w).update(uses="actions/upload-artifact@v7"), ["verify: actions/upload-artifact@v7 is not pinned by hash"]),
    "somebody's action": (SPEC, add("comment", {"uses": f"somebody/review@{'0' * 40}"}), ["comment: somebody/review is not one of the known actions"]),
    "a cache": (SPEC, add("implement", {"uses": CACHE, "with": {"path": "~/.cache", "key": "a"}}, 2), ["implement: actions/cache is not one of the known actions"]),
    "credentials kept": (SPEC, plant("implement", "actions/checkout", **{"with": {"persist-credentials": True}}), ["implement: the checkout keeps its credentials, or takes something else"]),
    "credentials not spoken of": (SPEC, lambda w: step("verify", "actions/checkout", w).pop("with"), ["verify: the checkout keeps its credentials, or takes something else"]),
    "another checkout": (CHECK, plant("check", "actions/checkout", **{"with": {"ref": "${{ github.head_ref }}"}}), ["check: actions/checkout is given ref", "check: the checkout keeps its credentials, or takes something else"]),
    "handed on among the files": (SPEC, plant("record", "download-artifact", **{"with": {"path": "."}}), ["record: what was handed on lies among the repository's files"]),
    "one folder for two jobs": (SPEC, plant("publish", "download-artifact", **{"with": {"path": "${{ runner.temp }}/handed/verify"}}), ["publish: what one job handed on can lie over what another did"]),
    "no time limit": (SPEC, lambda w: w["jobs"]["coach"].pop("timeout-minutes"), ["coach: no time limit below GitHub's own"]),
    "a time limit above GitHub's": (SPEC, in_job("coach", timeout_minutes=720), ["coach: no time limit below GitHub's own"]),
    "somebody's machine": (SPEC, in_job("implement", runs_on="self-hosted"), ["implement: runs on self-hosted"]),
    "always()": (SPEC, in_job("record", **{"if": "always()"}), ["record: if: always()", "record: it doesn't run where a job before it failed"]),
    "always() in a step": (SPEC, lambda w: step("implement", "upload-artifact", w).update({"if": "always()"}), ["implement: if: always()", "implement: its last step doesn't hand on what there is"]),
    "recorded only on success": (SPEC, lambda w: w["jobs"]["record"].pop("if"), ["record: it doesn't run where a job before it failed"]),
    "the upload is not the last step": (SPEC, lambda w: w["jobs"]["implement"]["steps"].append(w["jobs"]["implement"]["steps"].pop(2)), ["implement: runs implement, status", "implement: its last step doesn't hand on what there is"]),
    "nothing handed on": (SPEC, lambda w: w["jobs"]["review"]["steps"].pop(), ["review: no step is upload", "review: its last step doesn't hand on what there is"]),
    "an error that is passed over": (SPEC, plant("publish", "split-ci publish", **{"continue-on-error": True}), ["publish: continue-on-error: is not a step's to have"]),
    "a matrix": (SPEC, in_job("verify", strategy={"matrix": {"a": [1]}}), ["verify: strategy: is not a job's to have"]),
    "a container": (SPEC, in_job("verify", container="python"), ["verify: container: is not a job's to have"]),
    "an environment for the whole job": (SPEC, in_job("implement", env=MODEL_KEY), ["implement: env: is not a job's to have"]),
    "nothing installed": (SPEC, lambda w: w["jobs"]["coach"]["steps"].pop(1), ["coach: it doesn't start with a checkout and the action"]),
    "a command left out": (SPEC, lambda w: w["jobs"]["verify"]["steps"].remove(step("verify", "split-ci gate", w)), ["verify: runs accept"]),
    "an output of a job that is not waited for": (SPEC, in_job("comment", needs="publish"), ["comment: review is not among its needs"]),
    "an output that nobody puts out": (SPEC, lambda w: w["jobs"]["verify"].pop("outputs"), ["publish: verify puts out no artifact", "review: verify puts out no artifact", "record: verify puts out no artifact", "record: verify puts out no artifact"]),
    "a step by another name": (SPEC, lambda w: step("verify", "upload-artifact", w).update(id="up"), ["verify: no step is upload"]),
    "a secret in dispatch": (DISPATCH, plant("dispatch", "split-ci dispatch", env=MODEL_KEY), ["dispatch: a model's key and a credential that writes", "dispatch: the secret CHEAP_KEY for dispatch"]),
    "a secret for pull requests": (CHECK, plant("check", "split-ci check", env=MODEL_KEY), ["check: the secret CHEAP_KEY for check"]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "plant", "found"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_found(name: str, plant: Callable[[Workflow], object], found: list[str]) -> None:
    workflow = copy.deepcopy(load(name))
    plant(workflow)
    assert faults(name, workflow) == found


def test_no_row_holds_two_of_key_credential_and_foreign_code() -> None:
    for rows in ROWS.values():
        for name, row in rows.items():
            held = [bool(row.key), WRITE in row.permissions.values(), bool({"implement", "accept"} & set(row.commands))]
            assert sum(held) <= (2 if name == "implement" else 1), name
            assert not (row.key and row.app)


def test_each_right_says_what_it_is_for() -> None:
    for path, text in render(KEYS).items():
        if path.endswith(".yml") and "workflows" in path:
            for line in re.findall(r"^ {6}[a-z-]+: (?:read|write)\b.*$", text, re.MULTILINE):
                assert re.search(r": (?:read|write) # \w", line), line


class TestAction:
    """The action that every job installs split-ci with."""

    text = render(KEYS)[ACTION]
    action = yaml.safe_load(text)

    def test_it_is_told_nothing_secret(self) -> None:
        assert set(self.action["inputs"]) == {"sandbox"}
        assert not re.search(r"secrets|github\.token|cache", self.text)

    def test_it_uses_nothing_of_others(self) -> None:
        assert [step for step in self.action["runs"]["steps"] if "uses" in step] == []

    def test_no_expression_is_inside_run(self) -> None:
        assert [step for step in self.action["runs"]["steps"] if "${{" in step.get("run", "")] == []

    def test_everything_is_installed_by_hash_or_commit_and_from_no_named_index(self) -> None:
        assert "--require-hashes --only-binary :all: --requirement .github/split-ci/requirements.txt" in self.text
        assert "--no-deps --no-build-isolation --requirement .github/split-ci/source.txt" in self.text
        assert not re.search(r"://|index-url|find-links|trusted-host", self.text)

    def test_python_never_starts_with_the_repository_on_its_path(self) -> None:
        assert re.findall(r'(?:/python"|python3) (?!-P)', self.text) == []
