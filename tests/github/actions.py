"""Actions: runs of a workflow, their jobs, and what they left. A run does nothing by itself: the test says what became of it."""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.builders import git
from tests.github import shapes
from tests.github.routes import Asked, Said, invalid, no, page, route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.github.world import World

WORKFLOW = "split-ci-spec.yml"
FILES = "/_files/"  # where artifacts lie: another host, that wants no token


class Run:
    """One run of the workflow."""

    def __init__(self, id_: int, inputs: Mapping[str, str], branch: str, sha: str, at: str) -> None:
        self.id = id_
        self.inputs = dict(inputs)
        self.branch = branch
        self.sha = sha
        self.event = "workflow_dispatch"
        self.status = "queued"
        self.conclusion: str | None = None
        self.created_at = at
        self.attempt = 1
        self.jobs: list[tuple[int, str, str]] = []  # attempt, name, conclusion
        self.artifacts: list[tuple[int, str, bytes]] = []  # id, name, zip
        self.expired = False

    @property
    def title(self) -> str:
        """As the workflow's `run-name` makes it."""
        pull = self.inputs.get("pull")
        return (
            f"split-ci {self.inputs.get('spec') or '-'} {self.inputs.get('digest') or '-'} {f'pull {pull}' if pull else ''}"
        )

    def ended(self, conclusion: str = "success", *, recorded: bool = True) -> None:
        self.status, self.conclusion = "completed", conclusion
        self.jobs += [(self.attempt, "admit", "success"), (self.attempt, "record", "success" if recorded else "cancelled")]


class Engine:
    """Every run. `lag`: how often the list is asked before it shows the newest run."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.lag = 0
        self.heard: Callable[[Run], None] = lambda _: None
        self._hidden = 0

    def visible(self) -> list[Run]:
        if self._hidden:
            self._hidden -= 1
            return self.runs[:-1]
        return self.runs

    def add(self, world: World, inputs: Mapping[str, str], *, hours_ago: float = 0) -> Run:
        branch = world.default_branch()
        at = (datetime.now(UTC) - timedelta(hours=hours_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
        run = Run(world.new_id(), inputs, branch, world.refs()[f"refs/heads/{branch}"], at)
        self.runs.append(run)
        self._hidden = self.lag
        self.heard(run)
        return run

    def leave(self, world: World, run: Run, name: str, files: Mapping[str, bytes]) -> None:
        """An artifact, as upload-artifact makes it."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, data in files.items():
                archive.writestr(path, data)
        run.artifacts.append((world.new_id(), name, packed.getvalue()))


def file_at(world: World, path: str) -> bytes | None:
    """An artifact's zip, by the address that GitHub gave for it."""
    id_ = path.removeprefix(FILES)
    return next((data for run in world.engine.runs for own, _, data in run.artifacts if str(own) == id_), None)


@route("POST", "/repos/{owner}/{repo}/actions/workflows/{workflow}/dispatches", "actions")
def dispatch(asked: Asked) -> Said:
    world, ref = asked.world, asked.body["ref"].removeprefix("refs/heads/")
    _workflow(asked, ref)
    inputs = asked.field("inputs") or {}
    wrong = set(inputs) - {"spec", "base", "digest", "pull", "anew"}
    if wrong:
        no(422, f"Unexpected inputs provided: {sorted(wrong)}")
    if not all(isinstance(value, str) for value in inputs.values()):
        invalid("Workflow", code="custom", message="inputs are strings")
    run = world.engine.add(world, inputs)
    run.branch = ref
    return Said(204)


def _workflow(asked: Asked, ref: str) -> None:
    """The workflow's file has to be on the branch."""
    world, name = asked.world, asked.at["workflow"]
    refs = world.refs()
    if f"refs/heads/{ref}" not in refs:
        no(422, f"No ref found for: {ref}")
    listed = git(world.bare, "ls-tree", "--name-only", ref, f".github/workflows/{name}")
    if not listed:
        no(404, "Not Found")


@route("GET", "/repos/{owner}/{repo}/actions/workflows/{workflow}/runs")
def listed(asked: Asked) -> Said:
    _workflow(asked, asked.world.default_branch())
    query = asked.query
    found = [run for run in reversed(asked.world.engine.visible()) if _wanted(run, query)]
    return _of(asked, "workflow_runs", [_run(asked, run) for run in found])


