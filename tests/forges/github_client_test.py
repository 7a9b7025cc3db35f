"""The client against everything that servers and networks do: each row says what is done, and what comes of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from split_ci.errors import Refused, SplitCiError, WorldError
from split_ci.forges.github_client import Client
from split_ci.forges.github_errors import Invalid, NotThere, Unsure
from split_ci.forges.github_place import GitHubPlace
from tests.builders import git
from tests.forges.hub import QUICK
from tests.github import Answer, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from split_ci.forges.github_client import Pace
    from tests.forges.hub import Hub

TOKEN = "bot-token"
PULL = {"title": "One", "body": "why", "head": "split-ci/one", "base": "main"}
DOCS = "https://docs.github.com/rest"


def client(hub: Hub, pace: Pace = QUICK, **fields: str) -> Client:
    place = GitHubPlace(hub.server.url, hub.server.world.full_name, TOKEN, str(hub.bare))
    return Client(place._replace(**fields), pace)


def branch(hub: Hub) -> None:
    """A branch with a commit of its own, for a pull request."""
    git(hub.repo, "commit", "-q", "--allow-empty", "-m", "one")
    git(hub.repo, "push", "-q", "origin", "HEAD:refs/heads/split-ci/one")


def says(status: int, message: str, **headers: str) -> Answer:
    return Answer(status, {"message": message, "documentation_url": DOCS, "status": str(status)}, headers)


PASSING: dict[str, tuple[Answer | None, str]] = {
    "500": (says(500, "Server Error"), "500: Server Error"),
    "502 with a page": (Answer(502, b"<html>Unicorn!</html>"), "502: no words of GitHub's"),
    "503 with nothing": (Answer(503), "503"),
    "504": (says(504, "We couldn't respond to your request in time"), "504: We couldn't respond"),
    "a page with 200": (Answer(200, b"<html>Sign in</html>"), "200 with what is not JSON (text/html)"),
    "nothing with 200": (Answer(200), "200 with nothing in it"),
    "half of the JSON": (Answer(200, b'{"full_name": "ada'), "200 with what is not JSON"),
    "nested without end": (Answer(200, b"[" * 100_000), "200 with what is not JSON"),
    "the connection ends": (None, "RemoteProtocolError"),
    "the connection ends in between": (Answer(200, {"full_name": "ada/one"}, short=True), "RemoteProtocolError"),
    "packed, which was not asked for": (Answer(200, b"\x1f\x8b\x08", {"Content-Encoding": "gzip"}), "it is packed"),
    "429": (says(429, "Too many requests", **{"Retry-After": "0"}), "429: Too many requests (again in 0 s)"),
    "the secondary limit, without a time": (
        says(403, "You have exceeded a secondary rate limit."), "403: You have exceeded a secondary rate limit. (again in 60 s)"),
    "the primary limit": (
        says(403, "API rate limit exceeded", **{"x-ratelimit-remaining": "0", "Retry-After": "0"}), "403: API rate limit exceeded"),
}  # fmt: skip


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_asked_again(hub: Hub, name: str) -> None:
    answer, _ = PASSING[name]
    hub.server.faults.append(Fault(answer, times=2))
    assert client(hub).get("")["full_name"] == "ada/one"
    assert len(hub.server.log) == 3


@pytest.mark.parametrize("name", PASSING)
def test_what_does_not_pass_ends_within_the_tries(hub: Hub, name: str) -> None:
    answer, said = PASSING[name]
    hub.server.faults.append(Fault(answer, times=0))
    with pytest.raises(WorldError) as raised:
        client(hub).get("")
    assert raised.value.again
    assert said in raised.value.message
    assert raised.value.message.startswith("GitHub: GET /repos/ada/one: ")
    assert len(hub.server.log) == QUICK.tries


@pytest.mark.parametrize("name", [name for name in PASSING if "limit" not in name and name != "429"])
@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
def test_what_makes_something_is_asked_once_and_looked_for(hub: Hub, name: str, done: bool) -> None:
    """Whether it was done or not, one comes of it."""
    branch(hub)
    here = client(hub)
    hub.server.faults.append(Fault(PASSING[name][0], method="POST", done=done))
    with pytest.raises(Unsure, match=r"it may have been done"):
        here.post("pulls", PULL)
    assert len(hub.server.world.pulls) == int(done)

    def look() -> Any:
        return next(iter(here.pages("pulls", head="ada:split-ci/one")), None)

    hub.server.faults.append(Fault(PASSING[name][0], method="POST", done=done))
    assert here.ensure(look, lambda: here.post("pulls", PULL))["number"] == 1
    assert len(hub.server.world.pulls) == 1


@pytest.mark.parametrize("name", [name for name in PASSING if "limit" in name or name == "429"])
def test_a_limit_makes_nothing_and_is_waited_for(hub: Hub, name: str) -> None:
    branch(hub)
    hub.server.faults.append(Fault(PASSING[name][0], method="POST"))
    assert client(hub).post("pulls", PULL)["number"] == 1


def test_lists_lag_behind(hub: Hub) -> None:
    """What was made isn't in the list yet, and GitHub says that it exists."""
    branch(hub)
    here = client(hub)
    here.post("pulls", PULL)
    hub.server.faults.append(Fault(Answer(200, []), method="GET", path="pulls", times=2))

    def look() -> Any:
        return next(iter(here.pages("pulls", head="ada:split-ci/one")), None)

    assert here.ensure(look, lambda: here.post("pulls", PULL))["number"] == 1
    assert [line.status for line in hub.server.log if line.method == "POST"] == [201, 422, 422]


