"""Git and a remote: its refs fetched, and changed in one push by lease. The token goes by environment, to one host alone."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, NamedTuple

from split_ci.errors import Refused, SplitCiError, WorldError
from split_ci.git import run_git
from split_ci.plain import visible
from split_ci.store import ALONE

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Collection, Mapping, Sequence

    from split_ci.git import Repo
    from split_ci.refs import RefUpdate

SPACES = ("refs/heads/split-ci/", "refs/notes/split-ci*", "refs/split-ci/")  # what is the tool's own there
PROTOCOLS = {"https": "https", "http": "http", "ssh": "ssh", "file": "file", "": "file"}
RACE = re.compile(
    r"stale info|fetch first|failed to update ref|cannot lock ref|incorrect old value|reference already exists"
    r"|non-fast-forward|unable to lock|remote ref .* not found|couldn't find remote ref"
)
PASSING = re.compile(
    r"Could not resolve host|Couldn't connect|Connection (?:reset|refused|timed out|closed)|Operation timed out|early EOF"
    r"|unexpected disconnect|hung up unexpectedly|RPC failed|error: (?:429|5\d\d)|Empty reply|GnuTLS|SSL_ERROR"
    r"|Could not read from remote repository|Internal Server Error|Service Unavailable",
    re.IGNORECASE,
)
KNOWN = (  # what the remote says -> what to do about it, by whose word it is final
    ("without `workflows` permission", WorldError, "files below .github/workflows take an App with `workflows: write`"),
    ("does not support --atomic", WorldError, "its git server can't change several refs at once; half of a result is none"),
    ("protected branch", Refused, "branch protection: let the bot push to split-ci/**, or leave split-ci/** out of it"),
    ("rule violations", Refused, "Settings, Rules, Rulesets: leave refs/heads/split-ci/** out, or let the bot bypass it"),
    ("Large files detected", Refused, "GitHub takes no file of more than 100 MB"),
    ("hook declined", Refused, "a hook of the remote refused it: what it says stands above"),
    ("Permission to", WorldError, "give the token `contents: write`"),
    ("Authentication failed", WorldError, "the token is wrong or too old, or may not see this repository"),
    ("could not read Username", WorldError, "the token is missing, wrong or too old (an App's lives for one hour)"),
    ("error: 403", WorldError, "give the token `contents: write`"),
    ("error: 401", WorldError, "the token is missing, wrong or too old (an App's lives for one hour)"),
    ("not found", WorldError, "is origin's address right, and may the token see it?"),
    ("error: 404", WorldError, "is origin's address right, and may the token see it?"),
    ("error: 30", WorldError, "it has another address now: git remote set-url origin …"),
    ("redirect", WorldError, "it has another address now: git remote set-url origin …"),
)  # fmt: skip
MAX_REASON = 400


class Away(WorldError):
    """The remote was away for a moment, or somebody else was quicker: another try may come through."""


class Pushed(NamedTuple):
    """How a push ended. `again`: somebody else was quicker, or the answer was lost; what is there now has to be read."""

    done: bool
    again: bool = False
    fault: SplitCiError | None = None


class Remote:
    """The remote of a repository; what is kept of its address never stands in a message or on a command line."""

    def __init__(self, url: str, token: str = "", *, show_token: bool = False) -> None:
        self._secrets = [token, b64encode(f"x-access-token:{token}".encode()).decode()] if token else []
        self.env = _environment(url, self._secrets[1] if show_token else "")

    def look(self, there: Repo, names: Collection[str]) -> tuple[str | None, set[str]]:
        """(the default branch, None where nothing was ever pushed; those of the named branches that are there)."""
        default, found = None, set()
        asked = ("ls-remote", "--symref", "origin", "HEAD", *(f"refs/heads/{name}" for name in names))
        for line in self._read(there, *asked).splitlines():
            start, _, ref = line.partition("\t")
            if ref == "HEAD" and start.startswith("ref: refs/heads/"):
                default = start.removeprefix("ref: refs/heads/")
            elif ref.removeprefix("refs/heads/") in names:
                found.add(ref.removeprefix("refs/heads/"))
        return default, found

    def fetch(self, there: Repo, branches: Collection[str]) -> None:
        """Brings the tool's own refs and some branches, each under its own name. Raises WorldError."""
        spaces = [f"{each.removesuffix('*')}*" for each in SPACES]
        wanted = [*(f"refs/heads/{name}" for name in sorted(branches)), *spaces]
        self._read(
            there, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "origin",
            *(f"+{ref}:{ref}" for ref in wanted),
        )  # fmt: skip

    def push(self, there: Repo, updates: Sequence[RefUpdate]) -> Pushed:
        """All of the updates or none, each only where the remote's ref is as expected."""
        leases = [f"--force-with-lease={update.ref}:{update.expected or ''}" for update in updates]
        specs = [f"{update.new or ''}:{update.ref}" for update in updates]
        done = self._run(
            there, "push", "--porcelain", "--atomic", "--no-verify", "--recurse-submodules=no", *leases, "origin", *specs
        )
        if done.returncode == 0:
            return Pushed(done=True)
        said = self._clean(done.stdout.decode(errors="replace") + "\n" + done.stderr.decode(errors="replace"))
        fault, again = _fault("push", said)
        return Pushed(done=False, again=again, fault=fault)

    def _read(self, there: Repo, *args: str) -> str:
        done = self._run(there, *args)
        if done.returncode == 0:
            return done.stdout.decode(errors="surrogateescape")
        fault, again = _fault(args[0], self._clean(done.stderr.decode(errors="replace")))
        raise Away(fault.message, again=True) if again else fault

    def _run(self, there: Repo, *args: str) -> subprocess.CompletedProcess[bytes]:
        return run_git(args, cwd=there.root, git_dir=there.git_dir, env=self.env, check=False)

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return re.sub(r"://[^/@\s]*@", "://***@", text)


