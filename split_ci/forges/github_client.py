"""GitHub's REST API by its client library: deadlines, retries, pacing, redirects; and no answer is believed as it comes.

What only looks is asked again; what makes something is asked once, and looked for before it is asked again (`ensure`).
"""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from split_ci import __version__
from split_ci.errors import SplitCiError, UsageError, WorldError
from split_ci.forges.github_errors import Fault, Invalid, NotThere, Unsure, fault_of, field, legible
from split_ci.forges.github_wire import Capped, Lost, connection_fault
from split_ci.plain import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import httpx
    from githubkit import GitHub, TokenAuthStrategy

    from split_ci.forges.github_place import GitHubPlace

    Found = TypeVar("Found")

VERSION = "2022-11-28"  # of the API; GitHub Enterprise Server knows it too
MAX_PAGES = 100
MAX_BYTES = 64 << 20
MAX_REDIRECTS = 5
SHORTEST_TOKEN = 8  # a shorter one would be found in any text


class Pace(NamedTuple):
    """Seconds: of all tries of one call together, between two writes (GitHub's own advice), of the first pause,
    and of a silence that is taken for a lost connection.
    """

    deadline: float = 300.0
    between_writes: float = 1.0
    first_pause: float = 0.5
    silence: float = 30.0
    tries: int = 6
    minute: float = 60.0  # where GitHub says that it is too much, and not for how long
    looks: int = 4  # until what was asked for is believed not to be there


