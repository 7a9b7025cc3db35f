"""One call to a server through its SDK: with a total deadline, every attempt counted, and every failure in our words."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from split_ci.caps import CallFailed
from split_ci.errors import UsageError
from split_ci.models.row import MOST_TOKENS
from split_ci.ports import Usage
from split_ci.redact import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from split_ci.config import ModelConfig
    from split_ci.ports import Reply

SECONDS = 600.0  # where a request names no deadline
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
AGAIN = (408, 409, 429)
SHAPES = (ValueError, TypeError, AttributeError, LookupError, OSError, RecursionError)
MOST_BYTES = 16 * 1024 * 1024  # of an answer
SAID = 200  # characters of a server's own words


class Line(NamedTuple):
    """Where calls go, and what must never be said about it."""

    name: str  # of the model, for messages
    url: str
    key: str
    variable: str  # that the key was taken from

    def __repr__(self) -> str:
        return f"Line({self.name}, {self.url})"

    def clean(self, reply: Reply) -> Reply:
        """An answer that is text, and without the key: one that a server echoes must get into no file, journal or prompt."""
        return reply._replace(text=redacted(_text(reply.text), self.key), model=redacted(_text(reply.model), self.key))

    def redacted(self, text: str) -> str:
        """A server's words on one line, without the key, cut."""
        return " ".join(redacted(text, self.key).split())[:SAID]


def _text(text: str) -> str:
    """Without halves of surrogate pairs, which JSON can write and nothing can keep."""
    return text.encode("utf-8", "replace").decode()


def client(errors: ModuleType, attempts: Attempts) -> Any:  # noqa: ANN401 - the SDK's own class of client
    """The HTTP client of an SDK: nothing of the environment's, no redirects, and answers of a size that memory has."""
    return errors.DefaultHttpxClient(
        event_hooks={"request": [attempts.hook], "response": [_bounded]},
        headers={"Accept-Encoding": "identity"},
        follow_redirects=False,
        trust_env=False,
    )


def _bounded(response: Any) -> None:  # noqa: ANN401 - of the HTTP library that the SDK chose
    """Refuses an answer that is compressed, since few bytes may be many, and ends one that is too long."""
    from importlib import import_module  # noqa: PLC0415

    if response.headers.get("content-encoding", "identity") != "identity":
        raise ValueError("it is compressed, which was not asked for")
    stream = response.stream
    library = import_module(type(response).__module__.partition(".")[0])

    class Bounded(library.SyncByteStream):  # type: ignore[misc, name-defined]
        def __iter__(self) -> Iterator[bytes]:
            left = MOST_BYTES
            for piece in stream:
                left -= len(piece)
                if left < 0:
                    raise ValueError(f"it has more than {MOST_BYTES} bytes")
                yield piece

        def close(self) -> None:
            stream.close()

    response.stream = Bounded()


class Attempts(threading.local):
    """How many requests were made for the call of this thread, and how many found a server: an SDK tries again by itself,
    and each that was sent may be billed.
    """

    count = 0
    sent = 0

    def begin(self) -> None:
        self.count = self.sent = 0

    def hook(self, request: Any) -> None:  # noqa: ANN401 - of the HTTP library that the SDK chose
        self.count += 1
        request.extensions["trace"] = self._trace

    def _trace(self, moment: str, _info: object) -> None:
        self.sent += moment.endswith(".send_request_headers.started")


def address(config: ModelConfig, default: str) -> str:
    """Where a model is asked: the configuration's address or the SDK's own, never the environment's. Raises UsageError."""
    url = config.base_url or default
    scheme, _, rest = url.partition("://")
    host = rest.split("/")[0].rpartition("@")[2]
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if scheme != "https" and not (scheme == "http" and name in LOOPBACK):
        raise UsageError(f"models.{config.name}.base_url: https only, or http on this machine")
    return url


def warm(api: str) -> None:
    """Begins to import an SDK, which takes a second, while there is other work. Where it isn't there, `sdk` says so."""

    def load() -> None:
        with contextlib.suppress(UsageError):
            sdk(api)

    threading.Thread(target=load, daemon=True).start()


