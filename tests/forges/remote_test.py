"""Git and the remote: what is pushed is whole or not there, what is refused is said, and the token is seen by nobody."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from split_ci.errors import Refused, SplitCiError, WorldError
from split_ci.forges import remote
from split_ci.forges.remote import Remote
from split_ci.forges.workspace import transact
from split_ci.git import Repo, clean_env
from split_ci.refs import RefUpdate, swap
from tests.builders import commit, git
from tests.github import Answer, Fault
from tests.invariants import untouched

if TYPE_CHECKING:
    from tests.forges.hub import Hub

TOKEN = "bot-token"
BASIC = b64encode(f"x-access-token:{TOKEN}".encode()).decode()
ONE = "refs/heads/split-ci/one"


def put(hub: Hub, *updates: RefUpdate, url: str = "", shown: bool = True) -> list[RefUpdate]:
    """Through git's HTTP back end, unless an address is given."""
    there = Remote(url or f"{hub.server.url}/ada/one.git", TOKEN, show_token=shown)
    return transact(Repo.find(str(hub.repo)), there, lambda repo: swap(repo, updates))


def result(hub: Hub) -> str:
    git(hub.repo, "checkout", "-q", "-b", "side")
    made = commit(hub.repo, {"a.txt": "1\n"})
    git(hub.repo, "checkout", "-q", "main")
    return made


def commands() -> str:
    """The command lines and environments' names of all git processes that can be read."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"git" in command:
            found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return "\n".join(found)


def test_the_token_goes_by_environment_to_its_host(hub: Hub) -> None:
    seen: list[str] = []
    hub.server.faults.append(
        Fault(method="POST", path="git-receive-pack", passes=True, call=lambda: seen.append(commands()))
    )
    made = result(hub)
    with untouched(hub.repo, ()):
        assert put(hub, RefUpdate(ONE, made, None)) == []
    assert hub.refs()[ONE] == made
    assert {line.token for line in hub.server.log} == {BASIC}
    assert "git push" in seen[0] or "push --porcelain" in seen[0]
    assert TOKEN not in seen[0]
    assert BASIC not in seen[0]


def test_a_server_elsewhere_is_not_followed(hub: Hub) -> None:
    elsewhere = hub.server.url.replace("127.0.0.1", "localhost")
    where = f"{elsewhere}/ada/one.git/info/refs?service=git-upload-pack"
    hub.server.faults.append(Fault(Answer(301, b"", {"Location": where}), path="info/refs", times=0))
    with pytest.raises(WorldError) as raised:
        put(hub, RefUpdate(ONE, result(hub), None))
    assert "git remote set-url origin" in raised.value.hint
    assert len(hub.server.log) == 1


def test_other_settings_of_git_do_not_lead_the_token_elsewhere(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.gitconfig").write_text(f'[url "http://127.0.0.1:9/"]\n\tinsteadOf = {hub.server.url}/\n')
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    git(hub.repo, "config", "url.http://127.0.0.1:9/.insteadOf", f"{hub.server.url}/")
    made = result(hub)
    put(hub, RefUpdate(ONE, made, None))
    assert hub.refs()[ONE] == made


@pytest.mark.parametrize(
    "url", ["ext::sh -c 'touch {root}/ran'", "git://127.0.0.1/one.git", "ftp://127.0.0.1/one.git", "fd::7"]
)
def test_protocols_that_are_not_used(hub: Hub, tmp_path: Path, url: str) -> None:
    with pytest.raises(WorldError, match="is not a protocol that is used"):
        put(hub, RefUpdate(ONE, result(hub), None), url=url.format(root=tmp_path), shown=False)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("answer", [None, Answer(502, b"<html>"), Answer(503, b"")], ids=["cut", "502", "503"])
@pytest.mark.parametrize("path", ["info/refs", "git-upload-pack", "git-receive-pack"])
def test_a_server_that_is_away_for_a_moment(
    hub: Hub, path: str, answer: Answer | None, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("split_ci.forges.workspace.PAUSE_SECONDS", 0.01)
    made = result(hub)
    hub.server.faults.append(Fault(answer, path=path, times=times))
    assert put(hub, RefUpdate(ONE, made, None)) == []
    assert hub.refs()[ONE] == made


def test_a_push_whose_answer_is_lost_was_done(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not done twice: what is there is read again."""
    monkeypatch.setattr("split_ci.forges.workspace.PAUSE_SECONDS", 0.01)
    made = result(hub)
    hub.server.faults.append(Fault(None, method="POST", path="git-receive-pack", done=True))
    (lost,) = put(hub, RefUpdate(ONE, made, None))
    assert lost.ref == ONE
    assert hub.refs()[ONE] == made


