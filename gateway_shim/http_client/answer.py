"""The answer to a request: :class:`HttpAnswer`."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, cast

import urllib3

from gateway_shim.http_client.failure import request_failure
from gateway_shim.http_client.final_response import FinalResponse

__all__ = ["HttpAnswer"]

_DISCARDED_BYTES = 65536
_BROKEN = (http.client.HTTPException, OSError, ValueError)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpAnswer:
    """A final answer whose body has not been read yet. Use it as a context manager.

    Args:
        raw: urllib3's response, which wraps a FinalResponse.
        close: a function that keeps the connection if the body was read to its end, and closes the
            connection otherwise.

    Attributes:
        status: the status, 200 to 599.
        reason: the reason phrase; may be empty.
        headers: the headers by name, in small or capital letters; never ``Set-Cookie``.
    """

    def __init__(self, raw: urllib3.HTTPResponse, close: Callable[[], None]) -> None:
        self._raw = raw
        self._close: Callable[[], None] | None = close  # None once it was called
        self._original = cast(FinalResponse, raw._original_response)
        self.status = raw.status
        self.reason = raw.reason or ""
        self.headers: Mapping[str, str] = raw.headers

    def __enter__(self) -> Self:
        """Return the answer; it is closed when the context ends."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the answer."""
        self.close()

    @property
    def location(self) -> str | None:
        """The target of the redirect, as the server wrote it; None if there is no redirect.

        The text is decoded as UTF-8; other bytes become U+FFFD. An empty text is a target, too: it
        means the same URL.
        """
        location = self.headers.get("Location")
        if self.status not in _REDIRECTS or location is None:
            return None
        return location.encode("latin-1").decode(errors="replace")  # http.client decodes as latin-1

    def read(self, limit: int) -> bytes:
        """Read and decompress the body, to its end or up to ``limit`` bytes.

        Raises:
            AnswerTimeout: no bytes arrived in time.
            RequestFailed: the body was cut off, or does not fit its headers.
        """
        return self._read(self._raw.read, limit)

    def read_some(self, limit: int) -> bytes:
        """Read the bytes that are there, at least one; empty at the end.

        Raises the same errors as :meth:`read`.
        """
        return self._read(self._raw.read1, limit)

    def _read(self, read: Callable[..., bytes], limit: int) -> bytes:
        try:
            data = read(limit, decode_content=True)
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            self.close()
            raise request_failure(exc) from exc
        if self._original.isclosed():
            self.close()
        return data

    def body_is_here(self) -> bool:
        """Return True if the body is short and has been received whole."""
        return self._original.body_is_here()

    def discard(self) -> None:
        """Read a short body to its end, so that the connection can be used again; then close.

        A body that is cut off raises no error, because the caller needs the status only.
        """
        with contextlib.suppress(*_BROKEN):
            self._original.limit_body(_DISCARDED_BYTES)
            self._original.read(_DISCARDED_BYTES)
        self.close()

    def close_unread(self) -> None:
        """Close without waiting for the body. If it was received whole, the connection is kept."""
        if self.body_is_here():
            with contextlib.suppress(*_BROKEN):
                self._original.read_received()
        self.close()

    def close(self) -> None:
        """Keep the connection if the body was read to its end, else close it.

        A second call does nothing.
        """
        close, self._close = self._close, None
        if close is not None:
            close()
