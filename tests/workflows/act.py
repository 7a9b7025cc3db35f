"""GitHub Actions on this machine: `act` runs the real workflow files, each job in a new clone of a bare repository.

What can't be fetched is replaced by stand-ins that do the same to real files: the actions that check out and that hand files
on, and the one that installs split-ci, which puts this very split-ci on the PATH.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from split_ci.workflows import ACTION, PINS
from tests.builders import SOURCE, commit, git, make_repo, write

if TYPE_CHECKING:
    from collections.abc import Mapping

ACT = Path(sys.executable).with_name("act")
UNKNOWN_TO_ACT = re.compile(r"^ +(?:queue: max|deployment: false)\b.*\n", re.MULTILINE)
SECONDS = 240
EVENT = {"ref": "refs/heads/main", "repository": {"default_branch": "main"}}

CHECKOUT = """\
name: check out
description: what actions/checkout does with fetch-depth 0 and no credentials kept
inputs: {{fetch-depth: {{}}, persist-credentials: {{}}}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {{SHA: "${{{{ github.sha }}}}", BRANCH: "${{{{ github.ref_name }}}}"}}
      run: |
        find . -mindepth 1 -maxdepth 1 -exec rm -rf {{}} +
        git init -q -b "$BRANCH" .
        git remote add origin {remote}
        git fetch -q --no-recurse-submodules origin '+refs/heads/*:refs/remotes/origin/*' '+refs/tags/*:refs/tags/*'
        git checkout -q --force -B "$BRANCH" "$SHA"
        git remote set-url origin {url}
"""
UPLOAD = """\
name: upload
description: keeps files below a name that nobody else in this run has
inputs: {{name: {{}}, path: {{}}, if-no-files-found: {{}}, retention-days: {{}}}}
outputs: {{artifact-id: {{value: "${{{{ steps.keep.outputs.artifact-id }}}}"}}}}
runs:
  using: composite
  steps:
    - shell: bash
      id: keep
      env: {{NAME: "${{{{ inputs.name }}}}", FROM: "${{{{ inputs.path }}}}"}}
      run: |
        test -n "$(ls -A "$FROM")"
        mkdir -p "{artifacts}/$GITHUB_RUN_ID"
        mkdir "{artifacts}/$GITHUB_RUN_ID/$NAME"
        cp -R "$FROM/." "{artifacts}/$GITHUB_RUN_ID/$NAME"
        echo "artifact-id=1" >> "$GITHUB_OUTPUT"
"""
DOWNLOAD = """\
name: download
description: brings what was kept below a name
inputs: {{name: {{}}, path: {{}}}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {{NAME: "${{{{ inputs.name }}}}", TO: "${{{{ inputs.path }}}}"}}
      run: |
        mkdir -p "$TO"
        cp -R "{artifacts}/$GITHUB_RUN_ID/$NAME/." "$TO"
"""
NEVER = """\
name: never
description: nothing of these tests has an App
runs:
  using: composite
  steps:
    - {{shell: bash, run: exit 1}}
"""
STAND_INS = {"CHECKOUT": CHECKOUT, "UPLOAD": UPLOAD, "DOWNLOAD": DOWNLOAD, "APP_TOKEN": NEVER}
INSTALL = """\
name: split-ci
description: puts the split-ci that is tested on the PATH
inputs: {{sandbox: {{default: "false"}}}}
runs:
  using: composite
  steps:
    - shell: bash
      run: echo "{bin}" >> "$GITHUB_PATH"
"""
# Each call leaves a folder: what it was asked, in which environment, what it put out and its summary.
SPLIT_CI = """\
#!/bin/bash
call="{calls}/$(date +%s%N)"
mkdir -p "$call"
printf '%s\\0' "$GITHUB_JOB" "$@" > "$call/words"
env -0 > "$call/env"
{variables}PYTHONPATH={source} {python} -P -m split_ci "$@"
code=$?
cp "$GITHUB_OUTPUT" "$call/output"
cp "$GITHUB_STEP_SUMMARY" "$call/summary"
exit $code
"""


class Call(NamedTuple):
    """One command of split-ci's, in a step of a job."""

    job: str
    words: list[str]
    env: Mapping[str, str]
    output: str
    summary: str


class Run(NamedTuple):
    """One run of a workflow. `jobs`: success or failure; those that were passed over have no row."""

    id: int
    jobs: Mapping[str, str]
    calls: list[Call]
    annotations: list[tuple[str, str, str]]  # the file, the line and the title of each error
    log: str  # every line that a person would see, secrets not hidden

    def call(self, command: str) -> Call:
        (found,) = [call for call in self.calls if call.words[0] == command]
        return found


class Actions:
    """The engine of one repository. `env` is what every step sees, as GitHub's runner sets it.

    `url` is where `origin` is in the jobs: what a step does there after the checkout, it does with a token of its own.
    """

    def __init__(
        self, folder: Path, remote: Path, env: Mapping[str, str] | None = None, secrets: Mapping[str, str] | None = None,
        *, url: str = "",
    ) -> None:  # fmt: skip
        self.folder, self.remote, self.env, self.secrets = folder, remote, env or {}, secrets or {}
        self.url = url or str(remote)
        self.artifacts = folder / "artifacts"
        self.runs = 0
        self._stand_ins()

    def install(self) -> dict[str, str]:
        """What takes the place of the action that installs split-ci, by its path in the repository."""
        return {ACTION: INSTALL.format(bin=self.folder / "bin")}

    def run(
        self,
        event: str,
        workflow: str,
        inputs: Mapping[str, str] | None = None,
        *,
        variables: Mapping[str, str] | None = None,
        id_: int | None = None,
        until: str = "",
    ) -> Run:
        """Runs a workflow of the default branch to its end, as of an event on that branch; `until` is the last job of it."""
        self.runs += 1
        id_ = id_ or self.runs
        work = self.folder / f"runs/{self.runs}"
        clone = work / "clone"
        git(self.folder, "clone", "-q", str(self.remote), str(clone))
        text = (clone / ".github/workflows" / workflow).read_text()
        secrets = "".join(f"{name}={value}\n" for name, value in self.secrets.items())
        write(
            work,
            {
                "secrets": secrets,
                workflow: UNKNOWN_TO_ACT.sub("", text),
                "event.json": json.dumps({**EVENT, "inputs": inputs or {}}),
            },
        )
        done = subprocess.run(
            [ACT, event, "--json", "-C", clone, "-W", work / workflow, "-e", work / "event.json", *self._options(work), *(["-j", until] if until else []),
             *_pairs("--var", variables or {}), "--secret-file", work / "secrets",
             *_pairs("--env", {**self.env, "GITHUB_RUN_ID": str(id_)})],
            env={"PATH": os.defpath + ":/usr/local/bin", "HOME": str(self.folder / "home")},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=SECONDS,
        )  # fmt: skip
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return Run(id_, _results(lines), self._calls(), _annotations(lines), done.stdout + done.stderr)

    def _options(self, work: Path) -> list[str]:
        local = [f"--local-repository={PINS[name].partition(' ')[0]}={self.folder / 'actions' / name}" for name in STAND_INS]
        return [
            "-P", "ubuntu-24.04=-self-hosted", "--no-skip-checkout", "--no-cache-server", "--insecure-secrets",
            "--defaultbranch", "main", "--action-cache-path", str(work / "cache"), "--concurrent-jobs", "2", *local,
        ]  # fmt: skip

    def _stand_ins(self) -> None:
        for name, text in STAND_INS.items():
            place = {"remote": shlex.quote(str(self.remote)), "url": shlex.quote(self.url), "artifacts": self.artifacts}
            make_repo(self.folder / "actions" / name, {"action.yml": text.format(**place)})
        coverage = "".join(f"{k}={shlex.quote(v)} " for k, v in os.environ.items() if k.startswith("COVERAGE_"))
        script = SPLIT_CI.format(
            calls=self.folder / "calls", source=SOURCE, python=shlex.quote(sys.executable), variables=coverage
        )
        write(self.folder, {"bin/split-ci": script, "home/.keep": "", "calls/.keep": ""})
        (self.folder / "bin/split-ci").chmod(0o755)

    def _calls(self) -> list[Call]:
        """Those since the last look, in their order."""
        found = []
        for folder in sorted(path for path in (self.folder / "calls").iterdir() if path.is_dir()):
            job, *words = (folder / "words").read_text().split("\0")[:-1]
            env = dict(pair.split("=", 1) for pair in (folder / "env").read_text().split("\0") if "=" in pair)
            found.append(Call(job, words, env, (folder / "output").read_text(), (folder / "summary").read_text()))
            folder.rename(self.folder / f"runs/{self.runs}" / folder.name)
        return found


def _pairs(option: str, values: Mapping[str, str]) -> list[str]:
    return [word for name, value in values.items() for word in (option, f"{name}={value}")]


def _results(lines: list[dict[str, Any]]) -> dict[str, str]:
    return {line["jobID"]: line["jobResult"] for line in lines if "jobResult" in line}


def _annotations(lines: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    pairs = [line["kvPairs"] for line in lines if line.get("command") == "error"]
    return [(each.get("file", ""), each.get("line", ""), each.get("title", "")) for each in pairs]


def push(remote: Path, folder: Path, files: Mapping[str, str | None], message: str = "next") -> str:
    """A person's push to the default branch."""
    clone = folder / "person"
    if not clone.exists():
        git(folder, "clone", "-q", str(remote), str(clone))
    git(clone, "pull", "-q", "--ff-only", "origin", "main")
    done = commit(clone, files, message=message)
    git(clone, "push", "-q", "origin", "HEAD:main")
    return done
