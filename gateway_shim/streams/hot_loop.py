"""The hot loop of the whole program: writes one event to many streams.

A delivery is one ``send``, or one ``write`` to a TLS session, and every other step of the loop is
repeated for every delivery. An entry of the log and an event without a log differ only where the
kernel does not take all bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway_shim.errors import OutboxFull
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.lifecycle import StreamState
from gateway_shim.protocol.results import BroadcastResult
from gateway_shim.streams.connection import Connection
from gateway_shim.streams.registry import Streams
from gateway_shim.streams.sockets.tls_session import RECORD_BYTES, WOULD_BLOCK

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
    session: Any = None
    for connection in connections:
        sock = connection.direct
        if sock is None and (session := connection.direct_session) is None:
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
            if sock is not None:
                sent = sock.send(data)
            elif size <= RECORD_BYTES:
                sent = session.write(data)
            else:
                sent = connection.send_records(data)
            if sent != size and (sent := connection.go_on(data, sent)) != size:
                if position is not None:
                    connection.fall_behind(position, data, sent)
                else:
                    connection.keep(data, sent)
                    if streams.budget.exceeded:
                        streams.relieve()
        except WOULD_BLOCK:
            if position is not None:
                connection.fall_behind(position, data, connection.go_on(data, 0))
                taken += 1
            else:
                taken += streams.write(connection, frame)
        except (OSError, OutboxFull) as exc:
            streams.fail(connection, exc)
        else:
            taken += 1
    return BroadcastResult(taken, tuple(ended))
