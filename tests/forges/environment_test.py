"""What git is told beside by a forge: a token for the one host that it belongs to, and nothing else, anywhere else."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

import pytest

from split_ci.config import Config
from split_ci.forges import git_environment
from split_ci.git import Repo
from tests.builders import git, make_repo

if TYPE_CHECKING:
    from pathlib import Path

GITHUB = Config(forge="github")
NAMED = {"GITHUB_REPOSITORY": "ada/one", "GITHUB_API_URL": "https://api.github.com"}
TOKEN = {**NAMED, "GITHUB_TOKEN": "ghs_0123456789"}


def told(tmp_path: Path, url: str, config: Config, env: dict[str, str]) -> dict[str, str]:
    root = make_repo(tmp_path / "r", {"a.txt": "a"})
    if url:
        git(root, "remote", "add", "origin", url)
    return dict(git_environment(Repo.find(str(root)), config, env))


def test_the_token_of_its_own_host_goes_into_a_header(tmp_path: Path) -> None:
    env = told(tmp_path, "https://github.com/ada/one.git", GITHUB, TOKEN)
    settings = {env[f"GIT_CONFIG_KEY_{n}"]: env[f"GIT_CONFIG_VALUE_{n}"] for n in range(int(env["GIT_CONFIG_COUNT"]))}
    kind, _, value = settings["http.https://github.com/.extraHeader"].rpartition(" ")
    assert (kind, b64decode(value)) == ("Authorization: Basic", b"x-access-token:ghs_0123456789")
    assert env["GIT_ALLOW_PROTOCOL"] == "https"


NOTHING = {
    "the local forge": ("https://github.com/ada/one.git", Config(), TOKEN),
    "no token": ("https://github.com/ada/one.git", GITHUB, NAMED),
    "another host": ("https://gitlab.example/ada/one.git", GITHUB, TOKEN),
    "no encryption": ("http://github.com/ada/one.git", GITHUB, TOKEN),
    "a folder": ("/srv/one.git", GITHUB, TOKEN),
    "ssh": ("git@github.com:ada/one.git", GITHUB, TOKEN),
    "no remote": ("", GITHUB, TOKEN),
}


@pytest.mark.parametrize(("url", "config", "env"), NOTHING.values(), ids=NOTHING)
def test_elsewhere_git_goes_as_a_person_s_does(tmp_path: Path, url: str, config: Config, env: dict[str, str]) -> None:
    assert told(tmp_path, url, config, env) == {}
