"""Sends one event to many streams. The event is encoded once, and all streams get the same bytes.

This module decides whose turn it is and looks up the streams. :mod:`gateway_shim.streams.hot_loop`
writes to them.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway_shim.event_loop.turns import YIELD_EVERY, let_others_run_if_due
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.results import BroadcastResult
from gateway_shim.streams.hot_loop import write_all
from gateway_shim.streams.registry import Streams
from gateway_shim.streams.sending.audiences import TokenAudience
from gateway_shim.streams.sending.broadcast_turn import BroadcastTurn
from gateway_shim.streams.sending.tally import tally

__all__ = ["Broadcasts"]


class Broadcasts:
    """Sends broadcasts, one at a time, so that all streams see them in the same order.

    Args:
        streams: the gateway's streams.
        turn: held by the broadcast that is being sent.
    """

    def __init__(self, streams: Streams, turn: BroadcastTurn) -> None:
        self._streams = streams
        self._turn = turn

    def send(self, tokens: Sequence[str], frame: Frame) -> BroadcastResult:
        """Write an event to many streams. Other greenlets run before and between its batches.

        Args:
            tokens: the tokens of the streams.
            frame: the encoded event.
        """
        delivered = 0
        with self._turn:
            audience = self._streams.audiences.of_tokens(tokens)
            unknown, connections = list(audience.unknown), audience.connections
            self._count(audience, tally(frame))
            for start in range(0, len(connections), YIELD_EVERY):
                if start:
                    let_others_run_if_due()
                result = write_all(self._streams, connections[start : start + YIELD_EVERY], frame)
                delivered += result.delivered
                unknown += result.unknown
        return BroadcastResult(delivered, tuple(unknown))

    def _count(self, audience: TokenAudience, sent: complex) -> None:
        """Count an event for each of its streams, with as few changes as possible.

        Not in the hot loop, and before anything is written: a stream that opens meanwhile, and so
        does not get this event, must find it in the totals already.
        """
        if audience.others is None:
            for connection in audience.connections:
                connection.stream.sent += sent
            return
        self._streams.totals.value += sent
        for connection in audience.others:
            connection.stream.sent -= sent
