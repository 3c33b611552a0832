"""The descriptor of one stream: borrowed from the server, taken over, written to, released.

Theory of operation
===================

A :class:`~gateway_shim.protocol.stream.Stream` is the protocol's side of a stream, a
:class:`Connection` the descriptor's side: socket, watchers, and bytes that the kernel has not taken
yet. A connection knows its stream and reports to an *owner*, which decides. An open stream costs a
descriptor, one watcher and these two objects. No greenlet waits for a stream, except over TLS.

1. *Borrowed*, while the backend is asked: the server's handler owns the socket. We only watch for
   the client's end (``_borrowed``, a
   :class:`~gateway_shim.streams.sockets.borrowed_socket.BorrowedSocket`).
2. *Taken over*, after ACCEPT or REJECT, as the same descriptor. With a duplicate, epoll would keep
   an entry for the closed original as long as the duplicate lives, and wake the event loop under
   a number that another connection has by then. The client's bytes are read and dropped
   (``_reader``).
3. *Written to*, by non-blocking sends. Bytes that the kernel does not take wait in an outbox
   (``_writer``). Later bytes wait behind them, so the order is kept.
4. *Finished*, in CLOSING: the last bytes are written, our half of the connection is shut down, and
   the client has a second to hang up (``_linger_timer``). An immediate close could send a reset,
   which may discard bytes that the client has not read yet.
5. *Released*, at any time: RETURNED leaves the socket to the server, CLOSED closes it.

What must always hold:

- A watcher's callback neither blocks nor logs, because it runs in the hub.
- Watchers are stopped before the socket is closed: another stream may get the number at once.
- A borrowed socket is not closed here, because the server's object would close the number again.
- ``direct`` is set only while one ``send`` is all that a chunked frame needs. ``_update_direct``
  alone decides this, by state, outbox, framing and first event.
"""

from __future__ import annotations

import _socket
import socket
from functools import partial
from typing import Any, Protocol

import gevent

from gateway_shim.errors import ClientGone
from gateway_shim.protocol.event_stream import BodyFraming, Frame
from gateway_shim.protocol.lifecycle import OVER_STATES, StreamEvent, StreamState
from gateway_shim.protocol.outbox import Outbox
from gateway_shim.protocol.stream import Stream
from gateway_shim.streams.sockets.borrowed_socket import BorrowedSocket
from gateway_shim.streams.sockets.tls_socket import TlsSocket, borrow

__all__ = ["LINGER_SECONDS", "Connection", "ConnectionOwner"]

LINGER_SECONDS = 1.0
"""The time in which the client of an ended stream may hang up before its socket is closed."""

_READABLE, _WRITABLE = 1, 2  # libev's EV_READ and EV_WRITE
_DISCARD_BYTES = 65536


class ConnectionOwner(Protocol):
    """The object that handles a connection's events. Called in the hub: it must not block."""

    def client_gone(self, connection: Connection) -> None:
        """Handle a client that has hung up: call :meth:`Connection.abort`."""

    def write_failed(self, connection: Connection) -> None:
        """Handle a failed write of waiting bytes: call :meth:`Connection.abort`."""

    def flushed(self, connection: Connection) -> None:
        """Handle the last byte of a closing stream: the kernel has it."""


