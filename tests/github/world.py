"""What the in-memory GitHub knows beside refs, which it reads out of the bare repository each time."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tests.builders import git
from tests.github.actions import Engine

if TYPE_CHECKING:
    from pathlib import Path

    from tests.github.reviews import Remark, Review

EPOCH = 1_767_225_600  # 2026-01-01T00:00:00Z


class Actor(NamedTuple):
    """Who speaks. An installation's token (`type` Bot) has the permissions that it was given, a person's has all."""

    login: str
    id: int
    type: Literal["Bot", "User"] = "User"
    may: frozenset[str] = frozenset({"contents", "pull_requests", "issues", "statuses", "checks", "actions"})  # write


BOT = Actor("github-actions[bot]", 41_898_282, "Bot")
PERSON = Actor("ada", 101)
STRANGER = Actor("mallory", 102)
ANOTHER_APP = Actor("mallory-repeats[bot]", 103, "Bot")


class Pull:
    """One pull request. `head_sha` is what its branch last was, frozen once it is closed."""

    def __init__(self, number: int, author: Actor, fields: dict[str, Any], at: str) -> None:
        self.number = number
        self.author = author
        self.title: str = fields["title"]
        self.body: str | None = fields.get("body")
        self.head: str = fields["head"]
        self.base: str = fields["base"]
        self.head_sha: str = fields["head_sha"]
        self.base_sha: str = fields["base_sha"]
        self.draft: bool = fields.get("draft", False)
        self.state: Literal["open", "closed"] = "open"
        self.created_at = self.updated_at = at
        self.closed_at: str | None = None
        self.merged_at: str | None = None
        self.closed_by: Actor | None = None
        self.labels: list[str] = []


class Comment:
    """A comment on an issue or a pull request."""

    def __init__(self, id_: int, number: int, author: Actor, body: str, at: str) -> None:
        self.id = id_
        self.number = number
        self.author = author
        self.body = body
        self.created_at = self.updated_at = at


class Status(NamedTuple):
    id: int
    sha: str
    state: str
    context: str
    description: str | None
    target_url: str | None
    creator: Actor
    at: str


@dataclass
class Settings:
    """What an administrator set. Secrets are names alone."""

    archived: bool = False
    enabled: bool = True
    allowed: str = "all"
    default_rights: str = "read"
    variables: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    environments: dict[str, Environment] = field(default_factory=dict)
    workflows: dict[str, str] = field(default_factory=dict)  # file name -> state
    protected: bool = False
    rules: dict[str, list[str]] = field(default_factory=dict)  # branch, or `split-ci/` for all of the bot's -> types


class Environment(NamedTuple):
    """`branches` None: any; () is every protected one."""

    branches: tuple[str, ...] | None = ("main",)
    secrets: tuple[str, ...] = ()
    reviewers: bool = False


class World:
    """One repository, its people, and everything that the API can say of it."""

    def __init__(self, bare: Path, full_name: str = "ada/one") -> None:
        self.bare = bare
        self.owner, self.name = full_name.split("/")
        self.id = 7_001
        self.private = False
        self.former: list[str] = []  # full names that the repository had before: they redirect
        self.actions_may_open_pulls = True
        self.tokens: dict[str, Actor] = {"bot-token": BOT, "ada-token": PERSON, "mallory-token": STRANGER}
        self.pulls: list[Pull] = []
        self.comments: list[Comment] = []
        self.statuses: list[Status] = []
        self.engine = Engine()
        self.reviews: list[Review] = []
        self.remarks: list[Remark] = []
        self.settings = Settings()
        self.lock = threading.RLock()
        self._seconds = 0
        self._ids = 10_000
        self._told: dict[tuple[str, ...], str] = {}

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    def now(self) -> str:
        """A moment later than the last one."""
        from datetime import UTC, datetime

        self._seconds += 1
        return datetime.fromtimestamp(EPOCH + self._seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def new_id(self) -> int:
        self._ids += 1
        return self._ids

    def default_branch(self) -> str:
        return git(self.bare, "symbolic-ref", "HEAD").removeprefix("refs/heads/")

    def refs(self) -> dict[str, str]:
        lines = git(self.bare, "for-each-ref", "--format=%(objectname) %(refname)").splitlines()
        return {ref: oid for oid, _, ref in (line.partition(" ") for line in lines)}

    def contains(self, base: str, head: str) -> bool:
        """Whether a commit is in the history of another."""
        return self.told("rev-list", "-n", "1", head, f"^{base}") == ""

    def told(self, *args: str) -> str:
        """What git says of commits by their ids: it always says the same."""
        if args not in self._told:
            self._told[args] = git(self.bare, *args)
        return self._told[args]

    def resolve(self, rev: str) -> str | None:
        """The commit of a branch, a tag or an id."""
        refs = self.refs()
        for ref in (f"refs/heads/{rev}", f"refs/tags/{rev}", rev):
            if ref in refs:
                return refs[ref]
        found = git(self.bare, "cat-file", "--batch-check", input=f"{rev}\n".encode())
        return rev if len(rev) >= 40 and found.split(" ")[1:2] == ["commit"] else None

    def number(self) -> int:
        """Issues and pull requests are counted together."""
        return len(self.pulls) + 1

    def settle(self, pusher: Actor | None = None) -> None:
        """What pushes did to open pull requests: a moved head, a merge, a branch that is gone, which closes it.

        A push by path has no name: it is taken for the one of whoever asks next.
        """
        if not any(pull.state == "open" for pull in self.pulls):
            return
        refs = self.refs()
        for pull in self.pulls:
            if pull.state != "open":
                continue
            head, base = refs.get(f"refs/heads/{pull.head}"), refs.get(f"refs/heads/{pull.base}")
            pull.base_sha = base or pull.base_sha
            if head is None:
                self.close(pull, pusher)
                continue
            if head != pull.head_sha:
                pull.head_sha, pull.updated_at = head, self.now()
            if base and self.contains(base, head):
                self.close(pull, None)
                pull.merged_at = pull.closed_at

    def close(self, pull: Pull, actor: Actor | None) -> None:
        pull.state, pull.closed_by = "closed", actor
        pull.closed_at = pull.updated_at = self.now()