FINAL: dict[str, tuple[Answer, type[SplitCiError], str, str]] = {
    "F04 no commits": (
        Answer(422, {"message": "Validation Failed", "errors": [
            {"resource": "PullRequest", "code": "custom", "message": "No commits between main and split-ci/one"}]}),
        Invalid, "422: Validation Failed; No commits between main and split-ci/one", ""),
    "F04 base": (
        Answer(422, {"message": "Validation Failed", "errors": [{"resource": "PullRequest", "field": "base", "code": "invalid"}]}),
        Invalid, "422: Validation Failed; base invalid", ""),
    "F04 too long": (
        Answer(422, {"message": "Validation Failed", "errors": [
            {"resource": "PullRequest", "code": "custom", "field": "body", "message": "body is too long (maximum is 65536 characters)"}]}),
        Invalid, "body is too long", ""),
    "F04 errors that are words": (
        Answer(422, {"message": "Validation Failed", "errors": ["Head sha can't be blank"]}), Invalid, "Head sha can't be blank", ""),
    "F05 the setting": (
        says(403, "GitHub Actions is not permitted to create or approve pull requests."), WorldError,
        "not permitted to create or approve pull requests", "tick `Allow GitHub Actions to create and approve pull requests`"),
    "F06 the token": (
        says(403, "Resource not accessible by integration"), WorldError, "Resource not accessible by integration",
        "give the token `pull-requests: write`"),
    "F06 the token, in GitHub's words": (
        says(403, "Resource not accessible by integration", **{"X-Accepted-GitHub-Permissions": "pull_requests=write,contents=read"}),
        WorldError, "Resource not accessible by integration", "give the token `pull-requests: write,contents: read`"),
    "403 of an organisation": (
        says(403, "Resource protected by organization SAML enforcement."), WorldError, "SAML", "the organisation's rules"),
    "F09 the token is too old": (says(401, "Bad credentials"), WorldError, "401: Bad credentials", "an App's lives for one hour"),
    "404": (says(404, "Not Found"), NotThere, "404: Not Found", "is GITHUB_REPOSITORY right"),
    "410": (says(410, "Issues are disabled"), NotThere, "410: Issues are disabled", ""),
    "451": (says(451, "Repository access blocked"), WorldError, "451: Repository access blocked", ""),
    "words that hide": (says(400, "a\x1b[31mb\u202e\nc"), WorldError, "400: a\\x1b[31mb\\u{202e} c", ""),
    "the token in its words": (says(400, f"you sent {TOKEN}"), WorldError, "400: you sent ***", ""),
    "no words": (Answer(400, b"\xff\xfe"), WorldError, "400: \ufffd\ufffd", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", FINAL)
def test_what_is_final_is_said_once(hub: Hub, name: str) -> None:
    answer, kind, said, hint = FINAL[name]
    hub.server.faults.append(Fault(answer, method="POST"))
    with pytest.raises(SplitCiError) as raised:
        client(hub).post("pulls", PULL)
    error = raised.value
    assert type(error) is kind
    assert error.message.startswith("GitHub: POST /repos/ada/one/pulls: ")
    assert said in error.message
    assert hint in error.hint
    assert TOKEN not in f"{error.message} {error.hint} {error} {error.args}"
    assert len(hub.server.log) == 1
    assert isinstance(error, Refused) or not error.again  # type: ignore[attr-defined]


def test_a_limit_that_is_longer_than_the_deadline_is_not_waited_for(hub: Hub) -> None:
    """By GitHub's own clock: ours may be hours off."""
    reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1767229200", "Date": "Thu, 01 Jan 2026 00:00:00 GMT"}
    hub.server.faults.append(Fault(says(403, "API rate limit exceeded for installation.", **reset), times=0))
    started = time.monotonic()
    with pytest.raises(WorldError, match=r"\(again in 3600 s\)"):
        client(hub).get("")
    assert time.monotonic() - started < QUICK.deadline
    assert len(hub.server.log) == 1


DATE = {"Date": "Thu, 01 Jan 2026 00:00:00 GMT"}
WAITS = {
    "a year": ({"Retry-After": "31536000"}, "31536000"),
    "a date": ({"Retry-After": "Thu, 01 Jan 2026 02:00:00 GMT"}, "7200"),
    "a date that is over": ({"Retry-After": "Wed, 31 Dec 2025 00:00:00 GMT", "x-ratelimit-reset": "1767229200"}, "3600"),
    "less than nothing": ({"Retry-After": "-5", "x-ratelimit-reset": "1767229200"}, "3600"),
    "no number": ({"Retry-After": "\u00b2", "x-ratelimit-reset": "1767229200"}, "3600"),
    "no end": ({"Retry-After": "9" * 5000}, "100000000"),
    "a reset without end": ({"x-ratelimit-reset": "9" * 400}, "100000000"),
    "a reset that is no number for Python": ({"x-ratelimit-reset": "9" * 5000}, "100000000"),
}


@pytest.mark.parametrize("name", WAITS)
def test_how_long_a_limit_lasts(hub: Hub, name: str) -> None:
    headers, seconds = WAITS[name]
    hub.server.faults.append(Fault(says(429, "Too many requests", **headers, **DATE), times=0))
    with pytest.raises(WorldError, match=rf"\(again in {seconds} s\)") as caught:
        client(hub).get("")
    assert caught.value.again
    assert len(hub.server.log) == 1


@pytest.mark.parametrize("drips", [True, False], ids=["drips", "says nothing"])
def test_an_answer_without_an_end_is_ended(hub: Hub, drips: bool) -> None:
    call: Callable[[], None] | None = None if drips else lambda: time.sleep(0.5)
    answer = Answer(200, {}, drips=True) if drips else Answer(200, {})
    hub.server.faults.append(Fault(answer, times=0, call=call))
    with pytest.raises(WorldError) as raised:
        client(hub, QUICK._replace(deadline=0.4, silence=0.2)).get("")
    assert ("it doesn't come to an end" if drips else "ReadTimeout") in raised.value.message


@pytest.mark.parametrize(("api", "said"), [
    ("https://api.invalid", "ConnectError"),
    ("http://127.0.0.1:9", "ConnectError"),
], ids=["no such host", "nobody listens"])  # fmt: skip
def test_a_server_that_is_not_there(hub: Hub, api: str, said: str) -> None:
    with pytest.raises(WorldError) as raised:
        client(hub, api=api).post("pulls", PULL)
    assert raised.value.again
    assert said in raised.value.message
    assert type(raised.value) is WorldError  # nothing was sent: nothing to be unsure of


def test_tls_that_is_none(hub: Hub) -> None:
    with pytest.raises(WorldError, match="ConnectError"):
        client(hub, api=hub.server.url.replace("http:", "https:")).get("")
    assert hub.server.log == []


def test_a_repository_that_was_renamed(hub: Hub) -> None:
    """F20: looks are led on; writes ask for the new name and go there."""
    branch(hub)
    hub.server.world.former.append("ada/zero")
    here = client(hub, full_name="ada/zero")
    assert here.get("")["full_name"] == "ada/one"
    assert [one["number"] for one in here.pages("pulls")] == []
    assert here.post("pulls", PULL)["number"] == 1
    assert here.patch("pulls/1", {"title": "Two"})["title"] == "Two"
    assert hub.server.log[-1].path == "/repos/ada/one/pulls/1"
    assert len(hub.server.world.pulls) == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_token_is_shown_to_no_other_host(hub: Hub, method: str) -> None:
    elsewhere = hub.server.url.replace("127.0.0.1", "localhost") + "/repos/ada/one/pulls"
    hub.server.faults.append(Fault(Answer(302 if method == "get" else 307, {}, {"Location": elsewhere})))
    with pytest.raises(WorldError, match=r"it redirects to another host \(localhost\)"):
        client(hub).get("pulls") if method == "get" else client(hub).post("pulls", PULL)
    assert len(hub.server.log) == 1


def test_redirects_in_circles(hub: Hub) -> None:
    hub.server.faults.append(Fault(Answer(301, {}, {"Location": "/repos/ada/one"}), times=0))
    with pytest.raises(WorldError, match="it redirects in circles"):
        client(hub).get("")


def test_writes_are_apart(hub: Hub) -> None:
    branch(hub)
    here = client(hub, QUICK._replace(between_writes=0.3))
    started = time.monotonic()
    here.post("pulls", PULL)
    here.patch("pulls/1", {"title": "Two"})
    assert time.monotonic() - started >= 0.3


def test_pages_are_read_to_the_end(hub: Hub) -> None:
    pages = [Answer(200, [{"n": n} for n in range(100)]), Answer(200, [{"n": n} for n in range(7)])]
    hub.server.faults += [Fault(answer) for answer in pages]
    assert len(list(client(hub).pages("pulls"))) == 107
    hub.server.faults.append(Fault(Answer(200, {"message": "odd"})))
    with pytest.raises(WorldError, match="not a list of objects"):
        list(client(hub).pages("pulls"))


def test_a_short_page_is_not_the_last_where_github_says_so(hub: Hub) -> None:
    """And where the next one is said to be, on another host, nobody looks."""
    more = {"Link": '<http://127.0.0.2:1/repos/ada/one/pulls?page=9>; rel="next", <http://127.0.0.2:1/>; rel="last"'}
    hub.server.faults += [Fault(Answer(200, [{"n": 0}], more)), Fault(Answer(200, [{"n": 1}]))]
    assert [each["n"] for each in client(hub).pages("pulls")] == [0, 1]
    assert [line.path for line in hub.server.log] == ["/repos/ada/one/pulls"] * 2


def test_a_list_without_an_end_is_none(hub: Hub) -> None:
    hub.server.faults.append(Fault(Answer(200, [{"n": n} for n in range(100)]), times=0))
    with pytest.raises(WorldError, match="more than 100 pages"):
        list(client(hub).pages("pulls"))
    assert len(hub.server.log) == 100


@pytest.mark.parametrize(
    "where",
    [
        "http://[::1",
        "http://[x]/",
        "//",
        "http://h:99999/",
        "https://127.0.0.1:99999/",
        "https://.../",
        "http://h\x7f/",
        "::",
        "ftp://h/",
    ],
)
@pytest.mark.parametrize("method", ["get", "post", "download"])
def test_a_redirect_to_nowhere(hub: Hub, where: str, method: str) -> None:
    hub.server.faults.append(Fault(Answer(302, {}, {"Location": where}), times=0))
    here = client(hub)
    calls: dict[str, Callable[[], object]] = {
        "get": lambda: here.get("pulls"),
        "post": lambda: here.post("pulls", PULL),
        "download": lambda: here.download("x", 9),
    }
    with pytest.raises(WorldError, match=r"^GitHub: "):
        calls[method]()


def test_a_file_that_is_kept_elsewhere_is_fetched_without_the_token(hub: Hub) -> None:
    elsewhere = hub.server.url.replace("127.0.0.1", "localhost")
    hub.server.faults += [
        Fault(Answer(302, None, {"Location": f"{elsewhere}/blob"}), path="/zip"),
        Fault(Answer(200, b"PK" * 50), path="/blob"),
        Fault(Answer(302, None, {"Location": f"{elsewhere}/blob"}), path="/zip"),
        Fault(Answer(200, b"PK" * 50), path="/blob"),
        Fault(Answer(302, None, {"Location": "http://192.0.2.1/blob"}), path="/zip"),
    ]
    assert client(hub).download("actions/artifacts/1/zip", 100) == b"PK" * 50
    assert [line.token for line in hub.server.log] == [TOKEN, ""]
    with pytest.raises(WorldError, match="more than 99 bytes"):
        client(hub).download("actions/artifacts/1/zip", 99)
    with pytest.raises(WorldError, match="only https is spoken there"):
        client(hub).download("actions/artifacts/1/zip", 99)
