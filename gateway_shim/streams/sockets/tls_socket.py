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


class TlsSocket:
    """The part of a socket's interface that a stream uses, over a TLS session. Never blocks.

    Args:
        sock: gevent's TLS socket.
        plain: another object for the same descriptor. It reads the encrypted bytes below TLS.
    """

    def __init__(self, sock: Any, plain: _socket.socket) -> None:
        self._sock = sock
        self._plain = plain
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
        """Write as many bytes as the kernel takes, and return their number, which may be 0.

        Raises:
            OSError: the connection is broken.
        """
        sent: int = self._sock.send(data)
        return sent

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
