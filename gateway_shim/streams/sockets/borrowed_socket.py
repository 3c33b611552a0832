"""A socket that is borrowed from the server while the backend is asked about a stream.

The client may leave meanwhile, and that must be noticed. But nothing may be read: a refused request
goes back to the server's keep-alive loop with every byte that the client has sent. So the socket is
only peeked at. A byte that was peeked at stays readable and would wake the watcher again and again.
So the watcher is stopped after the first byte, and a timer asks the kernel for the state of the
connection instead.
"""

from __future__ import annotations

import _socket
import socket
from collections.abc import Callable
from typing import Any

import gevent

from gateway_shim.event_loop.tcp import peer_has_left
from gateway_shim.streams.sockets.tls_socket import TlsSocket

__all__ = ["BorrowedSocket"]

_READABLE = 1  # libev's EV_READ
_LOOK_SECONDS = 0.25
"""The time between two questions to the kernel."""


class BorrowedSocket:
    """Watches a borrowed socket until :meth:`stop`.

    Args:
        sock: the socket.
        client_gone: called in the hub, once, when the client has left; it must call :meth:`stop`.
    """

    __slots__ = ("_client_gone", "_reader", "_sock", "_unread_timer")

    def __init__(self, sock: _socket.socket | TlsSocket, client_gone: Callable[[], object]) -> None:
        self._sock = sock
        self._client_gone = client_gone
        # Active until the first byte, or the end.
        self._reader = gevent.get_hub().loop.io(sock.fileno(), _READABLE)
        self._reader.start(self._on_readable)
        # Active while unread bytes hide the end of the connection.
        self._unread_timer: Any = None

    def stop(self) -> None:
        """Stop watching. The socket does not change. A second call does nothing."""
        self._reader.stop()
        if self._unread_timer is not None:
            self._unread_timer.stop()
            self._unread_timer = None

    def _on_readable(self) -> None:
        try:
            has_left = not self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            has_left = True
        self._reader.stop()
        if has_left:
            self._client_gone()
        else:
            self._unread_timer = gevent.get_hub().loop.timer(_LOOK_SECONDS, _LOOK_SECONDS)
            self._unread_timer.start(self._check_behind_unread_bytes)

    def _check_behind_unread_bytes(self) -> None:
        try:
            has_left = peer_has_left(self._sock)
        except OSError:  # not TCP, such as a Unix socket: the end is seen once the stream is open
            self.stop()
            return
        if has_left:
            self._client_gone()
