"""A repository, a task and an agent on a scripted server: for fakes and for the real programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from split_ci import agents
from split_ci.caps import Account, Caps, Silent
from split_ci.git import Repo
from split_ci.implementers.agent import TURNS, Agent, Ground
from split_ci.meter import Upstream
from split_ci.models.row import priced
from split_ci.ports import Asker, Task
from split_ci.sandbox import Sandbox, choose
from split_ci.settings import Price
from split_ci.spec import parse_spec
from tests.builders import make_repo, spec

if TYPE_CHECKING:
    from pathlib import Path

    from split_ci.caps import Journal
    from split_ci.ports import Tree

KEY = "sk-real-0123456789abcdef0123456789"  # what must never be seen
MODEL = "scripted-1"
FILES = {"docs/app.md": "old\n", "src/app.py": "print(1)\n", ".gitignore": "*.log\n"}
PROSE = "### Instruct `docs/app.md`\nSay that it is new.\n"
CAPS = Caps(rounds=3, minutes=2.0, tokens=100_000, usd=1.0)
PRICE = Price(1.0, 0.1, 10.0)
COMMAND = "printf 'new\\n' > docs/app.md"
BLOCK = "docs/app.md\n```\n<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n```\n"


def repository(tmp_path: Path, files: dict[str, str | bytes] | None = None) -> Repo:
    return Repo.find(str(make_repo(tmp_path / "r", files or FILES)))


def task_of(
    repo: Repo, *, tree: Tree | None = None, caps: Caps = CAPS, journal: Journal | None = None, **fields: object
) -> Task:
    parsed = parse_spec(spec(PROSE).encode(), "specs/a.md").spec
    assert parsed
    base = repo.commit("HEAD")
    task = Task(
        spec=parsed, base=base, tree=tree or repo.tree(base), left=("Say that it is new.",), lessons=(), writable=("docs/app.md",),
        frozen=(), account=Account(caps, Asker("implementer", "a"), journal or Silent()), files=("docs/app.md",), asked=(("docs/app.md",),),
    )  # fmt: skip
    return task._replace(**fields)  # type: ignore[arg-type]


def agent_of(
    name: str, repo: Repo, url: str, *, sandbox: Sandbox | None = None, turns: int = TURNS, row: agents.Agent | None = None
) -> Agent:
    upstream = Upstream(f"{url}/v1", KEY, MODEL)
    ground = Ground(repo, sandbox or choose("auto"), keys=("SPLIT_REAL_KEY",))
    return Agent(row or agents.ROWS[name], upstream, ground, price=lambda usage: priced(usage, PRICE), turns=turns)
