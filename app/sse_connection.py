"""The client's side of one event stream over HTTP: connect, read at once what comes, connect again.

The errors that end a connection::

    StreamError
    ├── StreamRefused    asking again would get the same answer
    └── StreamLost       it may be there again in a moment
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import requests
import urllib3

from app.sse_decoder import EventTooLarge, ServerEvent, SSEDecoder

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
    """The server cannot be reached, failed, or went away."""


class SSEConnection:
    """One URL's stream, connected to as often as needed; a context manager.

    Call :meth:`open`, then iterate over :meth:`events` to its end, then open again.

    Args:
        url: an absolute http or https URL.
        idle_seconds: a stream on which nothing came for so long, not even a heartbeat, is lost.

    Attributes:
        retry_seconds: how long the server wants clients to wait before they connect again, or
            None if it has not said.
    """

    def __init__(self, url: str, *, idle_seconds: float) -> None:
        self.url = url
        self.retry_seconds: float | None = None
        self._idle_seconds = idle_seconds
        self._last_id = ""
        self._session = requests.Session()
        self._response: requests.Response | None = None

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
        self._session.close()

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
            self._response = self._session.get(
                self.url,
                headers=headers,
                stream=True,
                timeout=(_CONNECT_SECONDS, self._idle_seconds),
            )
        except (requests.ConnectionError, requests.Timeout) as exc:
            if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _chain(exc)):
                raise StreamRefused(
                    f"shows a certificate that is not valid: {_words(exc)}"
                ) from exc
            raise StreamLost(_words(exc)) from exc
        except (requests.RequestException, urllib3.exceptions.HTTPError) as exc:
            raise StreamRefused(str(exc)) from exc
        _check(self._response)

    def events(self) -> Iterator[ServerEvent]:
        """Every event as soon as its last byte is here, until the server ends the stream.

        Raises:
            StreamLost: the stream broke, or was never open.
        """
        if self._response is None:
            raise StreamLost("not connected")
        decoder = SSEDecoder(last_id=self._last_id)
        while data := self._read(self._response):
            try:
                events = decoder.feed(data)
            except EventTooLarge as exc:
                raise StreamLost(f"the server sent {exc}") from exc
            self._last_id = decoder.last_id
            if decoder.retry_ms is not None:
                self.retry_seconds = decoder.retry_ms / 1000
            yield from events

    def _read(self, response: requests.Response) -> bytes:
        try:
            # read1 returns what is there; read, and requests' own iterators, wait for more.
            data: bytes = response.raw.read1(_READ_BYTES, decode_content=True)
        except urllib3.exceptions.ReadTimeoutError as exc:
            raise StreamLost(
                f"nothing came for {self._idle_seconds:g} s, not even a heartbeat"
            ) from exc
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise StreamLost(f"the connection broke: {_words(exc)}") from exc
        return data

    def _hang_up(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None


def _check(response: requests.Response) -> None:
    """Raise unless the answer is an event stream."""
    status = response.status_code
    if status == 200:
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type == "text/event-stream":
            return
        raise StreamRefused(f"answered {media_type or 'something'}, which is no event stream")
    what = f"answered {status} {response.reason}".rstrip() + _reason_in(response)
    if status >= 500 or status in _HEALING:
        raise StreamLost(what)
    raise StreamRefused(what)


def _reason_in(response: requests.Response) -> str:
    """What a JSON error says, in the backend's form or in the gateway's."""
    try:
        error = json.loads(response.raw.read(_ERROR_BYTES, decode_content=True))["error"]
        text = error["message"] if isinstance(error, dict) else error
    except (urllib3.exceptions.HTTPError, OSError):
        return ""  # The connection broke; the status has to do.
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""  # The body is something else.
    return f": {text}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, the one that led to it, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _words(error: BaseException) -> str:
    """What really happened, in words for a person: libraries wrap it several times over."""
    for cause in _chain(error):
        match cause:
            case OSError(strerror=str() as words):
                return words
            case TimeoutError():
                return "no answer in time"
            case http.client.IncompleteRead():
                return "it was cut off in the middle"
            case http.client.HTTPException():
                return str(cause)
    return str(error)
