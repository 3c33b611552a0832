"""The hot loop of the whole program: writes one event to many streams.

A delivery is one ``send``, and every other step of the loop is repeated for every delivery. An
entry of the log and an event without a log differ only where the kernel does not take all bytes.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway_shim.errors import OutboxFull
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.lifecycle import StreamState
from gateway_shim.protocol.results import BroadcastResult
from gateway_shim.streams.connection import Connection
from gateway_shim.streams.registry import Streams

__all__ = ["write_all"]


def write_all(
    streams: Streams, connections: Iterable[Connection], frame: Frame, position: int | None = None
) -> BroadcastResult:
    """Write an event to some streams, without letting others run.

    Args:
        streams: the gateway's streams.
        connections: the connections of the streams to write to. If this raises, an iterator stands
            at the first stream that was not written to.
        frame: the encoded event.
        position: the event's position in the log; None: the event is not in the log.

    Returns:
        The number of streams that took the event, and the tokens of streams that have ended
        since the look-up.
    """
    data, size = frame.chunked, len(frame.chunked)
    taken, ended = 0, []
    for connection in connections:
        sock = connection.direct
        if sock is None:
            if position is not None and connection.backlog is not None:
                taken += 1  # it is behind, and reads the log itself
                continue
            stream = connection.stream
            if stream.state is StreamState.OPEN or stream.connecting:
                taken += streams.write(connection, frame, position)
            else:
                ended.append(stream.token)
            continue
        try:
            sent = sock.send(data)
            if sent != size:
                if position is not None:
                    connection.fall_behind(position, data, sent)
                else:
                    connection.keep(data, sent)
                    if streams.budget.exceeded:
                        streams.relieve()
        except BlockingIOError:
            if position is not None:
                connection.fall_behind(position, data, 0)
                taken += 1
            else:
                taken += streams.write(connection, frame)
        except (OSError, OutboxFull) as exc:
            streams.fail(connection, exc)
        else:
            taken += 1
    return BroadcastResult(taken, tuple(ended))
