"""A client that sees what is on the wire: exact head bytes, chunks, body, and how the body ended.

HTTP libraries hide all of this, so this client is a socket and a few parsing rules (RFC 9112). It
reads only when it is told to, so a scenario can have a client that does not read.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from gateway_shim.parity.play.message import Head, NotHttp, request_bytes

__all__ = ["PATIENCE", "Ended", "Head", "NotHttp", "ProbeConnection", "request_bytes"]

PATIENCE = 5.0
"""The time that the kit waits for anything that must happen, seconds.

A healthy run never waits that long.
"""

_READ_SIZE = 65536
_MAX_HEAD_BYTES = 65536
_SWITCHING_PROTOCOLS = 101


class Ended(StrEnum):
    """The ways in which an answer's body can end. None stands for a body that has not ended."""

    CLEAN = "clean"  # by its framing: the final chunk, or all of Content-Length
    EOF = "eof"  # the connection was closed, and the framing did not allow that
    RESET = "reset"
    MALFORMED = "malformed"  # the chunk framing is broken


@dataclass
class ProbeConnection:
    """One TCP connection to a gateway, with one request or several requests one after the other.

    Args:
        host: the IPv4 or IPv6 address where the gateway listens.
        port: the gateway's port.
        receive_buffer: the size of the kernel's receive buffer, bytes; None leaves it unchanged.

    Call :meth:`write`, then :meth:`read_head`, then :meth:`read_until`; for the next answer
    :meth:`begin_answer`; always call :meth:`close`.
    """

    host: str
    port: int
    receive_buffer: int | None = None
    # The answer that is being read:
    body: bytearray = field(default_factory=bytearray, init=False)
    chunks: list[bytes] = field(default_factory=list, init=False)
    head: Head | None = field(default=None, init=False)
    interim: list[int] = field(default_factory=list, init=False)  # statuses of interim answers
    ended: Ended | None = field(default=None, init=False)
    method: str = field(default="GET", init=False)  # of the request that it answers

    def __post_init__(self) -> None:
        """Connect.

        Raises:
            OSError: nothing listens at the address.
        """
        self._pending = bytearray()
        self._socket = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        try:
            if self.receive_buffer is not None:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
            self._socket.settimeout(PATIENCE)
            self._socket.connect((self.host, self.port))
        except OSError:
            self._socket.close()
            raise
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, request: bytes) -> None:
        """Send bytes: the result of :func:`request_bytes`, or anything else."""
        self.method = request.split(b" ", 1)[0].decode("latin-1")
        self._socket.settimeout(PATIENCE)
        self._socket.sendall(request)

    def finish_writing(self) -> None:
        """Finish writing (a TCP half-close); answers can still be read."""
        self._socket.shutdown(socket.SHUT_WR)

    def begin_answer(self, method: str) -> None:
        """Forget the answer that was read, and prepare for the next answer on this connection.

        Args:
            method: the method of the request that the next answer belongs to; an answer to HEAD has
                no body.
        """
        self.body, self.chunks, self.interim, self.head = bytearray(), [], [], None
        self.ended = None if self.ended is Ended.CLEAN else self.ended
        self.method = method

    def read_head(self, seconds: float = PATIENCE) -> Head:
        """Read the head of the final answer; keep the status of interim answers (RFC 9110, 15.2).

        Raises:
            TimeoutError: the head did not come in time.
            ConnectionError: the connection ended before the head.
            NotHttp: the bytes are not a head.
        """
        if self.head is not None:
            return self.head
        deadline = time.monotonic() + seconds
        head = self._next_head(deadline, seconds)
        while 100 <= head.status < 200 and head.status != _SWITCHING_PROTOCOLS:
            self.interim.append(head.status)
            if time.monotonic() > deadline:
                raise TimeoutError(f"no final answer within {seconds:g} s")
            head = self._next_head(deadline, seconds)
        self.head = head
        self._decode()
        return head

    def read_until(self, enough: Callable[[bytes], bool], seconds: float = PATIENCE) -> bool:
        """Read the body until it is enough, has ended, or time is up.

        Args:
            enough: gets the body so far, and returns whether it is enough.
            seconds: the time limit.

        Returns:
            Whether the body is enough. The body so far is in :attr:`body`, its end in
            :attr:`ended`.
        """
        deadline = time.monotonic() + seconds
        while not enough(bytes(self.body)):
            if self.ended is not None or not self._receive(deadline - time.monotonic()):
                return enough(bytes(self.body))
            self._decode()
        return True

    def read_to_end(self, seconds: float = PATIENCE) -> bool:
        """Read until the body ends; return whether it ended. Call :meth:`close` next."""
        self.read_until(lambda _body: self.ended is not None, seconds)
        return self.ended is not None

    def take_out(self, mark: bytes) -> None:
        """Remove one occurrence of a mark from what has been read."""
        self.body[:] = self.body.replace(mark, b"", 1)
        if mark in self.chunks:
            self.chunks.remove(mark)

    def forget(self) -> None:
        """Forget the body read so far; must not be used for a body with a Content-Length."""
        self.body.clear()
        self.chunks.clear()

    def close(self) -> None:
        """Close the connection in an orderly way."""
        self._socket.close()

    def reset(self) -> None:
        """Close the connection with a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    # Private.

    def _next_head(self, deadline: float, seconds: float) -> Head:
        while b"\r\n\r\n" not in self._pending:
            if not self._pending.startswith(b"HTTP/1."[: len(self._pending)]):
                raise NotHttp(bytes(self._pending))
            if len(self._pending) > _MAX_HEAD_BYTES:
                raise NotHttp(bytes(self._pending))
            if not self._receive(deadline - time.monotonic()):
                if self.ended is None:
                    raise TimeoutError(f"no answer within {seconds:g} s")
                if self._pending:
                    raise NotHttp(bytes(self._pending))
                raise ConnectionError(f"the connection ended ({self.ended}) without an answer")
        raw, _, rest = bytes(self._pending).partition(b"\r\n\r\n")
        self._pending[:] = rest
        return Head.parse(raw + b"\r\n\r\n")

    def _receive(self, seconds: float) -> bool:
        """Take more bytes from the kernel; return False if there are none, now or for ever."""
        if seconds <= 0:
            return False
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(_READ_SIZE)
        except TimeoutError:
            return False
        except ConnectionError:
            self.ended = Ended.RESET
            return False
        if not data:
            self.ended = Ended.EOF
            return False
        self._pending += data
        return True

    def _decode(self) -> None:
        head = self.head
        if head is None or self.ended is not None:
            return
        length = head.get("content-length")
        if self.method == "HEAD" or head.status in (204, 304):
            self.ended = Ended.CLEAN
        elif head.get("transfer-encoding") == "chunked":
            self._decode_chunks()
        elif length is not None and length.isdigit():
            self._take(int(length) - len(self.body))
            if len(self.body) == int(length):
                self.ended = Ended.CLEAN
        else:
            self._take(len(self._pending))

    def _take(self, size: int) -> None:
        self.body += self._pending[:size]
        del self._pending[:size]

    def _decode_chunks(self) -> None:
        while (line_end := self._pending.find(b"\r\n")) >= 0:
            try:
                size = int(self._pending[:line_end].partition(b";")[0], 16)
            except ValueError:
                self.ended = Ended.MALFORMED
                return
            start, end = line_end + 2, line_end + 2 + size
            if len(self._pending) < end + 2:
                return
            if self._pending[end : end + 2] != b"\r\n":
                self.ended = Ended.MALFORMED
                return
            chunk = bytes(self._pending[start:end])
            del self._pending[: end + 2]
            if size == 0:
                self.ended = Ended.CLEAN
                return
            self.chunks.append(chunk)
            self.body += chunk
