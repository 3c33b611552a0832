"""A stream's socket: taken over from the server, watched by the event loop.

A live stream costs a descriptor, one watcher and two small objects: no greenlet waits for it.
Writing is a plain non-blocking ``send`` by whoever sends; what the kernel does not take waits
in an outbox that a write watcher empties. The watchers' callbacks run in the hub, so nothing
here ever blocks.
"""

from __future__ import annotations

import _socket
import socket
from typing import Any, Protocol

import gevent

from gateway_shim.errors import ClientGone
from gateway_shim.event_loop.tcp import peer_has_left
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.lifecycle import Outbox, Stream, StreamState
from gateway_shim.streams.tls_connection import TlsSocket, borrow

__all__ = ["LINGER_SECONDS", "Connection", "ConnectionOwner"]

LINGER_SECONDS = 1.0
"""How long an ended stream's client may take to hang up before its socket is closed anyway."""

_READABLE, _WRITABLE = 1, 2  # libev's EV_READ and EV_WRITE
_DISCARD_BYTES = 65536
_LOOK_SECONDS = 0.25


class ConnectionOwner(Protocol):
    """Who is told what happens to a connection. Called in the hub: must never block."""

    def client_gone(self, connection: Connection) -> None:
        """The client hung up."""
        ...

    def write_failed(self, connection: Connection) -> None:
        """Bytes from the outbox could not be written."""
        ...

    def flushed(self, connection: Connection) -> None:
        """The last byte of a closing stream is with the kernel."""
        ...