class Client:
    """One token, one repository. Paths without a slash in front are below `/repos/{owner}/{name}/`.

    Every method raises `errors.WorldError`, or `errors.Refused` where GitHub says that the request is wrong.
    """

    def __init__(self, place: GitHubPlace, pace: Pace = Pace()) -> None:  # noqa: B008 - a value
        self.place = place
        self.pace = pace
        self.full_name = place.full_name  # another one, once GitHub says that it was renamed
        self._github: GitHub[TokenAuthStrategy] | None = None
        self._written = float("-inf")
        self._ends = float("inf")

    def get(self, path: str, **query: str | int) -> Any:  # noqa: ANN401 - foreign JSON
        """What is there, as JSON."""
        return self._json("GET", path, query=query)

    def get_object(self, path: str) -> dict[str, Any]:
        """As `get`, where an object is told."""
        found = self.get(path)
        if not isinstance(found, dict):
            raise WorldError(f"GitHub: GET {path}: not an object", again=True)
        return found

    def pages(self, path: str, key: str = "", **query: str | int) -> Iterator[dict[str, Any]]:
        """The objects of a list, page by page, or of the list under `key` of each page."""
        for number in range(1, MAX_PAGES + 1):
            answer = self._call("GET", path, {**query, "per_page": 100, "page": number}, None, parse=True)
            found, more = json.loads(answer.content), 'rel="next"' in answer.headers.get("link", "")  # a page may be short
            listed = found.get(key) if key and isinstance(found, dict) else found
            if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
                raise WorldError(f"GitHub: GET {path}: not a list of objects", again=True)
            yield from listed
            if len(listed) < 100 and not more:
                return
        raise WorldError(f"GitHub: GET {path}: more than {MAX_PAGES} pages: what is on the others can't be left out")

    def post(self, path: str, value: Mapping[str, Any]) -> Any:  # noqa: ANN401 - foreign JSON
        """Makes something, asked once. Raises Unsure where the answer is lost: see `ensure`."""
        return self._json("POST", path, value=value)

    def patch(self, path: str, value: Mapping[str, Any]) -> Any:  # noqa: ANN401 - foreign JSON
        """Sets fields; twice is as good as once."""
        return self._json("PATCH", path, value=value)

    def put(self, path: str, value: Mapping[str, Any]) -> Any:  # noqa: ANN401 - foreign JSON
        return self._json("PUT", path, value=value)

    def delete(self, path: str) -> None:
        """Takes something away; what isn't there is as good."""
        try:
            self._call("DELETE", path, {}, None)
        except NotThere:
            return

    def dispatch(self, path: str, value: Mapping[str, Any]) -> None:
        """A POST that is answered by 204, with nothing. Raises Unsure where the answer is lost."""
        self._call("POST", path, {}, value)

    def download(self, path: str, most_bytes: int) -> bytes:
        """A file that GitHub keeps elsewhere: it is asked for there without the token."""
        answer = self._call("GET", path, {}, None, elsewhere=True)
        where = answer.headers.get("location", "")
        if answer.status_code < 300:
            if len(answer.content) > most_bytes:
                raise WorldError(f"GitHub: GET {path}: more than {most_bytes} bytes")
            return bytes(answer.content)
        from split_ci.forges.github_wire import fetch_elsewhere  # noqa: PLC0415 - rare

        return fetch_elsewhere(where, most_bytes, self.pace.deadline)

    def ensure(self, look: Callable[[], Found | None], make: Callable[[], Found]) -> Found:
        """What `look` finds, or else what `make` made. Killed, refused or cut off in between: it looks again first."""
        fault: Unsure | Invalid | None = None
        for tried in range(self.pace.looks):
            if tried:
                time.sleep(self.pace.first_pause * 2**tried)  # lists lag behind what was made
            found = look()
            if found is not None:
                return found
            if isinstance(fault, Unsure) and tried < self.pace.looks - 1:
                continue
            try:
                return make()
            except Unsure as error:
                fault = error
            except Invalid as error:
                if not error.may_pass:
                    raise
                fault = error
        assert fault is not None
        raise fault

    def _json(self, method: str, path: str, *, query: Mapping[str, str | int] | None = None, value: object = None) -> Any:  # noqa: ANN401
        return json.loads(self._call(method, path, query or {}, value, parse=True).content)

    def _call(
        self, method: str, path: str, query: Mapping[str, str | int], value: object, *, parse: bool = False,
        elsewhere: bool = False,
    ) -> httpx.Response:  # fmt: skip
        """One call with all its tries."""
        self._ends = time.monotonic() + self.pace.deadline
        for tried in range(self.pace.tries):
            self._wait_for_turn(method)
            answer, fault = self._once(method, path, query, value, parse=parse, elsewhere=elsewhere)
            if fault is None:
                assert answer is not None
                return answer
            if fault.done and method == "POST":
                raise Unsure(f"{fault.error.message} (it may have been done)", again=True)
            wait = fault.wait_seconds
            if wait is None:
                pause = self.pace.minute if fault.limited else self.pace.first_pause
                wait = pause * 2**tried * random.uniform(1.0, 1.5)  # noqa: S311 - so that racers part
            if not fault.passing or tried + 1 == self.pace.tries or time.monotonic() + wait > self._ends:
                raise fault.error
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _once(
        self, method: str, path: str, query: Mapping[str, str | int], value: object, *, parse: bool, elsewhere: bool
    ) -> tuple[httpx.Response | None, Fault | None]:
        """One request, redirects followed as far as the token may go."""
        url = self._url(path)
        for _ in range(MAX_REDIRECTS):
            what = f"{method} {urlsplit(url).path}"
            try:
                answer = self._send(method, url, query, value)
            except Lost as lost:
                return None, connection_fault(lost, what, self._clean)
            if answer.status_code >= 400:
                fault = fault_of(answer.status_code, answer.headers, answer.content, what, time.time())
                return None, fault._replace(error=self._cleaned(fault.error))
            if answer.status_code < 300:
                wrong = parse and _not_json(answer, method)
                return (
                    (None, Fault(WorldError(f"GitHub: {what}: {wrong}", again=True), passing=True, done=True))
                    if wrong
                    else (answer, None)
                )
            if elsewhere and not self._same_api(answer):
                return answer, None
            url, query = self._redirected(method, path, answer), {}
        return None, Fault(WorldError(f"GitHub: {method} {path}: it redirects in circles"))

    def _redirected(self, method: str, path: str, answer: httpx.Response) -> str:
        """Where a redirect leads. A repository that was renamed is asked for its name, so that no write is led elsewhere."""
        if not self._same_api(answer):
            host = urlsplit(_location(answer)).hostname
            raise WorldError(f"GitHub: {method} {path}: it redirects to another host ({host}): the token isn't shown there")
        if method == "GET":
            return _location(answer)
        name = field(self.get(f"/repos/{self.full_name}"), "full_name", str)
        if name == self.full_name:
            raise WorldError(f"GitHub: {method} {path}: it redirects, and the repository's name is the same")
        self.full_name = name
        return self._url(path)

    def _same_api(self, answer: httpx.Response) -> bool:
        api, there = urlsplit(self.place.api), urlsplit(_location(answer))
        return (api.scheme, api.netloc) == (there.scheme, there.netloc)

    def _send(self, method: str, url: str, query: Mapping[str, str | int], value: object) -> httpx.Response:
        from githubkit.exception import GitHubException, RequestError, RequestFailed  # noqa: PLC0415 - 0.25 s

        try:
            response = self._sdk().request(
                method, url, params=query or None, json=value,
                headers={"X-GitHub-Api-Version": VERSION, "Accept-Encoding": "identity"},
            )  # fmt: skip
        except RequestFailed as error:
            return error.response.raw_response
        except RequestError as error:
            raise Lost(error.exc) from None
        except GitHubException as error:
            raise Lost(error) from None
        return response.raw_response

    def _sdk(self) -> GitHub[TokenAuthStrategy]:
        if self._github is None:
            try:
                from githubkit import GitHub, TokenAuthStrategy  # noqa: PLC0415 - 0.25 s
                from httpx import create_ssl_context  # noqa: PLC0415
            except ImportError as error:
                raise UsageError(
                    f"forge: github: its client is not installed ({error})", hint="pip install githubkit 'hishel<2'"
                ) from None
            api = self.place.api
            secure = api.startswith("https:")
            self._github = GitHub(
                TokenAuthStrategy(self.place.token), base_url=api, user_agent=f"split-ci/{__version__}",
                follow_redirects=False, timeout=self.pace.silence, http_cache=False, auto_retry=False,
                trust_env=secure,  # on loopback there is no proxy that may see the token
                ssl_verify=create_ssl_context() if secure else False,  # once: each request would read all certificates again
                event_hooks={"response": [self._tame]},
            )  # fmt: skip
        return self._github

    def _tame(self, response: httpx.Response) -> None:
        """Before the client library reads an answer: an end to it, and no time that it can't read."""
        Capped.put_on(response, MAX_BYTES, self._ends)
        legible(response.headers, time.time())

    def _url(self, path: str) -> str:
        rest = path if path.startswith("/") else f"/repos/{self.full_name}/{path}".rstrip("/")
        return self.place.api + rest

    def _wait_for_turn(self, method: str) -> None:
        if method == "GET":
            return
        time.sleep(max(0.0, self._written + self.pace.between_writes - time.monotonic()))
        self._written = time.monotonic()

    def _clean(self, text: str) -> str:
        return text.replace(self.place.token, "***") if len(self.place.token) >= SHORTEST_TOKEN else text

    def _cleaned(self, error: SplitCiError) -> SplitCiError:
        error.message, error.hint = self._clean(error.message), self._clean(error.hint)
        error.args = (error.message,)
        return error


def _location(answer: httpx.Response) -> str:
    """The whole address that a redirect leads to. Raises WorldError where it is none."""
    from httpx import InvalidURL  # noqa: PLC0415 - it comes with the client library

    said = answer.headers.get("location", "")
    try:
        there = str(answer.url.join(said))
        urlsplit(there)
    except (InvalidURL, ValueError):
        raise WorldError(f"GitHub: it redirects to what is no address: {visible(said)[:80]!r}") from None
    return there


def _not_json(answer: httpx.Response, method: str) -> str:
    """Why an answer is not the JSON that was asked for; "" where it is. What was made or changed is an object."""
    try:
        value = json.loads(answer.content)
    except (ValueError, RecursionError):
        kind = answer.headers.get("content-type", "").partition(";")[0]
        return f"{answer.status_code} with {'nothing in it' if not answer.content else f'what is not JSON ({kind[:40]})'}"
    return "" if isinstance(value, dict) or method == "GET" else f"{answer.status_code} with what is not an object"