def sdk(name: str) -> ModuleType:
    """An SDK, imported now. Raises UsageError where it is not installed."""
    from importlib import import_module  # noqa: PLC0415

    try:
        return import_module(name)
    except ImportError:
        raise UsageError(f"the package {name} is not installed", hint=f"pip install {name}") from None


def within(seconds: float | None, line: Line, errors: ModuleType, attempts: Attempts, ask: Callable[[], Reply]) -> Reply:
    """What `ask` replies, with as many calls as requests left. Raises CallFailed, at the latest when the time is over.

    A server that drips for ever resets every time-out but this one.
    """
    limit = SECONDS if seconds is None else max(0.1, seconds)
    said: list[Reply] = []
    faults: list[Exception] = []

    def call() -> None:
        attempts.begin()
        try:
            reply = ask()
            said.append(line.clean(reply)._replace(usage=reply.usage._replace(calls=max(1, attempts.count))))
        except Exception as error:  # noqa: BLE001 - carried to the caller's thread: ours are raised there again
            faults.append(_fault(error, line, errors, attempts) if _foreign(error, errors) else error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(limit)
    if said:
        return said[0]
    if faults:
        raise faults[0]
    raise CallFailed(f"{line.name}: no answer within {limit:.0f} s", again=True, usage=Usage(calls=1, usd=None))


def _foreign(error: Exception, errors: ModuleType) -> bool:
    """Whether a failure is a server's, the network's or an answer's that has another shape than it should."""
    home = type(error).__module__.partition(".")[0]
    return home == errors.__name__ or home.startswith("http") or isinstance(error, SHAPES)


def _fault(error: Exception, line: Line, errors: ModuleType, attempts: Attempts) -> CallFailed:
    calls = max(1, attempts.count)
    unknown = Usage(calls=calls, usd=None)
    if isinstance(error, errors.APIStatusError):
        status: int = error.status_code
        quota = "quota" in str(error) or "credit" in str(error)
        again = (status in AGAIN or status >= 500) and not quota
        words = line.redacted(str(error).removeprefix(f"Error code: {status} - "))
        said = f"{line.name}: {_status(status)}: {words}"
        return CallFailed(said, hint=_mend(status, line), again=again, usage=Usage(calls=calls))
    if isinstance(error, errors.APITimeoutError):
        return CallFailed(f"{line.name}: the server took too long", again=True, usage=unknown)
    if isinstance(error, errors.APIConnectionError):
        why = line.redacted(str(error.__cause__ or error))
        hint = f"is models.{line.name}.base_url right, and the network there?"
        usage = unknown if attempts.sent else Usage(calls=calls)
        return CallFailed(f"{line.name}: the server can't be reached: {why}", hint=hint, again=True, usage=usage)
    return CallFailed(
        f"{line.name}: an answer that can't be read: {line.redacted(str(error)) or 'there is nothing in it'}",
        again=True,
        usage=unknown,
    )


def _status(status: int) -> str:
    if status in (401, 403):
        return f"{status}, the key was refused"
    known = {404: "no such model or address", 413: "the prompt is too large", 429: "too many requests, or no money left"}
    return f"{status}, {known[status]}" if status in known else str(status)


def _mend(status: int, line: Line) -> str:
    """What to look at, where a server refuses."""
    if status in (401, 403):
        return f"is the value of {line.variable} a key of {line.url}, and may it use this model?"
    if status == 404:
        return f"models.{line.name}.model, models.{line.name}.base_url"
    return "what the account has left, or later" if status == 429 else ""


def tokens(found: object, key: str) -> int:
    """A count of tokens in an answer. Raises ValueError for one that is missing or no count."""
    value = getattr(found, key, None)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_TOKENS:
        raise ValueError(f"usage without a count of {key}")
    return value


def optional_tokens(found: object, key: str) -> int:
    """A count of tokens that an answer may leave out. Raises ValueError for what is there and no count."""
    return 0 if getattr(found, key, None) is None else tokens(found, key)