def _environment(url: str, shown: str) -> Mapping[str, str]:
    """What git is told by its environment: no command line and no file shows it. A token comes with no other setting."""
    scheme = url.partition("://")[0].lower() if "://" in url else "ssh" if _is_short_ssh(url) else ""
    allowed = PROTOCOLS.get(scheme)
    if allowed is None or "::" in url:  # `helper::address` runs a program of that name
        raise WorldError(
            f"origin: {visible(url.partition(':')[0])[:40]} is not a protocol that is used",
            hint="git remote set-url origin https://…",
        )
    settings = [("remote.origin.url", url)]
    if shown:
        parts = re.match(r"(?P<start>[a-z]+://)(?:[^/@]*@)?(?P<host>[^/]+)", url, re.IGNORECASE)
        assert parts is not None
        where = f"{parts['start']}{parts['host']}/"
        settings = [
            ("remote.origin.url", f"{where}{url[parts.end() + 1 :]}"),
            (f"http.{where}.extraHeader", f"Authorization: Basic {shown}"),
            ("http.followRedirects", "false"), ("credential.helper", ""),
        ]  # fmt: skip
    env = {
        f"GIT_CONFIG_{kind}_{at}": text
        for at, pair in enumerate(settings)
        for kind, text in zip(("KEY", "VALUE"), pair, strict=True)
    }
    return {**env, "GIT_CONFIG_COUNT": str(len(settings)), "GIT_ALLOW_PROTOCOL": allowed, **(ALONE if shown else {})}


def _is_short_ssh(url: str) -> bool:
    host, colon, _ = url.partition(":")
    return bool(colon) and "/" not in host


def _fault(what: str, said: str) -> tuple[SplitCiError, bool]:
    """What a failed command means, and whether what is there has to be read again."""
    reason = _reason(said)
    for words, kind, hint in KNOWN:
        if words in said:
            return kind(f"origin: git {what}: {reason}", hint=hint), False
    again = bool(RACE.search(said) or PASSING.search(said))
    return WorldError(f"origin: git {what}: {reason}", again=again), again


def _reason(said: str) -> str:
    """The remote's own words, or else git's, on one line."""
    lines = [" ".join(line.split()) for line in said.splitlines()]
    remote = [line.removeprefix("remote: ").strip() for line in lines if line.startswith("remote: ") and line != "remote: "]
    rejected = [line for line in lines if line.startswith("!")]
    own = [line for line in lines if line.startswith(("fatal: ", "error: "))]
    chosen = [*remote[:6], *rejected[:2]] or own[:2] or lines[-1:]
    return visible("; ".join(line for line in chosen if line))[:MAX_REASON] or "it said nothing"
