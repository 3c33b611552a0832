"""The answers that all HTTP clients of this program accept: :class:`FinalResponse`.

:mod:`http.client` skips ``100 Continue`` and takes every other status for the answer. A server may
send any number of 1xx answers first (RFC 9110, section 15.2), so its 102 or 103 would be read as
the final answer, and the final one as the next request's. A status above 599 is no answer at all.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import socket
import time
from email.errors import (
    FirstHeaderLineIsContinuationDefect,
    MisplacedEnvelopeHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)
from typing import Any, cast

__all__ = ["MAX_HEAD_BYTES", "MAX_INTERIM_ANSWERS", "BadAnswer", "FinalResponse"]

MAX_INTERIM_ANSWERS = 100
"""Interim answers that one request may get before its final one."""

MAX_HEAD_BYTES = 256 * 1024
"""Bytes of all heads of one answer, the interim ones included."""

_MAX_LINE_BYTES = 65536
_SHOWN_BYTES = 100
_START = b"HTTP/"
_STATUS_LINE = re.compile(rb"(HTTP/(?:0\.9|1\.[0-9]))[ \t]+([0-9]{3})(?:[ \t]+(.*?))?\r?\n")
_SWITCHING_PROTOCOLS = 101
_BROKEN_LINE = (
    FirstHeaderLineIsContinuationDefect,
    MisplacedEnvelopeHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)


class BadAnswer(http.client.HTTPException):
    """The server's bytes are no HTTP answer, or one that no client can use; says why."""


class FinalResponse(http.client.HTTPResponse):
    """A response that reads the first final answer, a status from 200 to 599, and no other.

    Set it as ``response_class`` of an :class:`http.client.HTTPConnection`. The socket's time limit
    is the limit of the whole head, however many reads and interim answers it takes; after the head
    it is again the limit of each read. ``Set-Cookie`` is removed: no client of ours keeps cookies,
    and :mod:`http.cookiejar` prints a traceback for some malformed ones.

    :meth:`begin` raises BadAnswer for what is no answer, TimeoutError after the time limit, and
    otherwise what http.client raises.
    """

    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self._reader = _HeadReader(sock, self.fp.detach())
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        """Read the head of the final answer. The body comes next."""
        if self.headers is not None:  # as in http.client: a second call does nothing
            return
        super().begin()
        self._check_headers()
        del self.headers["Set-Cookie"]
        del self.headers["Set-Cookie2"]
        self._reader.end_head()

    def _check_headers(self) -> None:
        """Refuse headers that were not read to their end.

        http.client stops at a broken line, or at a lone CR, and so loses what follows, a
        Content-Length perhaps: to read on would be to guess where the body ends. urllib3 would log
        a traceback.
        """
        broken = any(isinstance(defect, _BROKEN_LINE) for defect in self.headers.defects)
        if broken or (not self.headers.is_multipart() and self.headers.get_payload()):
            raise BadAnswer("the server's answer has a malformed line among its headers")

    def _read_status(self) -> tuple[str, int, str]:
        """Read the status line of the final answer; http.client calls this in :meth:`begin`."""
        fp = self.fp
        for _ in range(MAX_INTERIM_ANSWERS + 1):
            version, status, reason = _read_status_line(fp)
            if not 100 <= status < 200 or status == _SWITCHING_PROTOCOLS:
                break
            http.client.parse_headers(fp)
        else:
            raise BadAnswer(f"the server sent more than {MAX_INTERIM_ANSWERS} interim answers")
        if not 200 <= status <= 599:
            raise BadAnswer(
                f"the server answered with the status {status:03}; "
                "a final answer has one from 200 to 599"
            )
        return version, status, reason


def _read_status_line(fp: io.BufferedReader) -> tuple[str, int, str]:
    # Looked at before the line is complete: what follows a 199 with a body never gets a line end.
    start = fp.peek(len(_START))
    if not start:
        raise http.client.RemoteDisconnected("Remote end closed connection without response")
    if not start.startswith(_START[: len(start)]):
        raise BadAnswer(f"the server's answer is not HTTP/1: {_shown(start)}")
    line = fp.readline(_MAX_LINE_BYTES + 1)
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise BadAnswer(f"the server's answer is not HTTP/1: {_shown(line)}")
    version, status, reason = match.groups(default=b"")
    return version.decode("latin-1"), int(status), reason.decode("latin-1")


def _shown(received: bytes) -> str:
    text = received.partition(b"\n")[0].rstrip(b"\r").decode("latin-1")
    return ascii(text[:_SHOWN_BYTES]) + ("…" if len(text) > _SHOWN_BYTES else "")


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
        self._bytes_left = MAX_HEAD_BYTES
        self._in_head = True

    def readable(self) -> bool:
        """Return True: an answer can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        """Read some bytes.

        Raises:
            TimeoutError: the time limit has passed.
            BadAnswer: the head is too large.
        """
        if not self._in_head:
            return cast("int | None", self._raw.readinto(buffer))
        if self._deadline is not None:
            remaining = self._deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(remaining)
        count = cast(int, self._raw.readinto(buffer))
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise BadAnswer(f"the head of the server's answer has more than {MAX_HEAD_BYTES} bytes")
        return count

    def end_head(self) -> None:
        """Apply the socket's time limit to each read from now on."""
        self._in_head = False
        self._sock.settimeout(self._limit)

    def close(self) -> None:
        """Close the socket's file; the socket itself is its owner's."""
        # Behind the answer of a proxy's CONNECT, whose head is never ended, goes a TLS handshake.
        with contextlib.suppress(OSError):  # The socket may be closed already.
            self.end_head()
        self._raw.close()
        super().close()
