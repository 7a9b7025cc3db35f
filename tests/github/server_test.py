"""The in-memory GitHub's own tests: it says what its bare repository holds, and its judge sees what isn't GitHub's."""

from __future__ import annotations

import json
from http.client import HTTPConnection, RemoteDisconnected
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import commit, git, make_repo
from tests.github import Answer, Fault, openapi, serving
from tests.github.routes import ROUTES, Asked, Said, route

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.github import Server

described = pytest.mark.skipif(openapi.description() is None, reason="make openapi has not been run")


@pytest.fixture
def github(tmp_path: Path) -> Iterator[Server]:
    make_repo(tmp_path / "r", {"a.txt": "one\n"})
    git(tmp_path, "clone", "-q", "--bare", "r", "one.git")
    git(tmp_path / "r", "remote", "add", "origin", str(tmp_path / "one.git"))
    with serving(tmp_path / "one.git") as server:
        yield server


def ask(server: Server, method: str, path: str, body: Any = None, token: str = "bot-token") -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    data = None if body is None else json.dumps(body)
    connection.request(
        method, path.replace("~", f"/repos/{server.world.full_name}"), data, {"Authorization": f"Bearer {token}"}
    )
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    return answer.status, json.loads(said) if said else None


def push(tmp_path: Path, branch: str, text: str) -> str:
    repo = tmp_path / "r"
    git(repo, "checkout", "-q", "-B", branch, "main")
    oid = commit(repo, {"a.txt": text})
    git(repo, "push", "-q", "-f", "origin", branch)
    git(repo, "checkout", "-q", "main")
    return oid


def test_a_pull_request_follows_its_branch(tmp_path: Path, github: Server) -> None:
    wanted = {"title": "One", "head": "split-ci/one", "base": "main"}
    status, said = ask(github, "POST", "~/pulls", wanted)
    assert (status, said["errors"][0]["field"]) == (422, "head")
    first = push(tmp_path, "split-ci/one", "1\n")
    assert ask(github, "POST", "~/pulls", {**wanted, "base": "none"})[1]["errors"][0]["field"] == "base"
    assert (
        ask(github, "POST", "~/pulls", {**wanted, "head": "main"})[1]["errors"][0]["message"]
        == "No commits between main and main"
    )
    status, made = ask(github, "POST", "~/pulls", wanted)
    assert (status, made["number"], made["head"]["sha"], made["user"]["type"]) == (201, 1, first, "Bot")
    status, said = ask(github, "POST", "~/pulls", wanted)
    assert (status, said["errors"][0]["message"]) == (422, "A pull request already exists for ada:split-ci/one.")
    second = push(tmp_path, "split-ci/one", "2\n")
    assert ask(github, "GET", "~/pulls?head=ada:split-ci/one")[1][0]["head"]["sha"] == second
    git(tmp_path / "r", "push", "-q", "origin", "split-ci/one:main")
    _, merged = ask(github, "GET", "~/pulls/1")
    assert (merged["state"], merged["merged"]) == ("closed", True)
    assert ask(github, "GET", "~/pulls")[1] == []


def test_a_branch_that_goes_closes_its_pull_request(tmp_path: Path, github: Server) -> None:
    push(tmp_path, "split-ci/one", "1\n")
    ask(github, "POST", "~/pulls", {"title": "One", "head": "split-ci/one", "base": "main"})
    git(tmp_path / "r", "push", "-q", "origin", ":split-ci/one")
    assert ask(github, "GET", "~/pulls/1")[1]["state"] == "closed"
    status, said = ask(github, "PATCH", "~/pulls/1", {"state": "open"})
    assert (status, said["errors"][0]["field"]) == (422, "state")


def test_tokens_permissions_and_names(tmp_path: Path, github: Server) -> None:
    head = push(tmp_path, "split-ci/one", "1\n")
    assert ask(github, "GET", "~", token="none")[0] == 401
    assert ask(github, "GET", "/user")[0] == 403
    assert ask(github, "GET", "/user", token="ada-token")[1]["login"] == "ada"
    assert ask(github, "POST", f"~/statuses/{head}", {"state": "success", "context": "split-ci/review"})[0] == 201
    assert ask(github, "GET", f"~/commits/{head}/status")[1]["state"] == "success"
    assert ask(github, "GET", f"~/commits/{head}/statuses")[1][0]["context"] == "split-ci/review"
    github.world.tokens["bot-token"] = github.world.tokens["bot-token"]._replace(may=frozenset())
    assert (
        ask(github, "POST", f"~/statuses/{head}", {"state": "success"})[1]["message"]
        == "Resource not accessible by integration"
    )
    github.world.former.append("ada/zero")
    assert ask(github, "GET", "/repos/ada/zero")[0] == 301
    assert ask(github, "GET", f"/repositories/{github.world.id}")[1]["full_name"] == "ada/one"
    assert ask(github, "GET", "~/git/ref/heads/main")[1]["object"]["type"] == "commit"
    assert ask(github, "GET", "/nothing")[0] == 404


def test_faults_are_taken_in_their_turn(github: Server) -> None:
    github.faults.append(Fault(Answer(502, {"message": "Server Error"}), path="/repos/ada/one", skip=1))
    assert [ask(github, "GET", "~")[0] for _ in range(3)] == [200, 502, 200]
    github.faults.append(Fault(None, method="GET", path="/user", done=True))
    with pytest.raises(RemoteDisconnected):
        ask(github, "GET", "/user")
    assert [line.status for line in github.log] == [200, 502, 200, None]


@described
def test_the_judge_sees_what_github_does_not_know(github: Server) -> None:
    """Planted faults, each with its twin that is right."""
    made = {one.template: one for one in ROUTES if one.method == "POST"}
    create = made["/repos/{owner}/{repo}/pulls"]

    def asked(body: Any, **query: str) -> Asked:
        actor = github.world.tokens["bot-token"]
        return Asked(github.world, actor, github.url, "POST", "/repos/ada/one/pulls", {}, query, body)

    right = {"title": "One", "head": "split-ci/one", "base": "main"}
    assert openapi.request_faults(create, asked(right)) == []
    assert openapi.request_faults(create, asked({**right, "colour": "red"})) == [
        "POST /repos/{owner}/{repo}/pulls: no such field: colour"
    ]
    assert openapi.request_faults(create, asked({"title": "One", "head": "split-ci/one"}))
    assert openapi.request_faults(create, asked({**right, "draft": "yes"}))
    assert openapi.request_faults(create, asked(right, color="red"))
    assert openapi.answer_faults(create, Said(201, {"number": 1}))
    assert openapi.answer_faults(create, Said(204))
    assert (
        openapi.answer_faults(
            create, Said(422, {"message": "Validation Failed", "documentation_url": "https://docs.github.com"})
        )
        == []
    )
    before = len(ROUTES)
    route("GET", "/repos/{owner}/{repo}/approve")(lambda _: Said(200))
    invented = ROUTES.pop(before)
    assert openapi.request_faults(invented, asked(None)) == [
        "GET /repos/{owner}/{repo}/approve: GitHub has no such endpoint"
    ]
