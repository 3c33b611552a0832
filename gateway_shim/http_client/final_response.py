"""Reads the final answer to a request, for all HTTP clients of this program: FinalResponse.

:mod:`http.client` skips ``100 Continue`` and returns every other status as the answer. But a server
may send any number of 1xx answers first (RFC 9110, section 15.2). http.client would return a 102 or
103 as the final answer, and the final answer as the answer to the next request. A status above 599
is not valid. http.client also accepts a head that is cut off, or that has malformed lines or
lengths; :mod:`gateway_shim.http_client.response_head` refuses these.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import time
from collections.abc import Iterator
from typing import Any, cast

from gateway_shim.http_client.response_head import (
    BadAnswer,
    StatusLine,
    body_end,
    parse_fields,
    parse_status_line,
)

__all__ = ["MAX_HEAD_BYTES", "MAX_INTERIM_ANSWERS", "BadAnswer", "FinalResponse"]

MAX_INTERIM_ANSWERS = 100
"""The largest number of interim answers before the final answer to a request."""

MAX_HEAD_BYTES = 256 * 1024
"""The largest size of all heads of an answer, interim answers included, in bytes."""

_START = b"HTTP/"
_LINE_ENDS = b"\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_SWITCHING_PROTOCOLS = 101
_COOKIES = frozenset({"set-cookie", "set-cookie2"})


class FinalResponse(http.client.HTTPResponse):
    """A response that skips interim answers and accepts a final status from 200 to 599 only.

    Set it as ``response_class`` of an :class:`http.client.HTTPConnection`. The time limit of the
    socket applies to the whole head, with all its reads and interim answers. After the head it
    applies to each read again. ``Set-Cookie`` is removed, because our clients keep no cookies, and
    :mod:`http.cookiejar` prints a traceback for some malformed cookies.

    :meth:`begin` raises BadAnswer if the answer is not valid, TimeoutError after the time limit,
    and the other errors of http.client.

    Attributes:
        finished: True if the body was read to its end and no bytes were received after it.
    """

    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.finished = False
        self._last_chunk = False  # True once the last chunk of a chunked body was read
        self._request_method = method
        self._reader = _HeadReader(sock, self.fp.detach())
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        """Read the head of the final answer. Read the body next."""
        if self.headers is not None:  # as in http.client: a second call does nothing
            return
        version, status, reason = self._read_status()
        fields = parse_fields(_field_lines(self.fp))
        line = StatusLine(version == "HTTP/1.0", status, reason)
        end = body_end(line, fields, self._request_method)
        self.headers = self.msg = http.client.HTTPMessage()
        for name, value in fields:
            if name.lower() not in _COOKIES:
                self.headers[name] = value
        self.code = self.status = status
        self.reason = reason
        self.version = 10 if line.http_1_0 else 11
        self.chunked = end.chunked
        self.chunk_left = None
        self.length = end.length
        self.will_close = end.will_close
        self._reader.end_head()

    def body_is_here(self) -> bool:
        """Return True if the rest of the body was received, as far as its last bytes show."""
        if self.isclosed() or self.length == 0:
            return True
        received = self._received()
        if self.length is None:
            return bool(self.chunked and received.endswith(_LAST_CHUNK))
        return len(received) >= self.length

    def read_received(self) -> None:
        """Read the rest of the body from the received bytes, without waiting for more.

        Raises:
            http.client.HTTPException, ValueError: the body is malformed, or has not ended.
        """
        with self._reader.pause():
            self.read()

    def limit_body(self, size: int) -> None:
        """Limit the bytes that are read from now on, trailers and chunk sizes included."""
        self._reader.limit_body(size)

    # ------------------------------------------------------------------ private

    def _received(self) -> bytes:
        """Return the bytes that were received but not read, without waiting for more."""
        with self._reader.pause():
            return self.fp.peek(1)

    def _close_conn(self) -> None:
        # http.client calls this when the body has been read, or is malformed.
        at_its_end = self._last_chunk if self.chunked else self.length == 0
        self.finished = at_its_end and not self._received()
        super()._close_conn()  # type: ignore[misc]  # http.client has it

    def _read_and_discard_trailer(self) -> None:
        # http.client calls this after the last chunk.
        for _ in _field_lines(self.fp):
            pass
        self._last_chunk = True

    def _read_status(self) -> tuple[str, int, str]:
        """Read the status line of the final answer; return the tuple that http.client expects."""
        fp = self.fp
        for _ in range(MAX_INTERIM_ANSWERS + 1):
            line = _read_status_line(fp)
            if not 100 <= line.status < 200 or line.status == _SWITCHING_PROTOCOLS:
                break
            parse_fields(_field_lines(fp))
        else:
            raise BadAnswer(f"the server sent more than {MAX_INTERIM_ANSWERS} interim answers")
        if not 200 <= line.status <= 599:
            raise BadAnswer(
                f"the server answered with the status {line.status:03}; "
                "a final answer has one from 200 to 599"
            )
        return "HTTP/1.0" if line.http_1_0 else "HTTP/1.1", line.status, line.reason


def _read_status_line(fp: io.BufferedReader) -> StatusLine:
    # Checked before the line is complete: the body of a 199 answer may have no line end.
    start = fp.peek(len(_START))
    while start[:1] and start[:1] in _LINE_ENDS:
        # Empty lines before the status line are skipped, as llhttp does. There can be many of them.
        fp.read(len(start) - len(start.lstrip(_LINE_ENDS)))
        start = fp.peek(len(_START))
    if not start:
        raise http.client.RemoteDisconnected("Remote end closed connection without response")
    if not start.startswith(_START[: len(start)]):
        return parse_status_line(start)  # raises BadAnswer
    return parse_status_line(_read_line(fp))


def _field_lines(fp: io.BufferedReader) -> Iterator[bytes]:
    while (line := _read_line(fp)) not in (b"\r\n", b"\n"):
        yield line


def _read_line(fp: io.BufferedReader) -> bytes:
    line = fp.readline()  # at most MAX_HEAD_BYTES long
    if not line.endswith(b"\n"):
        raise BadAnswer("the server's answer was cut off")
    return line


class _HeadReader(io.RawIOBase):
    """Reads a socket. The whole head has one time limit and one size limit.

    With a time limit for each read, a server could hold a client forever by sending one byte now
    and then. If many bytes have arrived already, no read waits; therefore the clock is checked
    before each read.

    Args:
        sock: the socket, whose time limit is set.
        raw: the unbuffered file of the socket.
    """

    def __init__(self, sock: socket.socket, raw: Any) -> None:
        self._sock = sock
        self._raw = raw
        self._limit = sock.gettimeout()  # of each read after the head, seconds
        self._deadline = None if self._limit is None else time.monotonic() + self._limit
        self._bytes_left: int | None = MAX_HEAD_BYTES  # None: no limit
        self._in_head = True  # until end_head()
        self._paused = False  # True: only bytes that are buffered already are read

    def readable(self) -> bool:
        """Return True, because the file can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        """Read some bytes.

        Raises:
            TimeoutError: the time limit has passed.
            BadAnswer: the head, or the body, is larger than its limit.
        """
        if self._paused:
            return None
        if self._in_head and self._deadline is not None:
            remaining = self._deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(remaining)
        count = cast(int, self._raw.readinto(buffer))
        if self._bytes_left is not None:
            self._bytes_left -= count
            if self._bytes_left < 0:
                raise BadAnswer(self._too_large())
        return count

    def _too_large(self) -> str:
        if self._in_head:
            return f"the head of the server's answer has more than {MAX_HEAD_BYTES} bytes"
        return "the body of the server's answer is too large"

    def end_head(self) -> None:
        """End the limits of the head; from now on the time limit applies to each read."""
        self._in_head = False
        self._bytes_left = None
        self._sock.settimeout(self._limit)

    def limit_body(self, size: int) -> None:
        """Limit the bytes that are read from now on."""
        self._bytes_left = size

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """Read nothing from the socket while the context lasts."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def close(self) -> None:
        """Close the file of the socket. The socket itself stays open; its owner closes it."""
        # A TLS handshake follows the answer to a proxy's CONNECT. end_head() was not called for
        # this answer, so the socket's time limit is restored here.
        with contextlib.suppress(OSError):  # the socket may be closed already
            self.end_head()
        self._raw.close()
        super().close()