class Connection:
    """A stream and its socket.

    The socket is first *borrowed* from the server, so that a refused request can go back to its
    keep-alive loop untouched, and *taken over* once the stream opens. It is the same descriptor
    throughout: a duplicate would leave the event loop's epoll set with the closed original.

    Args:
        stream: the stream that it carries.
        sock: the server's socket, non-blocking underneath, as gevent's sockets are.
        owner: who is told what happens.

    Attributes:
        direct: where a chunked frame may be sent without asking anything else; None while the
            stream is not open, has bytes waiting, awaits its first event, or has a bare body.
        heartbeat_at: when its next heartbeat is due; kept here for the heartbeats.
        limit_key: what the stream is counted as; kept for
        :class:`~gateway_shim.streams.registry.Streams`.
        overdue: whether its last bytes were still waiting at a heartbeat; kept for them too.
    """

    __slots__ = (
        "_borrowed",
        "_closing",
        "_outbox",
        "_owner",
        "_reader",
        "_sock",
        "_writer",
        "direct",
        "heartbeat_at",
        "limit_key",
        "overdue",
        "stream",
    )

    def __init__(self, stream: Stream, sock: socket.socket, owner: ConnectionOwner) -> None:
        self.stream = stream
        self.heartbeat_at = 0.0
        self.limit_key = ""
        self.overdue = False
        self.direct: _socket.socket | TlsSocket | None = None
        self._owner = owner
        self._outbox: Outbox | None = None
        self._writer: Any = None
        self._closing = False
        self._borrowed = True
        self._sock = borrow(sock)
        self._reader = gevent.get_hub().loop.io(self._sock.fileno(), _READABLE)
        self._reader.start(self._on_readable_while_borrowed)

    # ------------------------------------------------------------------ taking over

    def take_over(self, sock: socket.socket) -> None:
        """Own the descriptor from now on; ``sock`` is left closed, without one."""
        if isinstance(self._sock, TlsSocket):
            self._sock.take_over()
        else:
            sock.detach()
        self._borrowed = False
        self._reader.stop()
        self._stop_writer()
        self._reader.start(self._on_readable)

    def park(self) -> None:
        """Wait as long as the server's handler must not end: over TLS, until the stream has."""
        if isinstance(self._sock, TlsSocket):
            self._sock.park()

    def give_back(self) -> None:
        """Leave the descriptor to the server, with every byte that the client sent in it."""
        self.abort()

    def _on_readable_while_borrowed(self) -> None:
        try:
            gone = not self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            gone = True
        self._reader.stop()  # what was peeked at stays readable: it would wake us for ever
        if gone:
            self._owner.client_gone(self)
        else:
            self._writer = gevent.get_hub().loop.timer(_LOOK_SECONDS, _LOOK_SECONDS)
            self._writer.start(self._look_behind_unread_bytes)

    def _look_behind_unread_bytes(self) -> None:
        """They stay for the server, so the end behind them cannot be read; the kernel knows it."""
        try:
            gone = peer_has_left(self._sock)
        except OSError:  # a Unix socket, say: seen once the stream is open
            self._stop_writer()
            return
        if gone:
            self._owner.client_gone(self)

    def _on_readable(self) -> None:
        # Whatever a client sends after its request is nothing to a stream: it is read, so that
        # the end can be seen, and dropped. Once per wake-up, so that it cannot hold the hub.
        try:
            gone = not self._sock.recv(_DISCARD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            gone = True
        if not gone:
            return
        if self._closing and self._outbox is None:
            self.abort()  # the end of a clean end: both sides have hung up
        else:
            self._owner.client_gone(self)

    # ------------------------------------------------------------------ writing

    @property
    def over(self) -> bool:
        """Whether the stream has ended and its last bytes are gone."""
        return self.stream.state is StreamState.CLOSED and self._outbox is None

    @property
    def buffered(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return 0 if self._outbox is None else self._outbox.size

    def open(self, first: bytes) -> None:
        """Write a stream's first bytes, like :meth:`send`; it is open now."""
        self.write(first)
        if self._outbox is None:
            self._clear_the_way()

    def send(self, frame: Frame) -> None:
        """Write an event, after everything that was written before.

        Raises:
            ClientGone: the kernel refused it.
            OutboxFull: the client has left too much unread.
        """
        awaited = self.stream.awaits_first_event
        self.write(self.stream.event_bytes(frame))
        if awaited and self._outbox is None:
            self._clear_the_way()

    def write(self, data: bytes, final: bool = False) -> None:
        """Write bytes, like :meth:`send`; the final ones of a stream always fit."""
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
        """Have what the kernel did not take of ``data`` wait.

        Only for who has just sent to :attr:`direct`: what waits already would be forgotten.

        Args:
            data: what was to be sent.
            sent: how many of its bytes the kernel took.
            final: whether they are the stream's last ones, which always fit.

        Raises:
            OutboxFull: it is more than a client may leave unread.
        """
        outbox = Outbox(self.stream.limit, self.stream.budget)
        outbox.put(memoryview(data)[sent:], final=final)
        self._outbox = outbox
        self.direct = None
        self._writer = gevent.get_hub().loop.io(self._sock.fileno(), _WRITABLE)
        self._writer.start(self._on_writable)

    def _clear_the_way(self) -> None:
        if self.stream.chunked and not self.stream.awaits_first_event:
            self.direct = self._sock

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
            self._stop_writer()
            self._outbox = None
            if self._closing:
                self._hang_up()
            else:
                self._clear_the_way()

    # ------------------------------------------------------------------ ending

    def finish(self, last: bytes) -> None:
        """Write the last bytes, then end cleanly; the owner's ``flushed`` follows.

        Raises:
            ClientGone: the kernel refused them.
        """
        self._closing = True
        self.direct = None
        if last:
            self.write(last, final=True)
        if self._outbox is None:
            self._hang_up()

    def _hang_up(self) -> None:
        """Tell the client that this was all, and wait for it to hang up too.

        Closing at once would send a reset if the client had sent anything meanwhile, and a reset
        may throw away what it has not read yet.
        """
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.abort()
        else:
            self._writer = gevent.get_hub().loop.timer(LINGER_SECONDS)
            self._writer.start(self.abort)
        self._owner.flushed(self)

    def abort(self) -> None:
        """Be done with the socket now. Allowed at any time, also twice.

        One that is only borrowed is not closed: that is for the server to do, whose own object
        would otherwise close whatever stream got the same descriptor next.
        """
        # Watchers first: a closed descriptor's number may be another stream's at once.
        self._reader.stop()
        self._stop_writer()
        if self._outbox is not None:
            self._outbox.clear()
        self._outbox = self.direct = None
        if self._borrowed:
            self._sock.detach()
        else:
            self._sock.close()

    def _stop_writer(self) -> None:
        if self._writer is not None:
            self._writer.stop()
            self._writer = None