HOOKS: dict[str, tuple[str, type[SplitCiError], str, str]] = {
    "F21 a protected branch": (
        "GH006: Protected branch update failed for refs/heads/split-ci/one.\nCommits must have verified signatures.", Refused,
        "GH006: Protected branch update failed for refs/heads/split-ci/one.; Commits must have verified signatures.", "hook"),
    "F21 a ruleset": (
        "GH013: Repository rule violations found for refs/heads/split-ci/one.\n- Cannot create ref due to creations being restricted.",
        Refused, "Cannot create ref due to creations being restricted", "Rulesets"),
    "F21 a large file": (
        "GH001: Large files detected. You may want to try Git Large File Storage.", Refused, "GH001", "100 MB"),
    "F07 a workflow": (
        "refusing to allow a GitHub App to create or update workflow `.github/workflows/x.yml` without `workflows` permission",
        WorldError, "refusing to allow a GitHub App", "workflows: write"),
    "a hook": ("no, and with \x1b[31mcolours", Refused, "no, and with \\x1b[31mcolours", "what it says stands above"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOOKS)
def test_a_push_that_is_refused_is_not_half_made(hub: Hub, name: str) -> None:
    words, kind, said, hint = HOOKS[name]
    hook = hub.bare / "hooks/update"  # asked for each ref, and says no to the branch alone
    hook.write_text(f"#!/bin/sh\ncase $1 in refs/heads/*) cat >&2 <<'WORDS'\n{words}\nWORDS\nexit 1;; esac\n")
    hook.chmod(0o755)
    before, made = hub.refs(), result(hub)
    with pytest.raises(SplitCiError) as raised:
        put(hub, RefUpdate("refs/split-ci/attempts/one/1", made, None), RefUpdate(ONE, made, None))
    assert type(raised.value) is kind
    assert said in raised.value.message
    assert hint in raised.value.hint
    assert hub.refs() == before


def test_a_server_that_changes_refs_one_by_one_is_not_used(hub: Hub) -> None:
    git(hub.bare, "config", "receive.advertiseAtomic", "false")
    with pytest.raises(WorldError, match="does not support --atomic"):
        put(hub, RefUpdate(ONE, result(hub), None))
    assert ONE not in hub.refs()


DENIED: dict[str, tuple[int, bytes, str]] = {
    "401": (401, b"", "wrong or too old"), "403": (403, b"Permission to ada/one.git denied", "give the token `contents: write`"),
    "404": (404, b"Repository not found.", "is origin's address right"),
}  # fmt: skip


@pytest.mark.parametrize("name", DENIED)
def test_a_token_that_may_not(hub: Hub, name: str) -> None:
    status, words, hint = DENIED[name]
    hub.server.faults.append(
        Fault(Answer(status, words, {"Content-Type": "text/plain"}), path="git-receive-pack|service=git-receive", times=0)
    )
    hub.server.faults.append(Fault(Answer(status, words, {"Content-Type": "text/plain"}), path="info/refs", skip=2, times=0))
    with pytest.raises(WorldError) as raised:
        put(hub, RefUpdate(ONE, result(hub), None))
    assert hint in raised.value.hint
    assert BASIC not in raised.value.message
    assert ONE not in hub.refs()


def test_an_origin_without_a_commit(hub: Hub) -> None:
    git(hub.root, "init", "-q", "--bare", "empty.git")
    with pytest.raises(WorldError, match="origin has no default branch"):
        put(hub, RefUpdate(ONE, result(hub), None), url=str(hub.root / "empty.git"), shown=False)


def test_a_password_in_the_address_is_not_said(hub: Hub) -> None:
    with pytest.raises(WorldError) as raised:
        put(hub, RefUpdate(ONE, result(hub), None), url="http://ada:hunter2@127.0.0.1:9/ada/one.git", shown=False)
    assert "hunter2" not in f"{raised.value.message} {raised.value.hint}"


def test_the_settings_are_told_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    env = remote._environment("https://ada:x@github.com/ada/one.git", "c2VjcmV0")
    told = {env[f"GIT_CONFIG_KEY_{at}"]: env[f"GIT_CONFIG_VALUE_{at}"] for at in range(int(env["GIT_CONFIG_COUNT"]))}
    assert told["remote.origin.url"] == "https://github.com/ada/one.git"
    assert told["http.https://github.com/.extraHeader"] == "Authorization: Basic c2VjcmV0"
    assert env["GIT_ALLOW_PROTOCOL"] == "https"
    assert clean_env(env)["GIT_CONFIG_NOSYSTEM"] == "1"
