"""The client's side of an event stream over HTTP: connect, read events, reconnect.

The errors that end a connection::

    StreamError
    ├── StreamRefused    another request would get the same answer
    └── StreamLost       another request may succeed
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
from gateway_shim.http_client.client import HttpAnswer, HttpClient
from gateway_shim.http_client.redirects import BROWSER_REDIRECTS

__all__ = ["SSEConnection", "StreamError", "StreamLost", "StreamRefused"]

_CONNECT_SECONDS = 10.0
_READ_BYTES = 65536
_ERROR_BYTES = 4096
_TEMPORARY = frozenset({408, 425, 429})
"""The 4xx statuses after which another request may succeed."""


class StreamError(Exception):
    """There is no stream, or it has ended; the message says why."""


class StreamRefused(StreamError):
    """The server refuses this stream, and will refuse it again."""


class StreamLost(StreamError):
    """The server cannot be reached, failed, or closed the connection.

    Args:
        reason: the reason, for people.
        retry_after: the wait that the answer's ``Retry-After`` asks for, seconds, or None.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class SSEConnection:
    """The stream of one URL, which can be opened any number of times; a context manager.

    Call :meth:`open`, iterate over :meth:`pieces` to the end, then call :meth:`open` again.

    Args:
        url: an absolute http or https URL.
        idle_seconds: the stream is lost after this long without a byte, not even a heartbeat.
        now: returns seconds since the epoch.
        last_id: the event ID after which the first stream resumes; empty: it does not resume.

    Attributes:
        last_id: the last event ID, with which the next stream resumes; may be empty.
        retry_seconds: the wait before a reconnect that the server has asked for, or None.
    """

    def __init__(
        self,
        url: str,
        *,
        idle_seconds: float,
        now: Callable[[], float] = time.time,
        last_id: str = "",
    ) -> None:
        self.url = url
        self.last_id = last_id
        self.retry_seconds: float | None = None
        self._idle_seconds = idle_seconds
        self._now = now
        self._client = HttpClient(redirects=BROWSER_REDIRECTS, environment=True)
        self._answer: HttpAnswer | None = None

    def __enter__(self) -> Self:
        """Return the connection; it is closed at the end of the ``with`` statement."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._close_answer()
        self._client.close()

    def open(self) -> None:
        """Connect, or reconnect. Call :meth:`pieces` next.

        Raises:
            StreamRefused: the answer is not a stream, and another request would get the same.
            StreamLost: there was no answer, or an answer that is temporary.
        """
        self._close_answer()
        # No compression, because it would delay events. The last ID lets a server resume.
        headers = {
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            "Cache-Control": "no-store",
        }
        if last_id := self.last_id.strip():
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
            raise StreamRefused(f"has an invalid certificate: {exc}") from exc
        except (BadURL, BadRedirect) as exc:
            raise StreamRefused(f"cannot be requested: {exc}") from exc
        except RequestFailed as exc:
            raise StreamLost(str(exc)) from exc
        _require_event_stream(self._answer, self._now())

    def pieces(self) -> Iterator[list[ServerEvent]]:
        """Yield the events of each piece of data that arrives, until the server ends the stream.

        A piece may have no events, for example a heartbeat.

        Raises:
            StreamLost: the stream broke, or was not opened.
        """
        if self._answer is None:
            raise StreamLost("not connected")
        decoder = SSEDecoder(last_id=self.last_id)
        while data := self._read(self._answer):
            try:
                events = decoder.feed(data)
            except EventTooLarge as exc:
                raise StreamLost(f"the server sent {exc}") from exc
            self.last_id = decoder.last_id
            if decoder.retry_ms is not None:
                self.retry_seconds = decoder.retry_ms / 1000
            yield events

    def _read(self, answer: HttpAnswer) -> bytes:
        try:
            return answer.read_some(_READ_BYTES)
        except AnswerTimeout as exc:
            raise StreamLost(
                f"no byte arrived for {self._idle_seconds:g} s, not even a heartbeat"
            ) from exc
        except RequestFailed as exc:
            raise StreamLost(f"the connection broke: {exc}") from exc

    def _close_answer(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None


def _require_event_stream(answer: HttpAnswer, now: float) -> None:
    """Raise an error unless the answer is an event stream.

    Raises:
        StreamRefused: another request would get the same answer.
        StreamLost: the answer is temporary.
    """
    status = answer.status
    if status == 200:
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type == "text/event-stream":
            return
        content = f"with {media_type}" if media_type else "without a Content-Type"
        raise StreamRefused(f"answered {content}, expected text/event-stream")
    reason = f"answered {status} {answer.reason}".rstrip() + _error_message(answer)
    if status >= 500 or status in _TEMPORARY:
        raise StreamLost(reason, retry_after=retry_after_seconds(answer.headers, now))
    raise StreamRefused(reason)


def _error_message(answer: HttpAnswer) -> str:
    """Return the message of a JSON error, in the backend's or the gateway's form; may be empty."""
    try:
        error = json.loads(answer.read(_ERROR_BYTES))["error"]
        text = error["message"] if isinstance(error, dict) else error
    except RequestFailed:
        return ""  # The connection broke; only the status is known.
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""  # The body is not a JSON error.
    return f": {text}"
