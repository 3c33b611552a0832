"""Broadcasts: one event to many streams, encoded once, the same bytes to all.

This module decides whose turn it is and looks up the streams. :mod:`gateway_shim.streams.hot_loop`
writes to them.
"""

from __future__ import annotations

from collections.abc import Sequence

from gevent.lock import BoundedSemaphore

from gateway_shim.event_loop.turns import YIELD_EVERY, let_others_run, let_others_run_if_due
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.results import BroadcastResult
from gateway_shim.streams.hot_loop import write_all
from gateway_shim.streams.registry import Streams

__all__ = ["Broadcasts"]


class Broadcasts:
    """Sends broadcasts, one at a time, so that all streams see them in the same order.

    Args:
        streams: the gateway's streams.
    """

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        # Held by the broadcast that is being sent.
        self._turn = BoundedSemaphore()
        # The number of broadcasts that wait for the turn.
        self._waiting = 0

    def send(self, tokens: Sequence[str], frame: Frame) -> BroadcastResult:
        """Write an event to many streams. Others run on the way, and before.

        Args:
            tokens: the tokens of the streams.
            frame: the encoded event.
        """
        delivered = 0
        self._take_turn()
        try:
            audience = self._streams.audience(tokens)
            unknown, connections = list(audience.unknown), audience.connections
            for start in range(0, len(connections), YIELD_EVERY):
                if start:
                    let_others_run_if_due()
                result = write_all(self._streams, connections[start : start + YIELD_EVERY], frame)
                delivered += result.delivered
                unknown += result.unknown
        finally:
            self._turn.release()
        return BroadcastResult(delivered, tuple(unknown))

    def _take_turn(self) -> None:
        """Wait for the turn, behind the broadcasts that wait already.

        The semaphore alone would give the turn to the first caller after its release. That is the
        caller that has just had it, if it broadcasts without pause: it would keep the turn.
        """
        # Before the turn is taken, not after: while it is held, all other broadcasts wait.
        let_others_run_if_due()
        if self._waiting:
            let_others_run()
        self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            self._waiting -= 1