def _wanted(run: Run, query: Mapping[str, str]) -> bool:
    same = (("branch", run.branch), ("event", run.event))
    if any(name in query and query[name] != value for name, value in same):
        return False
    if "status" in query and query["status"] not in (run.status, run.conclusion):
        return False
    return run.created_at[:10] >= query.get("created", "").removeprefix(">=")


def _of(asked: Asked, key: str, items: list[Any]) -> Said:
    """A list inside of an object, as Actions has them."""
    found = page(asked, items)
    return Said(200, {"total_count": len(items), key: found.body}, found.headers)


def _find(asked: Asked) -> Run:
    return next((run for run in asked.world.engine.runs if str(run.id) == asked.at["run"]), None) or no(404, "Not Found")


@route("GET", "/repos/{owner}/{repo}/actions/runs/{run}/jobs")
def jobs(asked: Asked) -> Said:
    run = _find(asked)
    api = f"{asked.api}/repos/{asked.world.full_name}"
    wanted = [one for one in run.jobs if asked.query.get("filter") == "all" or one[0] == run.attempt]
    found: list[Any] = [
        {
            "id": run.id * 100 + n, "run_id": run.id, "run_url": f"{api}/actions/runs/{run.id}", "run_attempt": attempt,
            "node_id": shapes.node("Job", n), "head_sha": run.sha, "url": f"{api}/actions/jobs/{n}", "html_url": None,
            "status": "completed", "conclusion": conclusion, "created_at": run.created_at, "started_at": run.created_at,
            "completed_at": run.created_at, "name": name, "check_run_url": f"{api}/check-runs/{n}", "labels": [],
            "runner_id": None, "runner_name": None, "runner_group_id": None, "runner_group_name": None,
            "workflow_name": "split-ci spec", "head_branch": run.branch,
        }
        for n, (attempt, name, conclusion) in enumerate(wanted)
    ]  # fmt: skip
    return _of(asked, "jobs", found)


@route("GET", "/repos/{owner}/{repo}/actions/runs/{run}/artifacts")
def artifacts(asked: Asked) -> Said:
    run = _find(asked)
    api = f"{asked.api}/repos/{asked.world.full_name}/actions/artifacts"
    found = [
        {
            "id": id_, "node_id": shapes.node("Artifact", id_), "name": name, "size_in_bytes": len(data),
            "url": f"{api}/{id_}", "archive_download_url": f"{api}/{id_}/zip", "expired": run.expired,
            "created_at": run.created_at, "expires_at": None, "updated_at": None,
            "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
        }
        for id_, name, data in run.artifacts
    ]  # fmt: skip
    return _of(asked, "artifacts", found)


@route("GET", "/repos/{owner}/{repo}/actions/artifacts/{id}/{format}")
def archive(asked: Asked) -> Said:
    if asked.at["format"] != "zip":
        no(410, "Only zip archives are there")
    if file_at(asked.world, FILES + asked.at["id"]) is None:
        no(404, "Not Found")
    if any(run.expired for run in asked.world.engine.runs for id_, _, _ in run.artifacts if str(id_) == asked.at["id"]):
        no(410, "Artifact has expired")
    elsewhere = asked.api.replace("127.0.0.1", "localhost")
    return Said(302, None, {"Location": f"{elsewhere}{FILES}{asked.at['id']}"})


def _run(asked: Asked, run: Run) -> dict[str, Any]:
    """`workflow-run`."""
    world = asked.world
    url = f"{asked.api}/repos/{world.full_name}/actions/runs/{run.id}"
    repository = shapes.repository(world, asked.api)
    return {
        "id": run.id, "name": "split-ci spec", "node_id": shapes.node("Run", run.id), "head_branch": run.branch,
        "head_sha": run.sha, "path": f".github/workflows/{WORKFLOW}", "run_number": run.id, "run_attempt": run.attempt,
        "event": run.event, "status": run.status, "conclusion": run.conclusion, "workflow_id": 1, "url": url,
        "html_url": f"https://github.com/{world.full_name}/actions/runs/{run.id}", "pull_requests": [],
        "created_at": run.created_at, "updated_at": run.created_at, "jobs_url": f"{url}/jobs", "logs_url": f"{url}/logs",
        "check_suite_url": f"{url}/suite", "cancel_url": f"{url}/cancel", "rerun_url": f"{url}/rerun",
        "artifacts_url": f"{url}/artifacts", "workflow_url": f"{url}/workflow", "head_commit": None,
        "repository": repository, "head_repository": repository, "display_title": run.title,
    }  # fmt: skip
