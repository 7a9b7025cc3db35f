"""Which repository on which GitHub, by which token: from the environment of a workflow's step, and from `origin`."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from split_ci.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from split_ci.git import Repo

PUBLIC = "https://api.github.com"
TOKENS = ("GITHUB_TOKEN", "GH_TOKEN")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
_SHORT_SSH = re.compile(r"(?:[^@/:]+@)?(?P<host>[^/:]+):(?P<path>[^/].*)")
_TOKEN = re.compile(r"[\x21-\x7e]+")


class GitHubPlace(NamedTuple):
    """`url` is origin's, as it is configured; `token` is shown to the API's host, and to git only on the same GitHub."""

    api: str  # https://api.github.com
    full_name: str  # owner/repository
    token: str
    url: str

    @property
    def owner(self) -> str:
        return self.full_name.partition("/")[0]

    @property
    def git_host(self) -> str:
        """The host of this GitHub's repositories, with its port."""
        host = urlsplit(self.api).netloc
        return host.removeprefix("api.") if self.api == PUBLIC or host.endswith(".ghe.com") else host

    @property
    def shows_git_the_token(self) -> bool:
        """Whether origin is a repository on this very GitHub, by https (on loopback, http)."""
        return bool(self.token) and web_fault(self.url) is None and _host(self.url) == self.git_host.lower()


def find_place(repo: Repo, env: Mapping[str, str]) -> GitHubPlace:
    """The place of a repository. Raises UsageError where the environment or `origin` can't be used."""
    url = repo.ask("config", "--get", "remote.origin.url") or ""
    if not url:
        raise UsageError("forge: github: there is no remote origin", hint="git remote add origin …, or `forge: local`")
    api, full_name, token = _api(url, env), _full_name(url, env), _token(env)
    is_path = location(url) is None and "://" not in url
    return GitHubPlace(api, full_name, token, os.path.join(repo.root, url) if is_path else url)


def web_fault(url: str) -> str | None:
    """Why a token must not go to an address: it isn't https, nor http on this very machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return None
    return "only https is spoken there (http on loopback alone)"


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def _api(url: str, env: Mapping[str, str]) -> str:
    named = env.get("GITHUB_API_URL", "").strip().rstrip("/")
    if named:
        parts = urlsplit(named)
        fault = web_fault(named)
        if fault or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise UsageError(
                f"GITHUB_API_URL: {fault or 'not the address of an API'}", hint="GITHUB_API_URL=https://api.github.com"
            )
        return named
    place = location(url)
    if place is None or place[0] in ("github.com", "ssh.github.com"):
        return PUBLIC
    host = place[0]
    raise UsageError(
        f"forge: github: origin is on {host}, and GITHUB_API_URL doesn't say where its API is",
        hint=f"export GITHUB_API_URL=https://{'api.' if host.endswith('.ghe.com') else ''}{host}"
        f"{'' if host.endswith('.ghe.com') else '/api/v3'}",
    )


def location(url: str) -> tuple[str, str] | None:
    """(host, path) of a git URL; None where it is a path of this machine."""
    parts = urlsplit(url)
    if parts.scheme in ("https", "http", "ssh", "git"):
        return (parts.hostname or "").lower(), parts.path.strip("/")
    short = _SHORT_SSH.fullmatch(url) if parts.scheme != "file" else None
    return (short["host"].lower(), short["path"].strip("/")) if short else None


def _full_name(url: str, env: Mapping[str, str]) -> str:
    named = env.get("GITHUB_REPOSITORY", "").strip()
    place = location(url)
    found = named or (place[1].removesuffix(".git") if place else "")
    if not _NAME.fullmatch(found) or ".." in found:
        where = "GITHUB_REPOSITORY" if named else "remote.origin.url"
        raise UsageError(f"{where}: it names no repository of GitHub", hint="export GITHUB_REPOSITORY=owner/name")
    return found


def _token(env: Mapping[str, str]) -> str:
    for name in TOKENS:
        token = env.get(name, "").strip()
        if token and not _TOKEN.fullmatch(token):
            raise UsageError(f"{name}: it holds a character that no token has", hint=f"export {name}=… again")
        if token:
            return token
    raise UsageError(
        f"forge: github: none of {' and '.join(TOKENS)} is set", hint="export GITHUB_TOKEN=…, or `forge: local`"
    )
