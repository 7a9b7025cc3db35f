"""GitHub Actions as the engine of dispatch: the runs of split-ci-spec.yml, and what they left."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from split_ci.errors import WorldError
from split_ci.flights import ENDED, title_of
from split_ci.forges.github_client import Client, Pace
from split_ci.forges.github_errors import NotThere, field
from split_ci.forges.github_place import find_place
from split_ci.ports import Artifact, WorkflowRun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from split_ci.forges.github_place import GitHubPlace
    from split_ci.git import Repo

WORKFLOW = "split-ci-spec.yml"
EVENT = "workflow_dispatch"
FLYING = ("queued", "in_progress", "waiting", "pending", "requested")
DAYS = 3
REVIEW = "split-ci/review"
MOST_BYTES = 64 * 1024 * 1024  # of an artifact
LOOKS = 5
SECONDS_BETWEEN_LOOKS = 2.0


class GitHubActions:
    """A `ports.Workflows`. `looks`: how often, `pause` seconds apart, a run that was started is looked for in the list."""

    def __init__(self, place: GitHubPlace, pace: Pace = Pace(), pause: float = SECONDS_BETWEEN_LOOKS) -> None:  # noqa: B008
        self._client = Client(place, pace)
        self._pause = pause
        self._default = ""
        self._started = ""  # the ref that runs are started on

    def runs(self) -> list[WorkflowRun]:
        """Those in flight, and those of the last days, each once; the newest first."""
        since = (datetime.now(UTC) - timedelta(days=DAYS)).strftime("%Y-%m-%d")
        found = {run.id: run for status in FLYING for run in self._listed(status=status)}
        found.update({run.id: run for run in self._listed(created=f">={since}")})
        return sorted(found.values(), key=lambda run: (run.created_at, run.id), reverse=True)

    def start(self, id_: str, digest: str, inputs: Mapping[str, str]) -> None:
        """Asked for once: where the answer is lost, the list says whether it was heard."""
        value = {"ref": self._ref(), "inputs": dict(inputs)}

        def make() -> bool:
            self._client.dispatch(f"actions/workflows/{WORKFLOW}/dispatches", value)
            return True

        try:
            self._client.ensure(lambda: self._is_flying(id_, digest) or None, make)
        except NotThere as error:
            raise WorldError(
                f"{error.message}: the default branch has no .github/workflows/{WORKFLOW}", hint="split-ci init"
            ) from None
        for _ in range(LOOKS):  # the list lags behind: the next dispatch must not see less than this one has done
            if self._is_flying(id_, digest):
                return
            time.sleep(self._pause)

    def shown(self, head: str) -> bool:
        """Whether the status is there, in whatever state: `comment` sets it last."""
        return any(one.get("context") == REVIEW for one in self._client.pages(f"commits/{head}/statuses"))

    def succeeded(self, run: int) -> Mapping[int, frozenset[str]]:
        """Of all attempts: what an earlier one left is its own."""
        jobs = list(self._client.pages(f"actions/runs/{run}/jobs", "jobs", filter="all"))
        attempts = {field(job, "run_attempt", int) for job in jobs}
        good = {(job["run_attempt"], job.get("name")) for job in jobs if job.get("conclusion") == "success"}
        return {each: frozenset(str(name) for attempt, name in good if attempt == each) for each in attempts}

    def artifacts(self, run: int) -> list[Artifact]:
        """What a run left, of all its attempts."""
        return [_artifact(one) for one in self._client.pages(f"actions/runs/{run}/artifacts", "artifacts")]

    def download(self, artifact: Artifact) -> bytes:
        """The zip; what is larger than its cap is not asked for."""
        if artifact.size_bytes > MOST_BYTES:
            raise WorldError(f"the artifact {artifact.name[:80]}: {artifact.size_bytes} bytes, at most {MOST_BYTES}")
        data = self._client.download(f"actions/artifacts/{artifact.id}/zip", MOST_BYTES)
        if artifact.digest.startswith("sha256:") and artifact.digest != f"sha256:{hashlib.sha256(data).hexdigest()}":
            raise WorldError(f"the artifact {artifact.name[:80]}: what came is not what was handed in", again=True)
        return data

    def _listed(self, **query: str) -> Iterator[WorkflowRun]:
        where = {"branch": self._branch(), "event": EVENT, **query}
        try:
            for one in self._client.pages(f"actions/workflows/{WORKFLOW}/runs", "workflow_runs", **where):
                if one.get("head_branch") == where["branch"] and one.get("event") == EVENT:
                    yield _run(one)
        except NotThere:
            return  # no run was ever made of a workflow that isn't there

    def _is_flying(self, id_: str, digest: str) -> bool:
        """Whether one of the newest runs is a generation's, and hasn't ended."""
        start = title_of(id_, digest)
        path = f"actions/workflows/{WORKFLOW}/runs"
        found = self._client.get(path, branch=self._branch(), event=EVENT, per_page=100)
        runs = map(_run, field(found, "workflow_runs", list))
        return any(run.title.startswith(start) and run.status != ENDED for run in runs)

    def _ref(self) -> str:
        """The default branch: by its short name, as GitHub describes it, if no tag has that; else by its whole one."""
        if not self._started:
            name = self._branch()
            self._started = f"refs/heads/{name}"
            with suppress(WorldError):
                try:
                    self._client.get(f"git/ref/tags/{quote(name)}")
                except NotThere:
                    self._started = name
        return self._started

    def _branch(self) -> str:
        self._default = self._default or field(self._client.get(""), "default_branch", str)
        return self._default


def _run(value: Mapping[str, Any]) -> WorkflowRun:
    conclusion = value.get("conclusion")
    return WorkflowRun(
        id=field(value, "id", int), title=field(value, "display_title", str), status=value.get("status") or ENDED,
        conclusion=conclusion if isinstance(conclusion, str) else None, created_at=field(value, "created_at", str),
        url=field(value, "html_url", str), commit=field(value, "head_sha", str),
    )  # fmt: skip


def _artifact(value: Mapping[str, Any]) -> Artifact:
    return Artifact(
        field(value, "id", int), field(value, "name", str), field(value, "size_in_bytes", int),
        bool(value.get("expired")), str(value.get("digest") or ""),
    )  # fmt: skip


def make(repo: Repo, env: Mapping[str, str]) -> GitHubActions:
    """The engine of a repository on GitHub. Raises UsageError where the environment doesn't say which."""
    return GitHubActions(find_place(repo, env))
