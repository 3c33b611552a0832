"""A TLS session without the object that has made it: what CPython and gevent keep to themselves.

:mod:`ssl` has no public way to keep a session and to free its SSLSocket. But every SSLSocket has a
session of ``_ssl``, which is all that reads and writes need, and gevent's has the plain socket
below it, which the session knows by a weak reference. This was tried with CPython 3.11 and gevent
26.9. If it is not so in another version, :func:`release` says so and changes nothing.
"""

from __future__ import annotations

import _socket
import ssl
from collections.abc import Callable
from typing import Any, Protocol

import gevent.socket

__all__ = ["RECORD_BYTES", "WOULD_BLOCK", "KeptSession", "Session", "can_release", "release"]

RECORD_BYTES = 16 * 1024
"""The bytes of the longest TLS record (RFC 8446, section 5.1).

A longer write may fail when it has written some records, and must be repeated whole."""

WOULD_BLOCK = (BlockingIOError, ssl.SSLWantWriteError)
"""The errors of a write if the kernel is full: of a plain socket, and of a TLS session."""


class Session(Protocol):
    """A TLS session, as ``_ssl`` makes it. No method blocks, because its socket does not."""

    @property
    def read(self) -> Callable[[int], bytes]:
        """Read at most a number of bytes, of one record. No bytes: the client has ended it.

        Raises:
            SSLWantReadError: there is nothing to read.
            OSError: the connection is broken.
        """
        ...

    @property
    def write(self) -> Callable[[bytes | memoryview], int]:
        """Write at most ``RECORD_BYTES``, and return the number of bytes that were written.

        Raises:
            SSLWantWriteError: the kernel is full; the same bytes must be written again.
            OSError: the connection is broken.
        """
        ...

    @property
    def shutdown(self) -> Callable[[], object]:
        """Send close_notify, and read the client's.

        Raises:
            OSError: the client's is missing, or the connection is broken.
        """
        ...


class KeptSession:
    """The session of an SSLSocket that cannot be freed, by the public methods of that object.

    Args:
        sock: gevent's TLS socket, not blocking.
    """

    __slots__ = ("_sock",)

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def read(self, size: int) -> bytes:
        """Read, as :class:`Session` does."""
        try:
            data: bytes = self._sock.read(size)
        except ValueError as exc:  # the session has ended already
            raise ConnectionError(str(exc)) from exc
        return data

    def write(self, data: bytes | memoryview) -> int:
        """Write, as :class:`Session` does."""
        written: int = self._sock.send(data)
        if data and not written:
            raise ssl.SSLWantWriteError
        return written

    def shutdown(self) -> None:
        """End the session, as :class:`Session` does."""
        try:
            self._sock.unwrap()
        except ValueError as exc:  # the session has ended already
            raise ConnectionError(str(exc)) from exc


def release(sock: Any) -> tuple[Session, _socket.socket] | None:
    """Take the session out of its TLS socket, which is left closed, without a descriptor.

    Args:
        sock: gevent's TLS socket, whose handshake is done.

    Returns:
        The session, and the socket that it writes to. Keep both: the session does not keep its
        socket. None if this version of Python or gevent does not allow it; nothing was changed.
    """
    session: Any = getattr(sock, "_sslobj", None)
    plain = getattr(sock, "_sock", None)
    if not isinstance(plain, _socket.socket) or not _is_session_of(session, plain):
        return None
    family, kind, proto = plain.family, plain.type, plain.proto
    # The descriptor leaves both objects. It comes back to the one that the session knows.
    descriptor = sock.detach()
    sock._sslobj = None
    _socket.socket.__init__(plain, family, kind, proto, descriptor)
    plain.settimeout(0)
    return session, plain


def can_release(context: ssl.SSLContext) -> bool:
    """Return whether the sessions of a context can be released. Tries it on a socket of its own.

    Args:
        context: a context of gevent's :mod:`ssl`, for servers.
    """
    ours, theirs = gevent.socket.socketpair()
    with theirs:
        sock = context.wrap_socket(ours, server_side=True, do_handshake_on_connect=False)
        released = release(sock)
        if released is None:
            sock.close()
            return False
        released[1].close()
        return True


def _is_session_of(session: object, plain: _socket.socket) -> bool:
    has_methods = all(hasattr(session, name) for name in ("read", "write", "shutdown"))
    return has_methods and getattr(session, "owner", None) is plain
