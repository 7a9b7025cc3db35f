"""What can happen to an answer on its way: an end to its bytes and its time, and the names of lost connections."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

from split_ci.errors import WorldError
from split_ci.forges.github_errors import Fault
from split_ci.forges.github_place import web_fault
from split_ci.plain import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx


class Lost(Exception):
    """A request without an answer; `cause` is the library's own error."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


class TooMuch(Exception):
    """An answer has no end: of bytes, or of time."""


class Packed(Exception):
    """An answer that would have to be unpacked, to nobody knows what size."""


class Capped:
    """A stream of bytes with an end to its size and its time (`ends`: on the monotonic clock)."""

    def __init__(self, stream: httpx.SyncByteStream, most_bytes: int, ends: float) -> None:
        self._stream = stream
        self._most = most_bytes
        self._ends = ends

    @classmethod
    def put_on(cls, response: httpx.Response, most_bytes: int, ends: float) -> None:
        """Puts the cap on an answer that is still to be read."""
        import httpx  # noqa: PLC0415 - it comes with the client library

        if response.headers.get("content-encoding", "identity") != "identity":
            raise Packed("it is packed, which was not asked for")

        class Stream(cls, httpx.SyncByteStream):  # type: ignore[misc, valid-type]
            """What httpx takes for a stream."""

        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = Stream(response.stream, most_bytes, ends)

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if size > self._most:
                raise TooMuch(f"more than {self._most} bytes")
            if time.monotonic() > self._ends:
                raise TooMuch("it doesn't come to an end")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def connection_fault(lost: Lost, what: str, clean: Callable[[str], str]) -> Fault:
    """What a lost request means: whether it can have reached the other side, and whether another try helps."""
    import httpx  # noqa: PLC0415 - it comes with the client library

    cause = lost.cause
    kind = type(cause).__name__
    said = visible(clean(str(cause)))[:200]
    told = f"GitHub: {what}: {kind}{': ' if said else ''}{said}"
    if isinstance(cause, TooMuch):
        return Fault(WorldError(f"GitHub: {what}: {said}"), done=True)
    if isinstance(cause, Packed):
        return Fault(WorldError(f"GitHub: {what}: {said}", again=True), passing=True, done=True)
    if _certificate(cause):
        return Fault(WorldError(told, hint="is GITHUB_API_URL right, and is its certificate known here (SSL_CERT_FILE)?"))
    unsent = isinstance(cause, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError))
    return Fault(WorldError(told, again=True), passing=True, done=not unsent)


def _certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def fetch_elsewhere(url: str, most_bytes: int, seconds: float) -> bytes:
    """A file by its signed address, without any token. Raises WorldError."""
    import httpx  # noqa: PLC0415 - it comes with the client library

    fault = web_fault(url)
    if fault:
        raise WorldError(f"GitHub: a file is kept at an address that isn't used: {fault}")
    ends = time.monotonic() + seconds
    try:
        with (
            httpx.Client(timeout=30.0, follow_redirects=False) as client,
            client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer,
        ):
            if answer.status_code != 200:
                raise WorldError(f"GitHub: a file that it keeps elsewhere: {answer.status_code}", again=True)
            Capped.put_on(answer, most_bytes, ends)
            return answer.read()
    except (TooMuch, Packed) as error:
        raise WorldError(f"GitHub: a file that it keeps elsewhere: {error}") from None
    except (httpx.InvalidURL, ValueError):  # a name with empty labels is the latter
        raise WorldError("GitHub: a file is kept at what is no address") from None
    except httpx.HTTPError as error:
        raise WorldError(f"GitHub: a file that it keeps elsewhere: {type(error).__name__}", again=True) from None
