"""A repository, its bare origin, an in-memory GitHub before it, and the files of a result: what most of these tests need."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from split_ci.forges.github import GitHub
from split_ci.forges.github_client import Pace
from split_ci.forges.github_place import find_place
from split_ci.git import Repo
from tests.builders import commit, git, make_repo, spec, split_ci

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from subprocess import CompletedProcess

    from tests.github import Server

EDIT = "### Edit `a.txt`\nBefore:\n```\none\n```\nAfter:\n```\n{}\n```\n"
ACCEPT = "  - contains: {in: a.txt, text: uno}\n  - lacks: {in: a.txt, text: one}"
FILES = {"a.txt": "one\n", "specs/one.md": spec(EDIT.format("uno"), accept=ACCEPT)}
QUICK = Pace(deadline=20.0, between_writes=0.0, first_pause=0.01, minute=0.01)


class Hub:
    """`repo` is a clone of `bare`; `server` is set by the fixture."""

    server: Server

    def __init__(self, root: Path, files: Mapping[str, str | bytes] = FILES) -> None:
        self.root = root
        self.repo = make_repo(root / "r", files)
        self.bare = root / "one.git"
        git(root, "clone", "-q", "--bare", "r", "one.git")
        git(self.repo, "remote", "add", "origin", str(self.bare))
        git(self.repo, "fetch", "-q", "origin")

    def cli(self, *args: str, code: int | None = 0, token: str = "bot-token", **env: str) -> CompletedProcess[str]:
        """The command line, as a workflow's step runs it."""
        return split_ci(self.repo, *args, env={**self.server.env(token), **env}, code=code)

    def told(self, *args: str, code: int | None = 0) -> Any:
        return json.loads(self.cli(*args, "--format", "json", code=code).stdout)

    def make(self, id_: str = "one", base: str = "HEAD") -> None:
        """The changeset and the results of a spec, beside the repository."""
        split_ci(self.repo, "implement", id_, "--base", base, "--out", f"../{id_}.json")
        split_ci(self.repo, "accept", f"../{id_}.json", "--out", f"../{id_}.results.json")

    def publish(self, id_: str = "one", code: int | None = 0) -> Any:
        return self.told("publish", f"../{id_}.json", "--accept", f"../{id_}.results.json", code=code)

    def refs(self) -> dict[str, str]:
        """The origin's."""
        lines = git(self.bare, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.split(" ") for line in lines)

    def land(self, files: Mapping[str, str | bytes | None], message: str = "next") -> str:
        """A commit on the default branch, here and at the origin."""
        made = commit(self.repo, files, message=message)
        git(self.repo, "push", "-q", "origin", "main")
        return made

    def forge(self, pace: Pace = QUICK, token: str = "bot-token", **env: str) -> GitHub:
        """The adapter itself, without the waits that real servers need."""
        return GitHub(find_place(Repo.find(str(self.repo)), {**self.server.env(token), **env}), pace=pace)
