"""The answers that all HTTP clients of this program accept: :class:`FinalResponse`.

:mod:`http.client` skips ``100 Continue`` and takes every other status for the answer. A server may
send any number of 1xx answers first (RFC 9110, section 15.2), so its 102 or 103 would be read as
the final answer, and the final one as the next request's. A status above 599 is no answer at all.
http.client also forgives a head that is cut off, or has broken lines or lengths; here
:mod:`gateway_shim.http_client.response_head` says what a head is.
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
    body_framing,
    parse_fields,
    parse_status_line,
)

__all__ = ["MAX_HEAD_BYTES", "MAX_INTERIM_ANSWERS", "BadAnswer", "FinalResponse"]

MAX_INTERIM_ANSWERS = 100
"""Interim answers that one request may get before its final one."""

MAX_HEAD_BYTES = 256 * 1024
"""Bytes of all heads of one answer, the interim ones included."""

_START = b"HTTP/"
_LINE_ENDS = b"\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_SWITCHING_PROTOCOLS = 101
_COOKIES = frozenset({"set-cookie", "set-cookie2"})


class FinalResponse(http.client.HTTPResponse):
    """A response that reads the first final answer, a status from 200 to 599, and no other.

    Set it as ``response_class`` of an :class:`http.client.HTTPConnection`. The socket's time limit
    is the limit of the whole head, however many reads and interim answers it takes; after the head
    it is again the limit of each read. ``Set-Cookie`` is removed: no client of ours keeps cookies,
    and :mod:`http.cookiejar` prints a traceback for some malformed ones.

    :meth:`begin` raises BadAnswer for what is no answer, TimeoutError after the time limit, and
    otherwise what http.client raises.

    Attributes:
        finished: whether the body was read to its end, and nothing was received behind it.
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
        self._last_chunk = False
        self._request_method = method
        self._reader = _HeadReader(sock, self.fp.detach())
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        """Read the head of the final answer. The body comes next."""
        if self.headers is not None:  # as in http.client: a second call does nothing
            return
        version, status, reason = self._read_status()
        fields = parse_fields(_field_lines(self.fp))
        line = StatusLine(version == "HTTP/1.0", status, reason)
        framing = body_framing(line, fields, self._request_method)
        self.headers = self.msg = http.client.HTTPMessage()
        for name, value in fields:
            if name.lower() not in _COOKIES:
                self.headers[name] = value
        self.code = self.status = status
        self.reason = reason
        self.version = 10 if line.http_1_0 else 11
        self.chunked = framing.chunked
        self.chunk_left = None
        self.length = framing.length
        self.will_close = framing.will_close
        self._reader.end_head()

    def body_is_here(self) -> bool:
        """Return whether the rest of the body was received, as far as can be told from its end."""
        if self.isclosed() or self.length == 0:
            return True
        received = self._received()
        if self.length is None:
            return bool(self.chunked and received.endswith(_LAST_CHUNK))
        return len(received) >= self.length

    def read_received(self) -> None:
        """Read the rest of the body as far as it was received, without waiting for more.

        Raises:
            http.client.HTTPException, ValueError: the body is broken, or has not ended.
        """
        with self._reader.pause():
            self.read()

    def limit_body(self, size: int) -> None:
        """Let at most so many more bytes be read, trailers and lengths of chunks included."""
        self._reader.limit_body(size)

    def _received(self) -> bytes:
        """Return what was received and not read yet, without waiting for more."""
        with self._reader.pause():
            return self.fp.peek(1)

    def _close_conn(self) -> None:
        # http.client calls this when the body has been read, or is broken.
        at_its_end = self._last_chunk if self.chunked else self.length == 0
        self.finished = at_its_end and not self._received()
        super()._close_conn()  # type: ignore[misc]

    def _read_and_discard_trailer(self) -> None:
        # http.client calls this behind the last chunk.
        for _ in _field_lines(self.fp):
            pass
        self._last_chunk = True

    def _read_status(self) -> tuple[str, int, str]:
        """Read the status line of the final answer, as http.client's own method returns it."""
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
    # Looked at before the line is complete: what follows a 199 with a body never gets a line end.
    start = fp.peek(len(_START))
    while start[:1] and start[:1] in _LINE_ENDS:
        # Empty lines before the status line are skipped, as llhttp does it; there may be many.
        fp.read(len(start) - len(start.lstrip(_LINE_ENDS)))
        start = fp.peek(len(_START))
    if not start:
        raise http.client.RemoteDisconnected("Remote end closed connection without response")
    if not start.startswith(_START[: len(start)]):
        return parse_status_line(start)  # which raises
    return parse_status_line(_read_line(fp))


def _field_lines(fp: io.BufferedReader) -> Iterator[bytes]:
    while (line := _read_line(fp)) not in (b"\r\n", b"\n"):
        yield line


def _read_line(fp: io.BufferedReader) -> bytes:
    line = fp.readline()  # no longer than MAX_HEAD_BYTES
    if not line.endswith(b"\n"):
        raise BadAnswer("the server's answer was cut off")
    return line


class _HeadReader(io.RawIOBase):
    """Reads a socket; until the head has ended, within one time limit and one size for all of it.

    A limit for each read would let a server hold a client for ever with a byte now and then, and
    where many bytes have come already no read ever waits, so the clock is looked at before each.

    Args:
        sock: the socket, with its time limit set.
        raw: its unbuffered file.
    """

    def __init__(self, sock: socket.socket, raw: Any) -> None:
        self._sock = sock
        self._raw = raw
        self._limit = sock.gettimeout()
        self._deadline = None if self._limit is None else time.monotonic() + self._limit
        self._bytes_left: int | None = MAX_HEAD_BYTES
        self._in_head = True
        self._paused = False

    def readable(self) -> bool:
        """Return True: an answer can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        """Read some bytes.

        Raises:
            TimeoutError: the time limit has passed.
            BadAnswer: the head, or the body that may be read, is too large.
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
        return "the body of the server's answer has more bytes than anybody reads"

    def end_head(self) -> None:
        """Apply the socket's time limit to each read from now on."""
        self._in_head = False
        self._bytes_left = None
        self._sock.settimeout(self._limit)

    def limit_body(self, size: int) -> None:
        """Read at most so many more bytes."""
        self._bytes_left = size

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """Read nothing from the socket meanwhile."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def close(self) -> None:
        """Close the socket's file; the socket itself is its owner's."""
        # Behind the answer of a proxy's CONNECT, whose head is never ended, goes a TLS handshake.
        with contextlib.suppress(OSError):  # The socket may be closed already.
            self.end_head()
        self._raw.close()
        super().close()
