"""One entry of the log on its way to the streams of this process."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from operator import length_hint

from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.segment import Entry
from gateway_shim.event_loop.turns import YIELD_EVERY, let_others_run_if_due
from gateway_shim.protocol import event_stream
from gateway_shim.streams.connection import Connection
from gateway_shim.streams.hot_loop import write_all
from gateway_shim.streams.registry import Streams
from gateway_shim.streams.replay.backlog import Backlog
from gateway_shim.streams.sending.tally import Totals, tally

__all__ = ["DeliveryPass"]


class DeliveryPass:
    """One entry on its way to the streams.

    Args:
        entry: the entry.
        connections: the streams that it is for.

    Attributes:
        position: the position of the entry.
        for_everyone: True if it is addressed to everyone.
        delivered: the number of streams that have taken it, or will read it from the log.
    """

    __slots__ = ("_connections", "_frame", "_remaining", "delivered", "for_everyone", "position")

    def __init__(self, entry: Entry, connections: list[Connection]) -> None:
        self.position = entry.position
        self.for_everyone = entry.audience == EVERYONE
        self._frame = event_stream.frame_of_chunk(bytes(entry.frame))
        self.delivered = 0
        self._remaining: Iterator[Connection] = iter(connections)
        self._connections = connections

    def go_on(self, streams: Streams) -> None:
        """Write the entry to the streams that are left. Other greenlets run between batches.

        If this is interrupted, a second call goes on where the first one stopped.

        Args:
            streams: the gateway's streams.
        """
        while True:
            batch = islice(self._remaining, YIELD_EVERY)
            self.delivered += write_all(streams, batch, self._frame, self.position).delivered
            if not length_hint(self._remaining):
                break
            let_others_run_if_due()

    def count(self, totals: Totals) -> None:
        """Count the entry for each live stream that has got it. Call this once, at the end.

        A stream that is behind counts what it reads from the log, this entry included.

        Args:
            totals: what every live stream was sent.
        """
        sent = tally(self._frame)
        if self.for_everyone:
            totals.value += sent
            return
        for connection in self._connections:
            if not isinstance(connection.backlog, Backlog):
                connection.stream.sent += sent

    def has_passed(self, connection: Connection) -> bool:
        """Return True if the entry was delivered to a stream, or is not for it."""
        first = len(self._connections) - length_hint(self._remaining)
        return connection not in self._connections[first:]
