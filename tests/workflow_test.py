"""The CI of this project: what it may do, and that what it uses is pinned."""

from __future__ import annotations

import copy
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
TEXT = (ROOT / ".github/workflows/ci.yml").read_text()
PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40}\Z")


def faults(workflow: dict[Any, Any]) -> list[str]:
    """What a workflow without any secret may not have."""
    found = [] if workflow.get("permissions") == {} else ["permissions are not empty on top"]
    triggers = workflow[True]  # YAML 1.1 reads the key `on` as true
    found += [f"trigger {name}" for name in triggers if name not in ("push", "pull_request")]
    for name, job in workflow["jobs"].items():
        if job.get("permissions") != {"contents": "read"}:
            found.append(f"{name}: more than reading")
        if not 0 < job.get("timeout-minutes", 0) <= 60:
            found.append(f"{name}: no time limit")
        found += [f"{name}: {fault}" for step in job["steps"] for fault in step_faults(step)]
    return found


def step_faults(step: dict[str, Any]) -> list[str]:
    found = []
    if "uses" in step and not PINNED.match(step["uses"]):
        found.append(f"{step['uses']} is not pinned by hash")
    if step.get("uses", "").startswith("actions/checkout@") and step.get("with", {}).get("persist-credentials") is not False:
        found.append("the checkout keeps its credentials")
    if "${{" in step.get("run", ""):
        found.append("an expression inside run")
    if "secrets." in str(step):
        found.append("a secret")
    return found


def test_it_has_no_fault() -> None:
    assert faults(yaml.safe_load(TEXT)) == []


def test_each_pin_says_its_version() -> None:
    assert FILES
    for path in FILES:
        for line in path.read_text().splitlines():
            assert not re.search(r"\buses: (?!\./)", line) or re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


PLANTED: dict[str, tuple[Callable[[dict[Any, Any]], object], str]] = {
    "rights on top": (lambda w: w.update(permissions={"contents": "write"}), "permissions are not empty on top"),
    "rights of the job": (lambda w: w["jobs"]["ci"].update(permissions={"contents": "write"}), "ci: more than reading"),
    "a trigger with secrets": (lambda w: w[True].update(pull_request_target=None), "trigger pull_request_target"),
    "no time limit": (lambda w: w["jobs"]["ci"].pop("timeout-minutes"), "ci: no time limit"),
    "a tag": (lambda w: w["jobs"]["ci"]["steps"][1].update(uses="actions/setup-python@v6"), "ci: actions/setup-python@v6 is not pinned by hash"),
    "credentials": (lambda w: w["jobs"]["ci"]["steps"][0].pop("with"), "ci: the checkout keeps its credentials"),
    "an expression": (lambda w: w["jobs"]["ci"]["steps"][2].update(run="echo ${{ github.head_ref }}"), "ci: an expression inside run"),
    "a secret": (lambda w: w["jobs"]["ci"]["steps"][2].update(env={"K": "${{ secrets.K }}"}), "ci: a secret"),
}  # fmt: skip


@pytest.mark.parametrize(("plant", "fault"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_found(plant: Callable[[dict[Any, Any]], object], fault: str) -> None:
    workflow = copy.deepcopy(yaml.safe_load(TEXT))
    plant(workflow)
    assert faults(workflow) == [fault]


def test_the_scripts_that_it_runs_are_shell() -> None:
    subprocess.run(["bash", "-n", str(ROOT / ".ci/run")], check=True)
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
    assert "bash .ci/run" in TEXT


def test_the_locks_hold_hashes_and_no_address() -> None:
    for name in ("run.lock", "dev.lock"):
        text = (ROOT / "requirements" / name).read_text()
        entries = text.replace("\\\n", " ").splitlines()
        assert entries
        assert [
            entry
            for entry in entries
            if not re.match(r"[a-z0-9.-]+(\[[a-z, ]+\])?==\S+ .*--hash=sha256:[0-9a-f]{64}", entry)
        ] == []
        assert not re.search(r"://|--(?:extra-)?index-url|--find-links|file:", text)
