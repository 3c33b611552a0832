"""An HTTP answer as its reader sees it: :class:`HttpAnswer`."""

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
    """A final answer whose body has not been read yet; a context manager.

    Args:
        raw: the answer as urllib3 has it, above a FinalResponse.
        close: keeps the connection if the body was read to its end, else closes it.

    Attributes:
        status: 200 to 599.
        reason: the reason phrase; may be empty.
        headers: by name in any case; never a ``Set-Cookie``.
    """

    def __init__(self, raw: urllib3.HTTPResponse, close: Callable[[], None]) -> None:
        self._raw = raw
        self._close: Callable[[], None] | None = close
        self._original = cast(FinalResponse, raw._original_response)
        self.status = raw.status
        self.reason = raw.reason or ""
        self.headers: Mapping[str, str] = raw.headers

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
        self.close()

    @property
    def location(self) -> str | None:
        """The target of the redirect, as the server wrote it; None if there is no redirect.

        Decoded as UTF-8, U+FFFD for what is not. An empty target is one: the same URL again.
        """
        location = self.headers.get("Location")
        if self.status not in _REDIRECTS or location is None:
            return None
        return location.encode("latin-1").decode(errors="replace")  # as http.client has decoded it

    def read(self, limit: int) -> bytes:
        """Read the body, decompressed, to its end or until ``limit`` bytes are there.

        Raises:
            AnswerTimeout: no bytes came in time.
            RequestFailed: the body broke off, or is not what its headers say.
        """
        return self._read(self._raw.read, limit)

    def read_some(self, limit: int) -> bytes:
        """Read what is there of the body, at least a byte; empty at its end. Raises as read."""
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
        """Return whether the body is short, and was received whole."""
        return self._original.body_is_here()

    def discard(self) -> None:
        """Read a short body to its end, so that the connection can be used again, and close.

        Only the status counts to the caller: a body that breaks off changes nothing.
        """
        with contextlib.suppress(*_BROKEN):
            self._original.limit_body(_DISCARDED_BYTES)
            self._original.read(_DISCARDED_BYTES)
        self.close()

    def close_unread(self) -> None:
        """Close without waiting for the body; the connection is kept if it was received whole."""
        if self.body_is_here():
            with contextlib.suppress(*_BROKEN):
                self._original.read_received()
        self.close()

    def close(self) -> None:
        """Keep the connection if the body was read to its end, else close it. Allowed twice."""
        close, self._close = self._close, None
        if close is not None:
            close()
