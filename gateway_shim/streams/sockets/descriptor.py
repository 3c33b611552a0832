"""The descriptor of a stream and its watchers, without what is written to it."""

from __future__ import annotations

import _socket
import socket
from collections.abc import Callable
from typing import Any

import gevent

from gateway_shim.errors import ClientGone
from gateway_shim.event_loop.tcp import has_timed_out
from gateway_shim.streams.sockets.borrowed_socket import BorrowedSocket
from gateway_shim.streams.sockets.tls_session import Session
from gateway_shim.streams.sockets.tls_socket import TlsSocket, borrow

__all__ = ["LINGER_SECONDS", "Descriptor"]

LINGER_SECONDS = 1.0
"""The time in which the client of an ended stream may hang up before its socket is closed."""

_DISCARD_BYTES = 65536
_READABLE, _WRITABLE = 1, 2  # libev's EV_READ and EV_WRITE


class Descriptor:
    """The descriptor of one stream, and the watchers of the event loop for it.

    A base class of the connection, and not a part of it, because a stream must take little memory.

    Args:
        sock: the server's socket. It is non-blocking underneath, as gevent's sockets are.
        client_gone: called in the hub when the client leaves while the socket is borrowed.

    Attributes:
        direct: the hot loop's shortcut: the socket, while a chunked frame may be sent to it without
            any further check; else None.
        direct_session: the same for a stream over TLS, instead of ``direct``.
    """

    __slots__ = (
        "_borrowed",
        "_linger_timer",
        "_reader",
        "_sock",
        "_writer",
        "direct",
        "direct_session",
    )

    def __init__(self, sock: socket.socket, client_gone: Callable[[], object]) -> None:
        # The server's descriptor, below gevent.
        self._sock: _socket.socket | TlsSocket = borrow(sock)
        self.direct: _socket.socket | None = None
        self.direct_session: Session | None = None
        # The watchers. Each is None while it is not active.
        self._reader: Any = None
        self._writer: Any = None
        self._linger_timer: Any = None
        self._borrowed: BorrowedSocket | None = BorrowedSocket(self._sock, client_gone)

    def take_over(self, sock: socket.socket) -> None:
        """Take the descriptor from the server. Call this after ACCEPT or REJECT.

        ``sock`` is left closed, without a descriptor.
        """
        if isinstance(self._sock, TlsSocket):
            self._sock.take_over()
        else:
            sock.detach()
        self._stop_watchers()
        self._reader = gevent.get_hub().loop.io(self._sock.fileno(), _READABLE)
        self._reader.start(self._on_readable)

    def park(self) -> None:
        """Wait while the server's handler must not return. Only a TLS session may need that."""
        if isinstance(self._sock, TlsSocket):
            self._sock.park()

    def watch(self) -> None:
        """Wait until the client can take bytes. Allowed while this is waited for already."""
        if self._writer is None:
            self._writer = gevent.get_hub().loop.io(self._sock.fileno(), _WRITABLE)
            self._writer.start(self._on_writable)

    def _on_readable(self) -> None:
        # Bytes that a client sends after its request are read, so that the end behind them is
        # seen, and dropped. One read a call: a client that never pauses must not hold the hub.
        timed_out = False
        try:
            has_left = not self._sock.recv(_DISCARD_BYTES)
        except BlockingIOError:
            return
        except OSError as exc:
            has_left, timed_out = True, has_timed_out(exc)
        if has_left:
            self._left(timed_out=timed_out)

    def _left(self, *, timed_out: bool) -> None:
        """Handle the end of the client; called in the hub.

        Args:
            timed_out: True if the kernel has given the client up: it no longer reads, or its
                network is gone.
        """
        raise NotImplementedError

    def _on_writable(self) -> None:
        """Handle a client that can take bytes; called in the hub."""
        raise NotImplementedError

    def _try_send(self, data: bytes | memoryview) -> int:
        """Return the number of bytes that the kernel took, which may be 0.

        Raises:
            ClientGone: the kernel refused them.
        """
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError as exc:
            raise ClientGone from exc

    def send_records(self, data: bytes) -> int:
        """Write bytes that are longer than one TLS record; what the hot loop does with those.

        Returns:
            The number of bytes that count as sent.

        Raises:
            OSError: the connection is broken.
        """
        return self._sock.send(data)

    def go_on(self, data: bytes, sent: int) -> int:
        """Go on after the hot loop's shortcut did not take all bytes. Does nothing without TLS.

        Args:
            data: the bytes that were to be sent.
            sent: the number of bytes that were taken; 0: the kernel is full.

        Returns:
            The number of bytes that count as sent.

        Raises:
            OSError: the connection is broken. Not if ``sent`` is 0.
        """
        return self._sock.go_on(data, sent) if isinstance(self._sock, TlsSocket) else sent

    def _use_shortcut(self, allowed: bool) -> None:
        if isinstance(self._sock, TlsSocket):
            self.direct_session = self._sock.session if allowed else None
        else:
            self.direct = self._sock if allowed else None

    def _stop_writer(self) -> None:
        if self._writer is not None:
            self._writer.stop()
            self._writer = None

    def _linger(self, end: Callable[[], object]) -> None:
        """Give the client of an ended stream some time to hang up, then call ``end``."""
        self._linger_timer = gevent.get_hub().loop.timer(LINGER_SECONDS)
        self._linger_timer.start(end)

    def _stop_watchers(self) -> None:
        for watcher in (self._borrowed, self._reader, self._writer, self._linger_timer):
            if watcher is not None:
                watcher.stop()
        self._borrowed = self._reader = self._writer = self._linger_timer = None
