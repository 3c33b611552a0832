"""A TLS session with the interface of a plain socket, for the streams that use it.

While the backend is asked about a stream, the session is the server's, and only the bytes below it
are peeked at. When the stream takes the session over, gevent's object is freed, and with it the
server's handler: what stays is the session of ``_ssl`` and a plain socket
(:mod:`gateway_shim.streams.sockets.tls_session`). Where that is not possible, the handler's
greenlet stays parked until the stream ends.
"""

from __future__ import annotations

import _socket
import contextlib
import socket
import ssl
from typing import Any

from gevent.event import Event as Signal

from gateway_shim.streams.sockets.tls_session import RECORD_BYTES, KeptSession, Session, release

__all__ = ["TlsSocket", "borrow"]


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

    Attributes:
        session: the session, from :meth:`take_over` until :meth:`close`; else None. Its ``write``
            is the shortest way to write, while no record must be written again: one call in C, for
            at most ``RECORD_BYTES``. If it does not take all of them, call :meth:`go_on` next.
    """

    __slots__ = ("_parked", "_plain", "_record", "_sock", "_uncounted", "session")

    def __init__(self, sock: Any, plain: _socket.socket) -> None:
        # gevent's object; None once the session was taken out of it.
        self._sock = sock
        self._plain = plain
        self.session: Session | None = None
        # The record that must be written again before anything else; empty: none.
        self._record = b""
        # 1 if the last byte of the record was not counted as sent yet.
        self._uncounted = 0
        # Set when the session is closed: the parked handler may return. None: no handler waits.
        self._parked: Signal | None = None

    def take_over(self) -> None:
        """Take the session from the server, whose object is left closed if that is possible."""
        released = release(self._sock)
        if released is None:
            self._sock.settimeout(0)
            self.session, self._parked = KeptSession(self._sock), Signal()
        else:
            self._plain.detach()
            self._sock = None
            self.session, self._plain = released

    def park(self) -> None:
        """Wait until the session is closed, if the handler must not return before that."""
        if self._parked is not None:
            self._parked.wait()

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
            return self._taken.read(min(size, RECORD_BYTES))
        except ssl.SSLWantReadError as exc:
            raise BlockingIOError from exc
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b""  # the connection, or the session, has ended

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
            record = data[sent : sent + RECORD_BYTES]
            try:
                sent += self._taken.write(record)
            except ssl.SSLWantWriteError:
                return self._keep_record(data, sent)
        return sent

    def go_on(self, data: bytes, sent: int) -> int:
        """Go on after a write to :attr:`session` that did not take all bytes. Write what fits.

        Args:
            data: the bytes that were to be written.
            sent: the number of bytes that were written; 0: the kernel is full.

        Returns:
            The number of bytes that count as sent, as :meth:`send` counts them.

        Raises:
            OSError: the connection is broken. Not if ``sent`` is 0.
        """
        if not sent:
            return self._keep_record(data, 0)
        return sent + self.send(memoryview(data)[sent:])

    def detach(self) -> None:
        """Leave the session and the descriptor to the server."""
        self._plain.detach()

    def shutdown(self, how: int) -> None:
        """End the session (close_notify), then shut down the connection.

        Raises:
            OSError: the connection is broken.
        """
        # If this raises, it has sent our close_notify, and the client's is missing.
        with contextlib.suppress(OSError):
            self._taken.shutdown()
        self._plain.shutdown(how)

    def close(self) -> None:
        """Close the session, and let a parked handler return."""
        # The session writes to a number, so it must not outlive the descriptor.
        self.session = None
        if self._parked is None:
            self._plain.close()
        else:
            self._plain.detach()
            self._sock.close()
            self._parked.set()

    # ------------------------------------------------------------------ private

    @property
    def _taken(self) -> Session:
        if self.session is None:
            raise ConnectionError("the session is the server's, or closed")
        return self.session

    def _keep_record(self, data: bytes | memoryview, sent: int) -> int:
        record = data[sent : sent + RECORD_BYTES]
        self._record = bytes(record)
        counted = min(len(record), len(data) - sent - 1)
        self._uncounted = len(record) - counted
        return sent + counted

    def _write_record_again(self) -> bool:
        try:
            while self._record:
                self._record = self._record[self._taken.write(self._record) :]
        except ssl.SSLWantWriteError:
            return False
        return True


def borrow(sock: socket.socket) -> _socket.socket | TlsSocket:
    """Return a new object for a descriptor of the server: below gevent's object, not blocking.

    Args:
        sock: the server's socket, with or without TLS. It stays open.
    """
    plain = _socket.socket(sock.family, sock.type, sock.proto, sock.fileno())
    plain.settimeout(0)
    return TlsSocket(sock, plain) if isinstance(sock, ssl.SSLSocket) else plain