class Connection:
    """The descriptor of one stream.

    Args:
        stream: the stream.
        sock: the server's socket. It is non-blocking underneath, as gevent's sockets are.
        owner: handles the end of the client, failed writes and the last byte.

    Attributes:
        stream: the stream.
        direct: the hot loop's shortcut: the socket, while a chunked frame may be sent to it without
            any further check; else None.
        heartbeat_at: the time of the next heartbeat, by the clock of ``Heartbeats``. It is kept
            here because an attribute costs less memory than an entry there.
    """

    __slots__ = (
        "_borrowed",
        "_linger_timer",
        "_outbox",
        "_owner",
        "_reader",
        "_sock",
        "_writer",
        "direct",
        "heartbeat_at",
        "stream",
    )

    def __init__(self, stream: Stream, sock: socket.socket, owner: ConnectionOwner) -> None:
        self.stream = stream
        self.heartbeat_at = 0.0
        self.direct: _socket.socket | TlsSocket | None = None
        self._owner = owner
        # The bytes that the kernel has not taken yet; None if there are none.
        self._outbox: Outbox | None = None
        # The server's descriptor, below gevent.
        self._sock = borrow(sock)
        # The watchers. Each is None while it is not active.
        self._reader: Any = None
        self._writer: Any = None
        self._linger_timer: Any = None
        client_gone = partial(owner.client_gone, self)
        self._borrowed: BorrowedSocket | None = BorrowedSocket(self._sock, client_gone)

    # ------------------------------------------------------------------ public: the socket

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
        """Wait while the server's handler must not return: over TLS, until the stream has ended."""
        if isinstance(self._sock, TlsSocket):
            self._sock.park()

    def abort(self) -> None:
        """Release the socket now. A stream that is not over is lost. A second call does nothing.

        A borrowed socket is not closed, and every byte that the client has sent is still in it.
        """
        stream = self.stream
        if stream.state not in OVER_STATES:
            stream.apply(StreamEvent.LOSE)
        self._stop_watchers()
        if self._outbox is not None:
            self._outbox.clear()
            self._outbox = None
        self._update_direct()
        if stream.state is StreamState.RETURNED:
            self._sock.detach()
        else:
            self._sock.close()

    # ------------------------------------------------------------------ public: writing

    @property
    def over(self) -> bool:
        """True if the stream has ended and its last byte was written or dropped."""
        return self.stream.state is StreamState.LINGERING or self.stream.state in OVER_STATES

    @property
    def buffered(self) -> int:
        """The bytes that the kernel has not taken yet."""
        return 0 if self._outbox is None else self._outbox.size

    def open(self, first: bytes) -> None:
        """Write the first bytes of an open stream, like :meth:`write`."""
        self.write(first)
        self._update_direct()

    def send(self, frame: Frame) -> None:
        """Write an event to an open stream, like :meth:`write`."""
        was_first = self.stream.awaits_first_event
        self.write(self.stream.event_bytes(frame))
        if was_first:
            self._update_direct()

    def write(self, data: bytes, final: bool = False) -> None:
        """Write bytes, after everything that was written before.

        Args:
            data: the bytes.
            final: True for the last bytes of the stream, which always fit.

        Raises:
            ClientGone: the kernel refused them.
            OutboxFull: the client has left too much unread.
        """
        if self._outbox is not None:
            self._outbox.put(data, final=final)
            return
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as exc:
            raise ClientGone from exc
        if sent != len(data):
            self.keep(data, sent, final=final)

    def keep(self, data: bytes, sent: int, *, final: bool = False) -> None:
        """Keep the bytes that the kernel did not take. Call this after a send to :attr:`direct`.

        Args:
            data: the bytes that were to be sent.
            sent: the number of bytes that the kernel took.
            final: True for the last bytes of the stream, which always fit.

        Raises:
            OutboxFull: the client has left too much unread.
        """
        outbox = Outbox(self.stream.limit, self.stream.budget)
        outbox.put(memoryview(data)[sent:], final=final)
        self._outbox = outbox
        self._update_direct()
        self._writer = gevent.get_hub().loop.io(self._sock.fileno(), _WRITABLE)
        self._writer.start(self._on_writable)

    def finish(self, last: bytes) -> None:
        """Write the last bytes, then hang up. Call this after CLOSE or REJECT.

        Raises:
            ClientGone: the kernel refused them.
        """
        self._update_direct()
        if last:
            self.write(last, final=True)
        if self._outbox is None:
            self._hang_up()

    # ------------------------------------------------------------------ private: called by watchers

    def _on_readable(self) -> None:
        # Bytes that a client sends after its request are read, so that the end behind them is
        # seen, and dropped. One read a call: a client that never pauses must not hold the hub.
        try:
            has_left = not self._sock.recv(_DISCARD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            has_left = True
        if not has_left:
            return
        if self.stream.state is StreamState.LINGERING:
            self.abort()  # a clean end: both sides have hung up
        else:
            self._owner.client_gone(self)

    def _on_writable(self) -> None:
        outbox = self._outbox
        if outbox is None:
            return
        try:
            outbox.advance(self._sock.send(outbox.head()))
        except BlockingIOError:
            return
        except OSError:
            self._owner.write_failed(self)
            return
        if not outbox.size:
            self._writer.stop()
            self._writer = self._outbox = None
            if self.stream.state is StreamState.OPEN:
                self._update_direct()
            else:
                self._hang_up()

    # ------------------------------------------------------------------ private: other

    def _update_direct(self) -> None:
        """Set :attr:`direct`. Called after each change of the values that it depends on."""
        stream = self.stream
        direct = (
            stream.state is StreamState.OPEN
            and self._outbox is None
            and stream.framing is BodyFraming.CHUNKED
            and not stream.awaits_first_event
        )
        self.direct = self._sock if direct else None

    def _hang_up(self) -> None:
        """Shut down our half of the connection, and give the client time to hang up, too."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.stream.apply(StreamEvent.FLUSH)
            self.abort()
        else:
            self.stream.apply(StreamEvent.FLUSH)
            self._linger_timer = gevent.get_hub().loop.timer(LINGER_SECONDS)
            self._linger_timer.start(self.abort)
        self._owner.flushed(self)

    def _stop_watchers(self) -> None:
        for watcher in (self._borrowed, self._reader, self._writer, self._linger_timer):
            if watcher is not None:
                watcher.stop()
        self._borrowed = self._reader = self._writer = self._linger_timer = None
