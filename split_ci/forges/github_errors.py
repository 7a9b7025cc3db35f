"""What GitHub says when it doesn't do what it was asked, as this tool's errors: the one place that translates them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from split_ci.errors import Refused, SplitCiError, WorldError
from split_ci.plain import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

K = TypeVar("K")
MAX_WORDS = 300
SETTING = (
    "Settings, Actions, General, Workflow permissions: tick `Allow GitHub Actions to create and approve pull requests`; "
    "where that is grey, its organisation's settings first. Or give the workflow an App's token"
)
LIMIT = re.compile(r"rate limit|abuse detection|secondary rate", re.IGNORECASE)
MINUTE = 60.0
TIMES = ("retry-after", "x-ratelimit-reset")
MOST_SECONDS = 100_000_000.0
PASSING = (408, 500, 502, 503, 504)
PERMISSIONS = {  # the last words of a path -> what the token lacks, where GitHub doesn't say it itself
    "pulls": "pull-requests: write", "issues": "pull-requests: write", "statuses": "statuses: write",
    "actions": "actions: write", "git": "contents: write",
}  # fmt: skip


class Unsure(WorldError):
    """Something was asked for that may have been done: the answer is lost. Look before it is asked for again."""


class NotThere(WorldError):
    """404 or 410: it isn't there, or this token doesn't see it."""


class Invalid(Refused):
    """422: GitHub read it, and says no. `errors` are its own words, one for each field."""

    def __init__(self, message: str, errors: tuple[str, ...], *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.errors = errors

    @property
    def may_pass(self) -> bool:
        """Whether it is there already, or only not yet seen: look again."""
        return any(word in self.message for word in ("already exists", "already_exists", "head invalid"))


class Fault(NamedTuple):
    """What an answer means. `passing`: the same request may be answered later; `done`: it may have been done already.

    `wait_seconds` is GitHub's own word for when; where it is `limited` and doesn't say, a minute at the least.
    """

    error: SplitCiError
    passing: bool = False
    done: bool = False
    wait_seconds: float | None = None
    limited: bool = False


def field(value: object, key: str, kind: type[K]) -> K:
    """What an answer has at `key` (`head.sha`: inside of another object). Raises WorldError where it isn't of its kind."""
    found = value
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    if not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool):
        raise WorldError(f"GitHub: an answer without {key}", again=True)
    return found


def fault_of(status: int, headers: Mapping[str, str], body: bytes, what: str, now: float) -> Fault:
    """What an answer of 400 or more means. `what` is the request, `now` the time of day, where no header says it."""
    said = words(body)
    told = f"GitHub: {what}: {status}{': ' if said else ''}{said}"
    if status == 429 or (status == 403 and (LIMIT.search(said) or headers.get("x-ratelimit-remaining") == "0")):
        wait = _wait(headers, now)
        told += f" (again in {MINUTE if wait is None else wait:.0f} s)"
        return Fault(WorldError(told, again=True), passing=True, wait_seconds=wait, limited=True)
    if status in PASSING or status > 504:
        return Fault(WorldError(told, again=True), passing=True, done=True)
    if status == 409:
        return Fault(WorldError(told, again=True), passing=True)
    return Fault(_final(status, headers, body, what, told))


def _final(status: int, headers: Mapping[str, str], body: bytes, what: str, told: str) -> SplitCiError:
    """An answer that another try doesn't change."""
    if status == 401:
        return WorldError(told, hint="GITHUB_TOKEN is wrong, or too old (an App's lives for one hour): run this job again")
    if status == 403:
        return WorldError(told, hint=_forbidden(told, headers, what))
    if status in (404, 410):
        return NotThere(told, hint="is GITHUB_REPOSITORY right, and may the token see it?")
    return Invalid(told, _errors(body)) if status == 422 else WorldError(told)


def legible(headers: MutableMapping[str, str], now: float) -> None:
    """Leaves of an answer's times only what the client library can read: seconds, and not without end."""
    odd = [name for name in TIMES if name in headers and not re.fullmatch(r"[0-9]{1,10}", headers[name], re.ASCII)]
    wait = _wait(headers, now) if odd else None
    for name in odd:
        del headers[name]
    if wait is not None:
        headers["retry-after"] = f"{min(wait, MOST_SECONDS):.0f}"


def _wait(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until GitHub listens again, where it says so. Its own clock counts, not ours."""
    asked, here = headers.get("retry-after", ""), _time(headers.get("date", ""), now)
    if asked.isdecimal():
        return float(asked)
    until = _time(asked, here)
    if until > here:
        return until - here
    reset = headers.get("x-ratelimit-reset", "")
    return max(1.0, float(reset) - here) if reset.isdecimal() else None


def _time(date: str, now: float) -> float:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415

    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return now


def _forbidden(said: str, headers: Mapping[str, str], what: str) -> str:
    """How to mend a 403."""
    if "not permitted to create or approve pull requests" in said:
        return SETTING
    if "not accessible by" in said:
        asked = headers.get("x-accepted-github-permissions", "").replace("_", "-").replace("=", ": ").replace(";", " or")
        asked = asked or next((need for part, need in PERMISSIONS.items() if f"/{part}" in what), "more permissions")
        return f"give the token `{visible(asked)[:200]}`: below `permissions:` of the job, or in the App's settings"
    return "may this token do that? see its permissions, and the organisation's rules for tokens"


def words(body: bytes) -> str:
    """What an error's body says, on one line."""
    value = _json(body)
    message = value.get("message") if isinstance(value, dict) else None
    if not isinstance(message, str):
        return _line(body.decode(errors="replace")) if not body.lstrip().startswith((b"<", b"{")) else "no words of GitHub's"
    return "; ".join([_line(message), *_errors(body)])


def _errors(body: bytes) -> tuple[str, ...]:
    value = _json(body)
    listed = value.get("errors") if isinstance(value, dict) else None
    return tuple(_error(each) for each in listed[:10]) if isinstance(listed, list) else ()


def _error(value: Any) -> str:  # noqa: ANN401 - foreign JSON
    if not isinstance(value, dict):
        return _line(str(value))
    if isinstance(value.get("message"), str):
        return _line(value["message"])
    return _line(f"{value.get('field', '')} {value.get('code', '')}".strip())


def _json(body: bytes) -> Any:  # noqa: ANN401 - foreign JSON
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _line(text: str) -> str:
    return visible(" ".join(text.split()))[:MAX_WORDS]
