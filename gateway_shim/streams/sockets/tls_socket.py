"""A TLS session with the interface of a plain socket, for the streams that use it.

A TLS session cannot leave the object that holds it. So the stream keeps the server's socket, and
the handler's greenlet stays parked until the stream ends.
"""

from __future__ import annotations

import _socket
import contextlib
import socket
import ssl
from typing import Any

from gevent.event import Event as Signal

__all__ = ["TlsSocket", "borrow"]

_RECORD_BYTES = 16 * 1024
"""The bytes of the longest TLS record (RFC 8446, section 5.1)."""


class TlsSocket:
    """The part of a socket's interface that a stream uses, over a TLS session. Never blocks.

    OpenSSL encrypts a record before it knows whether the kernel takes it. So a write that fails
    because the kernel is full must be repeated with the same bytes: whatever the second call is
    given, the client gets the bytes of the first one. But a stream may have other bytes to send by
    then. So this class writes one record at a time, repeats it by itself, and counts its bytes as
    sent.

    Args:
        sock: gevent's TLS socket.
        plain: another object for the same descriptor. It reads the encrypted bytes below TLS.
    """

    def __init__(self, sock: Any, plain: _socket.socket) -> None:
        self._sock = sock
        self._plain = plain
        # The record that must be written again before anything else; empty: none.
        self._record = b""
        # 1 if the last byte of the record was not counted as sent yet.
        self._uncounted = 0
        # Set when the session is closed: the parked handler may return.
        self._closed = Signal()

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._plain.fileno()

    def getsockopt(self, level: int, name: int, size: int, /) -> bytes:
        """Return the kernel's value of an option of the connection."""
        return self._plain.getsockopt(level, name, size)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Read from the session. With a flag, such as MSG_PEEK, read the bytes below TLS.

        Raises:
            BlockingIOError: there is nothing to read.
            OSError: the connection is broken.
        """
        if flags:
            return self._plain.recv(size, flags)
        try:
            data: bytes = self._sock.read(size)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as exc:
            raise BlockingIOError from exc
        except ValueError as exc:  # the session has ended already
            raise ConnectionError(str(exc)) from exc
        return data

    def send(self, data: bytes | memoryview) -> int:
        """Write as many bytes as the kernel and the session take, and return their number.

        If the number is less than all, the next call must begin with the byte that follows. At
        least one byte is always left over when the session waits for the kernel. So its caller
        waits for the kernel and calls again, which also writes what the session keeps.

        Raises:
            OSError: the connection is broken.
        """
        if self._record and not self._write_record_again():
            return 0
        sent, self._uncounted = self._uncounted, 0
        while sent < len(data):
            record = data[sent : sent + _RECORD_BYTES]
            written: int = self._sock.send(record)
            if not written:
                self._record = bytes(record)
                counted = min(len(record), len(data) - sent - 1)
                self._uncounted = len(record) - counted
                return sent + counted
            sent += written
        return sent

    def _write_record_again(self) -> bool:
        while self._record:
            written = self._sock.send(self._record)
            if not written:
                return False
            self._record = self._record[written:]
        return True

    def take_over(self) -> None:
        """Take the session from the server, which no longer uses it."""
        self._sock.settimeout(0)

    def detach(self) -> None:
        """Leave the session and the descriptor to the server."""
        self._plain.detach()

    def shutdown(self, how: int) -> None:
        """End the session (close_notify), then shut down the connection.

        Raises:
            OSError: the connection is broken.
        """
        # If unwrap() raises, it has sent our close_notify, and the client's is missing.
        with contextlib.suppress(ssl.SSLError, ValueError):
            self._sock.unwrap()
        self._plain.shutdown(how)

    def close(self) -> None:
        """Close the session, and let the parked handler return."""
        self._plain.detach()
        self._sock.close()
        self._closed.set()

    def park(self) -> None:
        """Wait until the session is closed."""
        self._closed.wait()


def borrow(sock: socket.socket) -> _socket.socket | TlsSocket:
    """Return a new object for a descriptor of the server: below gevent's object, not blocking.

    Args:
        sock: the server's socket, with or without TLS. It stays open.
    """
    plain = _socket.socket(sock.family, sock.type, sock.proto, sock.fileno())
    plain.settimeout(0)
    return TlsSocket(sock, plain) if isinstance(sock, ssl.SSLSocket) else plain
