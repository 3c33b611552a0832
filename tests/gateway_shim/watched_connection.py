"""A connection, both ends of its socket, and an owner that records what it is told."""

from __future__ import annotations

import gc
import os
import socket
import time
from collections.abc import MutableSet
from typing import Any

from gevent.libev.corecext import watcher

from gateway_shim.protocol.event_stream import BodyFraming
from gateway_shim.protocol.lifecycle import StreamEvent, StreamState
from gateway_shim.protocol.stream import Stream
from gateway_shim.streams.connection import Connection
from gateway_shim.streams.connection_owner import StreamLog
from gateway_shim.streams.sending.tally import Totals
from tests.gateway_shim.sockets import SocketClient
from tests.support.timing import TIME_LIMIT

__all__ = ["RecordingOwner", "WatchedConnection"]


class RecordingOwner:
    """An owner that records what it is told, and releases the socket as a gateway would.

    Attributes:
        told: ``gone``, ``stalled``, ``failed`` and ``flushed``, in their order.
        log: None: the streams follow no log.
        behind: the connections with a backlog in the log.
        totals: what every live stream was sent.
    """

    def __init__(self) -> None:
        self.told: list[str] = []
        self.log: StreamLog[Connection] | None = None
        self.behind: MutableSet[Connection] = set()
        self.totals = Totals()

    def client_gone(self, connection: Connection) -> None:
        """Record the client's end."""
        self.told.append("gone")
        connection.abort()

    def client_stalled(self, connection: Connection) -> None:
        """Record that the kernel has given the client up."""
        self.told.append("stalled")
        connection.abort()

    def write_failed(self, connection: Connection) -> None:
        """Record the failed write."""
        self.told.append("failed")
        connection.abort()

    def flushed(self, connection: Connection) -> None:
        """Record the last byte."""
        self.told.append("flushed")


class WatchedConnection:
    """A connection whose socket is borrowed, both ends of the socket, and the owner.

    Args:
        pair: the client's and the server's end; None: a pair of Unix sockets.
        framing: the framing of the stream's body.
        limit: the bytes that the client may leave unread.

    Attributes:
        client: the client's end.
        server: the server's socket, which the connection borrows.
        descriptor: the number of the server's descriptor.
        owner: the connection's owner.
        stream: the connection's stream.
        connection: the connection.
    """

    def __init__(
        self,
        pair: tuple[socket.socket, socket.socket] | None = None,
        *,
        framing: BodyFraming = BodyFraming.CHUNKED,
        limit: int = 10**6,
    ) -> None:
        client, self.server = pair or socket.socketpair()
        self.client = SocketClient(client)
        self.descriptor = self.server.fileno()
        self.owner = RecordingOwner()
        self.stream = Stream("t", b"", framing=framing, limit=limit)
        self.connection = Connection(self.stream, self.server, self.owner)

    def take_over(self) -> None:
        """Accept the stream, and take the socket over."""
        self.stream.accept()
        self.connection.take_over(self.server)

    def finish(self, last: bytes) -> None:
        """Close the stream with these last bytes."""
        self.stream.apply(StreamEvent.CLOSE)
        self.connection.finish(last)

    def close(self) -> None:
        """Release the socket, and close both ends."""
        self.connection.abort()
        self.client.close()
        self.server.close()

    def is_open(self) -> bool:
        """Return True if the server's descriptor is open."""
        try:
            os.fstat(self.descriptor)
        except OSError:
            return False
        return True

    def is_over(self) -> bool:
        """Return True if the stream is over and its descriptor is closed."""
        return self.stream.state is StreamState.CLOSED and not self.is_open()

    def receive_all(self, end: bytes) -> bytes:
        """Return what the client receives until these bytes arrive."""
        received = b""
        while not received.endswith(end):
            received += self.receive()
        return received

    def receive(self) -> bytes:
        """Return the next bytes that the client receives; none at the end."""
        return self.client.receive(time.monotonic() + TIME_LIMIT)

    def watchers(self) -> list[Any]:
        """Return the active watchers of this connection."""
        owners = (self.connection, self.connection._borrowed)
        return [
            item
            for item in gc.get_objects()
            if isinstance(item, watcher)
            and item.active
            and any(getattr(item.callback, "__self__", item) is owner for owner in owners)
        ]
