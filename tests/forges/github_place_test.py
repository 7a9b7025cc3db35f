"""Where GitHub is, and who may see the token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from split_ci.errors import UsageError
from split_ci.forges.github_place import find_place
from split_ci.git import Repo
from tests.builders import git, make_repo

if TYPE_CHECKING:
    from pathlib import Path

    from split_ci.forges.github_place import GitHubPlace

TOKEN = {"GITHUB_TOKEN": "token-of-the-job"}
HTTPS = "https://github.com/ada/one.git"
GOOD: dict[str, tuple[str, dict[str, str], str, str, bool]] = {
    # origin's address, the environment -> the API, the repository, whether git may see the token
    "https": (HTTPS, {}, "https://api.github.com", "ada/one", True),
    "https without .git": ("https://github.com/ada/one", {}, "https://api.github.com", "ada/one", True),
    "a host in capitals": ("https://GitHub.com/ada/one", {}, "https://api.github.com", "ada/one", True),
    "a name in the address": ("https://ada@github.com/ada/one", {}, "https://api.github.com", "ada/one", True),
    "ssh": ("git@github.com:ada/one.git", {}, "https://api.github.com", "ada/one", False),
    "ssh in full": ("ssh://git@ssh.github.com:443/ada/one.git", {}, "https://api.github.com", "ada/one", False),
    "http": ("http://github.com/ada/one.git", {}, "https://api.github.com", "ada/one", False),
    "a path": ("../one.git", {"GITHUB_REPOSITORY": "ada/one"}, "https://api.github.com", "ada/one", False),
    "the environment's repository": (HTTPS, {"GITHUB_REPOSITORY": "bo/two"}, "https://api.github.com", "bo/two", True),
    "Enterprise": (
        "https://git.example.com/ada/one.git", {"GITHUB_API_URL": "https://git.example.com/api/v3/"},
        "https://git.example.com/api/v3", "ada/one", True),
    "Enterprise's cloud": (
        "https://firm.ghe.com/ada/one", {"GITHUB_API_URL": "https://api.firm.ghe.com"}, "https://api.firm.ghe.com", "ada/one", True),
    "another host's repository": (
        "https://git.example.com/ada/one", {"GITHUB_API_URL": "https://api.github.com"}, "https://api.github.com", "ada/one", False),
    "a host that ends so": (
        "https://notgithub.com/ada/one", {"GITHUB_API_URL": "https://api.github.com"}, "https://api.github.com", "ada/one", False),
    "another port": (
        "https://github.com:8443/ada/one", {}, "https://api.github.com", "ada/one", False),
    "loopback": (
        "http://127.0.0.1:8080/ada/one.git", {"GITHUB_API_URL": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080", "ada/one", True),
}  # fmt: skip
BAD: dict[str, tuple[str, dict[str, str], str]] = {
    "no token": (HTTPS, {"GITHUB_TOKEN": " "}, "none of GITHUB_TOKEN and GH_TOKEN is set"),
    "a token on two lines": (HTTPS, {"GITHUB_TOKEN": "abc\ndef"}, "GITHUB_TOKEN: it holds a character that no token has"),
    "a token in quotes of print": (HTTPS, {"GITHUB_TOKEN": "\u201cabc\u201d"}, "GITHUB_TOKEN: it holds a character"),
    "an API by http": (HTTPS, {"GITHUB_API_URL": "http://api.github.com"}, "GITHUB_API_URL: only https is spoken there"),
    "an API that is none": (HTTPS, {"GITHUB_API_URL": "api.github.com"}, "GITHUB_API_URL: only https is spoken there"),
    "an API with a password": (HTTPS, {"GITHUB_API_URL": "https://a:b@api.github.com"}, "GITHUB_API_URL: not the address of an API"),
    "an API with a query": (HTTPS, {"GITHUB_API_URL": "https://api.github.com?x=1"}, "GITHUB_API_URL: not the address of an API"),
    "another host": ("https://git.example.com/ada/one", {}, "origin is on git.example.com, and GITHUB_API_URL doesn't say"),
    "a repository that is none": (HTTPS, {"GITHUB_REPOSITORY": "ada"}, "GITHUB_REPOSITORY: it names no repository"),
    "a repository with a way out": (HTTPS, {"GITHUB_REPOSITORY": "ada/.."}, "GITHUB_REPOSITORY: it names no repository"),
    "a repository with a query": (HTTPS, {"GITHUB_REPOSITORY": "ada/one?x"}, "GITHUB_REPOSITORY: it names no repository"),
    "a path without a name": ("../one.git", {}, "remote.origin.url: it names no repository of GitHub"),
}  # fmt: skip


def place(tmp_path: Path, url: str, env: dict[str, str]) -> GitHubPlace:
    repo = make_repo(tmp_path / "r", {"a.txt": "one\n"})
    git(repo, "config", "remote.origin.url", url)
    return find_place(Repo.find(str(repo)), {**TOKEN, **env})


@pytest.mark.parametrize("name", GOOD)
def test_the_place(tmp_path: Path, name: str) -> None:
    url, env, api, full_name, shown = GOOD[name]
    found = place(tmp_path, url, env)
    assert (found.api, found.full_name, found.shows_git_the_token) == (api, full_name, shown)


@pytest.mark.parametrize("name", BAD)
def test_no_place(tmp_path: Path, name: str) -> None:
    url, env, said = BAD[name]
    with pytest.raises(UsageError) as raised:
        place(tmp_path, url, env)
    assert said in raised.value.message
    assert "abc" not in raised.value.message
    assert raised.value.hint


def test_the_first_token_counts(tmp_path: Path) -> None:
    assert place(tmp_path, HTTPS, {"GITHUB_TOKEN": "", "GH_TOKEN": "second"}).token == "second"
    assert place(tmp_path / "2", HTTPS, {"GH_TOKEN": "second"}).token == TOKEN["GITHUB_TOKEN"]
