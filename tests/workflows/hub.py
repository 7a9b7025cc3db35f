"""A repository on GitHub, whole: real git over HTTP, the API in memory, and Actions by `act`, which runs what the API is asked for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from split_ci.workflows import Setting, render
from tests.builders import git, make_repo
from tests.github import Server, serving
from tests.workflows.act import Actions, Run, push

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NAME = "ada/one"
TOKEN = "bot-token"


class Hub(NamedTuple):
    folder: Path
    bare: Path
    github: Server
    actions: Actions

    def push(self, files: Mapping[str, str | None]) -> str:
        """What a person pushes to the default branch."""
        return push(self.bare, self.folder, files)

    def dispatch(self, event: str = "push", variables: Mapping[str, str] | None = None) -> tuple[Run, list[Run]]:
        """A look of the dispatch workflow, and then each run that it asked the API for, to its end."""
        looked = self.actions.run(event, "split-ci-dispatch.yml", variables=variables)
        return looked, self.settle()

    def by_hand(self, inputs: Mapping[str, str], *, until: str = "") -> Run:
        """A run that a person starts; `until` is the job after which somebody cancels it."""
        self.github.world.engine.add(self.github.world, inputs)
        (run,) = self.settle(until)
        return run

    def settle(self, until: str = "") -> list[Run]:
        """Runs what is queued."""
        world = self.github.world
        done = []
        for run in [each for each in world.engine.runs if each.status == "queued"]:
            run.status = "in_progress"
            ran = self.actions.run("workflow_dispatch", "split-ci-spec.yml", run.inputs, id_=run.id, until=until)
            for folder in sorted((self.actions.artifacts / str(run.id)).glob("*")):
                world.engine.leave(world, run, folder.name, {path.name: path.read_bytes() for path in folder.iterdir()})
            run.status, run.conclusion = "completed", "failure" if "failure" in ran.jobs.values() else "success"
            run.conclusion = "cancelled" if until else run.conclusion
            run.jobs += [(run.attempt, name, result) for name, result in ran.jobs.items()]
            done.append(ran)
        return done

    def refs(self) -> dict[str, str]:
        return self.github.world.refs()

    def show(self, rev: str) -> str:
        return git(self.bare, "show", rev)


@contextmanager
def hub(folder: Path, files: Mapping[str, str], secrets: Mapping[str, str], setting: Setting) -> Iterator[Hub]:
    """A private repository with the workflows of a setting and some files."""
    seed = make_repo(folder / "seed", {**files, **render(setting)})
    bare = folder / f"{NAME}.git"
    git(folder, "clone", "-q", "--bare", str(seed), str(bare))
    with serving(bare, NAME) as github:
        github.world.private = True
        github.world.tokens[TOKEN] = github.world.tokens.pop("bot-token")
        env = {name: value for name, value in github.env().items() if name != "GITHUB_TOKEN"}
        url = f"{github.url}/{NAME}.git"
        actions = Actions(folder / "act", bare, env, {**secrets, "GITHUB_TOKEN": TOKEN}, url=url)
        found = Hub(folder, bare, github, actions)
        found.push(actions.install())
        yield found
