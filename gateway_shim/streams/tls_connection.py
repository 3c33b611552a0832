"""A TLS session with the interface of a plain socket, for the streams that use it.

A TLS session cannot leave the object that holds it, so such a stream keeps the server's socket,
and the handler's greenlet stays parked until the stream ends.
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
    """The part of a socket's interface that a stream uses, over a TLS session; never blocks.

    Args:
        sock: gevent's TLS socket.
        plain: another object for the same descriptor, to look at what is below TLS.
    """

    def __init__(self, sock: Any, plain: _socket.socket) -> None:
        self._sock = sock
        self._plain = plain
        self._closed = Signal()

    def fileno(self) -> int:
        """The descriptor."""
        return self._plain.fileno()

    def getsockopt(self, level: int, name: int, size: int, /) -> bytes:
        """What the kernel says of the connection."""
        return self._plain.getsockopt(level, name, size)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Read; with a flag, such as MSG_PEEK, what is below TLS.

        Raises:
            BlockingIOError: nothing is there.
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
        """Write as much as the kernel takes; 0 if nothing.

        Raises:
            OSError: the connection is broken.
        """
        sent: int = self._sock.send(data)
        return sent

    def take_over(self) -> None:
        """Be the only one who uses the session from now on."""
        self._sock.settimeout(0)

    def detach(self) -> None:
        """Leave everything to the server."""
        self._plain.detach()

    def shutdown(self, how: int) -> None:
        """Say the end of the session (close_notify), then the end of the connection.

        Raises:
            OSError: the connection is broken.
        """
        # It is sent even where this raises: what is missing then is only the client's own.
        with contextlib.suppress(ssl.SSLError, ValueError):
            self._sock.unwrap()
        self._plain.shutdown(how)

    def close(self) -> None:
        """Close, and let the parked handler go."""
        self._plain.detach()
        self._sock.close()
        self._closed.set()

    def park(self) -> None:
        """Wait until it is closed."""
        self._closed.wait()


def borrow(sock: socket.socket) -> _socket.socket | TlsSocket:
    """Return an object of our own for a descriptor of the server: below gevent's, not blocking.

    Args:
        sock: the server's socket, with or without TLS; it stays open.
    """
    plain = _socket.socket(sock.family, sock.type, sock.proto, sock.fileno())
    plain.settimeout(0)
    return TlsSocket(sock, plain) if isinstance(sock, ssl.SSLSocket) else plain
