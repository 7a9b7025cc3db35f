"""Forges: the `forge` of the configuration is a row here, and its module is imported when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from split_ci.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.config import Config
    from split_ci.git import Repo
    from split_ci.ports import Forge, Workflows

FORGES = {"local": "split_ci.forges.local", "github": "split_ci.forges.github"}


class Adapter(Protocol):
    """What a module of the table has: the forge of a repository."""

    def make(self, repo: Repo, config: Config, env: Mapping[str, str]) -> Forge: ...


def build(repo: Repo, config: Config, env: Mapping[str, str]) -> Forge:
    """The forge that the configuration names. Raises UsageError where this version has none of that name."""
    module = FORGES.get(config.forge)
    if module is None:
        known = ", ".join(FORGES)
        raise UsageError(
            f"forge: {config.forge!r} is not one of this version: {known}", hint="forge: local in .split-ci.yaml"
        )
    adapter: Adapter = import_module(module)
    return adapter.make(repo, config, env)


def git_environment(repo: Repo, config: Config, env: Mapping[str, str]) -> Mapping[str, str]:
    """What git is told beside, to reach `origin`: a token where the forge has one, else nothing, as a person's git goes."""
    if config.forge != "github":
        return {}
    from split_ci.forges.github_place import find_place  # noqa: PLC0415 - the local forge has no place
    from split_ci.forges.remote import Remote  # noqa: PLC0415

    try:
        place = find_place(repo, env)
    except UsageError:
        return {}
    return Remote(place.url, place.token, show_token=True).env if place.shows_git_the_token else {}


def workflows(repo: Repo, config: Config, env: Mapping[str, str]) -> Workflows:
    """The engine of the forge that the configuration names. Raises UsageError where it has none."""
    if config.forge != "github":
        raise UsageError(f"forge: {config.forge!r} starts no runs", hint="split-ci run")
    from split_ci.forges.github_actions import make  # noqa: PLC0415

    return make(repo, env)
