"""Sends one event to many streams. The event is encoded once, and all streams get the same bytes.

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
        """Write an event to many streams. Other greenlets run before and between its batches.

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

        The semaphore goes to the first caller after its release. Without this method, a caller that
        broadcasts without a pause would get the semaphore again before the callers that wait.
        """
        # Let other greenlets run now, not later: all other broadcasts wait for the holder's turn.
        let_others_run_if_due()
        if self._waiting:
            let_others_run()
        self._waiting += 1
        try:
            self._turn.acquire()
        finally:
            self._waiting -= 1
