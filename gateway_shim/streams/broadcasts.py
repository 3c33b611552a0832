"""Sends one event to many streams. The event is encoded once, and all streams get the same bytes.

:meth:`Broadcasts._write_all` is the hot loop of the whole program. A delivery needs one system
call, ``send``. The loop repeats every other step for each delivery, so it has few steps.
"""

from __future__ import annotations

from collections.abc import Sequence

from gevent.lock import BoundedSemaphore

from gateway_shim.errors import OutboxFull
from gateway_shim.event_loop.turns import YIELD_EVERY, let_others_run, let_others_run_if_due
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.lifecycle import StreamState
from gateway_shim.protocol.results import BroadcastResult
from gateway_shim.streams.connection import Connection
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
                result = self._write_all(connections[start : start + YIELD_EVERY], frame)
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

    def _write_all(self, connections: Sequence[Connection], frame: Frame) -> BroadcastResult:
        """Write an event to some streams. The hot loop.

        Returns:
            The number of streams that took the event, and the tokens of streams that have ended
            since the look-up.
        """
        streams = self._streams
        data, size = frame.chunked, len(frame.chunked)
        taken, ended = 0, []
        for connection in connections:
            sock = connection.direct
            if sock is None:
                stream = connection.stream
                if stream.state is StreamState.OPEN or stream.connecting:
                    taken += streams.write(connection, frame)
                else:
                    ended.append(stream.token)
                continue
            try:
                sent = sock.send(data)
                if sent != size:
                    connection.keep(data, sent)
                    if streams.budget.exceeded:
                        streams.relieve()
            except BlockingIOError:
                taken += streams.write(connection, frame)
            except (OSError, OutboxFull) as exc:
                streams.fail(connection, exc)
            else:
                taken += 1
        return BroadcastResult(taken, tuple(ended))
