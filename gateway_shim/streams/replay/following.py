"""Everything that lets the streams of a gateway follow a log."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import gevent

from gateway_shim.event_log.log import Log
from gateway_shim.protocol.event_stream import Dialect
from gateway_shim.protocol.results import Published
from gateway_shim.streams.peers.peers import Peers
from gateway_shim.streams.registry import Streams
from gateway_shim.streams.replay.backlog import Backlog
from gateway_shim.streams.replay.delivery import Delivery
from gateway_shim.streams.replay.endless import repeat
from gateway_shim.streams.replay.publisher import Publisher
from gateway_shim.streams.replay.resumption import Resumption
from gateway_shim.streams.sending.broadcast_turn import BroadcastTurn
from gateway_shim.streams.stats import FAR_BEHIND_BYTES, GatewayStats

__all__ = ["Following"]

_EXPIRE_SECONDS = 5.0


class Following:
    """The log of a gateway, and what brings its entries to the streams.

    Args:
        log: the log.
        streams: the streams of this process.
        turn: the turn of broadcasts.
        stats: counts resyncs.
        dialect: the way in which named events are written.
        peers: the other processes that share the log.

    Attributes:
        resumption: starts streams where their browsers stopped.
    """

    def __init__(
        self,
        log: Log,
        streams: Streams,
        turn: BroadcastTurn,
        stats: GatewayStats,
        dialect: Dialect,
        peers: Peers,
    ) -> None:
        self._log = log
        self._streams = streams
        self._peers = peers
        self._delivery = Delivery(log, streams, turn, stats, dialect, peers)
        self._publisher = Publisher(log, self._delivery, turn, stats)
        self.resumption = Resumption(log, self._delivery)

    def start(self) -> list[gevent.Greenlet[..., None]]:
        """Start the background work, and return its greenlets."""
        return [
            *self._delivery.start(),
            *self._peers.follow(self._log, self._publisher.append_note),
            gevent.spawn(repeat, self._expire),
        ]

    def close(self) -> None:
        """Release the log. The greenlets and the streams must have ended."""
        self._peers.close()
        self._log.close()

    @property
    def last_event_id(self) -> str:
        """The cursor of what this process has delivered."""
        return str(self._delivery.cursor)

    def publish(self, audience: str, event: bytes) -> Published:
        """Append an event, and deliver it here (:meth:`Publisher.publish`)."""
        return self._publisher.publish(audience, event)

    def bytes_after(self, position: int) -> int:
        """Return the bytes of the log's entries that follow a position."""
        return self._log.bytes_after(position)

    def read_stats(self) -> dict[str, Any]:
        """Return the counters of :class:`GatewayStats` that are read from the log."""
        backlogs = [connection.backlog for connection in self._streams.behind]
        positions = [item.position for item in backlogs if isinstance(item, Backlog)]
        return {
            "joiners": len(self._delivery.joiners),
            "streams_behind": len(positions),
            "streams_far_behind": self._count_far_behind(positions),
            "bytes_behind": self._log.bytes_after(min(positions)) if positions else 0,
            "log": self._log.read_stats(),
        }

    def _count_far_behind(self, positions: list[int]) -> int:
        """Return how many of the positions are followed by more than FAR_BEHIND_BYTES."""
        if not positions or self._log.bytes_after(min(positions)) <= FAR_BEHIND_BYTES:
            return 0
        # The bytes fall as the position rises. So the log is asked about twenty times for the first
        # position that is near enough, however many streams are behind.
        existing = range(self._log.oldest - 1, self._log.newest + 1)
        near = existing[0] + bisect_left(
            existing, True, key=lambda at: self._log.bytes_after(at) <= FAR_BEHIND_BYTES
        )
        return sum(position < near for position in positions)

    def _expire(self) -> None:
        while True:
            gevent.sleep(_EXPIRE_SECONDS)
            self._log.expire()
            self._delivery.published()  # the log may have found a new epoch
