"""The client's side of one event stream over HTTP: connect, read at once what comes, connect again.

The errors that end a connection::

    StreamError
    ├── StreamRefused    asking again would get the same answer
    └── StreamLost       it may be there again in a moment
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from app.watch.decoder import EventTooLarge, ServerEvent, SSEDecoder
from app.watch.retry_after import retry_after_seconds
from gateway_shim.errors import (
    AnswerTimeout,
    BadCertificate,
    BadRedirect,
    BadURL,
    RequestFailed,
)
from gateway_shim.http_client.client import MAX_REDIRECTS, HttpAnswer, HttpClient

__all__ = ["SSEConnection", "StreamError", "StreamLost", "StreamRefused"]

_CONNECT_SECONDS = 10.0
_READ_BYTES = 65536
_ERROR_BYTES = 4096
_HEALING = frozenset({408, 425, 429})
"""Of the answers 4xx, those that say "later" and not "no"."""


class StreamError(Exception):
    """There is no stream, or no more; says why in words for a person."""


class StreamRefused(StreamError):
    """The server does not give this stream to us, now or later."""


class StreamLost(StreamError):
    """The server cannot be reached, failed, or went away.

    Args:
        why: in words for a person.
        retry_after: how long the answer asks to wait with its ``Retry-After``, seconds, or None.
    """

    def __init__(self, why: str, *, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class SSEConnection:
    """One URL's stream, connected to as often as needed; a context manager.

    Call :meth:`open`, then iterate over :meth:`events` to its end, then open again.

    Args:
        url: an absolute http or https URL.
        idle_seconds: a stream on which nothing came for so long, not even a heartbeat, is lost.
        now: seconds since the epoch.

    Attributes:
        retry_seconds: how long the server wants clients to wait before they connect again, or
            None if it has not said.
    """

    def __init__(
        self, url: str, *, idle_seconds: float, now: Callable[[], float] = time.time
    ) -> None:
        self.url = url
        self.retry_seconds: float | None = None
        self._idle_seconds = idle_seconds
        self._now = now
        self._last_id = ""
        self._client = HttpClient(redirects=MAX_REDIRECTS, environment=True)
        self._answer: HttpAnswer | None = None

    def __enter__(self) -> Self:
        """Use as a context manager: closed at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self._hang_up()
        self._client.close()

    def open(self) -> None:
        """Connect, or connect again. Call :meth:`events` next.

        Raises:
            StreamRefused: the answer is no stream, and will not become one.
            StreamLost: there was no answer, or one that may be another soon.
        """
        self._hang_up()
        # Compression would hold events back, and the last id lets a server resume the stream.
        headers = {
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            "Cache-Control": "no-store",
        }
        if last_id := self._last_id.strip():
            headers["Last-Event-ID"] = last_id.encode().decode("latin-1")
        try:
            self._answer = self._client.request(
                "GET",
                self.url,
                headers=headers,
                connect_seconds=_CONNECT_SECONDS,
                seconds=self._idle_seconds,
            )
        except BadCertificate as exc:
            raise StreamRefused(f"shows a certificate that is not valid: {exc}") from exc
        except (BadURL, BadRedirect) as exc:
            raise StreamRefused(f"cannot be asked: {exc}") from exc
        except RequestFailed as exc:
            raise StreamLost(str(exc)) from exc
        _check(self._answer, self._now())

    def events(self) -> Iterator[ServerEvent]:
        """Every event as soon as its last byte is here, until the server ends the stream.

        Raises:
            StreamLost: the stream broke, or was never open.
        """
        if self._answer is None:
            raise StreamLost("not connected")
        decoder = SSEDecoder(last_id=self._last_id)
        while data := self._read(self._answer):
            try:
                events = decoder.feed(data)
            except EventTooLarge as exc:
                raise StreamLost(f"the server sent {exc}") from exc
            self._last_id = decoder.last_id
            if decoder.retry_ms is not None:
                self.retry_seconds = decoder.retry_ms / 1000
            yield from events

    def _read(self, answer: HttpAnswer) -> bytes:
        try:
            return answer.read_some(_READ_BYTES)
        except AnswerTimeout as exc:
            raise StreamLost(
                f"nothing came for {self._idle_seconds:g} s, not even a heartbeat"
            ) from exc
        except RequestFailed as exc:
            raise StreamLost(f"the connection broke: {exc}") from exc

    def _hang_up(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None


def _check(answer: HttpAnswer, now: float) -> None:
    """Raise unless the answer is an event stream."""
    status = answer.status
    if status == 200:
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type == "text/event-stream":
            return
        raise StreamRefused(f"answered {media_type or 'something'}, which is no event stream")
    what = f"answered {status} {answer.reason}".rstrip() + _reason_in(answer)
    if status >= 500 or status in _HEALING:
        raise StreamLost(what, retry_after=retry_after_seconds(answer.headers, now))
    raise StreamRefused(what)


def _reason_in(answer: HttpAnswer) -> str:
    """What a JSON error says, in the backend's form or in the gateway's."""
    try:
        error = json.loads(answer.read(_ERROR_BYTES))["error"]
        text = error["message"] if isinstance(error, dict) else error
    except RequestFailed:
        return ""  # The connection broke; the status has to do.
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""  # The body is something else.
    return f": {text}"
