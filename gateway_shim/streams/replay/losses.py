"""The streams of a process that has lost entries of the log."""

from __future__ import annotations

from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.lifecycle import StreamState
from gateway_shim.streams.registry import Streams
from gateway_shim.streams.replay.backlog import Backlog, BacklogLog
from gateway_shim.streams.replay.pump import Pump

__all__ = ["put_behind", "restart_all"]


def put_behind(streams: Streams, log: BacklogLog, pump: Pump) -> None:
    """Let all live streams read the log themselves, so that each finds out what it has missed.

    Args:
        streams: the streams of this process.
        log: the log, with ``completed`` at the last entry that the live streams have got.
        pump: writes to streams that are behind.
    """
    for connection in streams.by_token.values():
        if connection.backlog is None and connection.stream.state is StreamState.OPEN:
            connection.set_backlog(Backlog(log, connection.stream, log.completed))
            pump.add(connection)


def restart_all(streams: Streams, log: BacklogLog, pump: Pump, event: Frame) -> int:
    """Tell all streams that a new epoch has begun, and let them go on there.

    Args:
        streams: the streams of this process.
        log: the log, with ``completed`` in the new epoch.
        pump: writes to streams that are behind.
        event: the event that says so.

    Returns:
        The number of streams that get the event.
    """
    told = 0
    for connection in streams.all():
        is_open = connection.stream.state is StreamState.OPEN
        connection.told = -1  # positions of the old epoch say nothing
        if is_open:
            told += 1
            if connection.backlog is None:
                connection.set_backlog(Backlog(log, connection.stream, log.completed))
        if isinstance(connection.backlog, Backlog):
            connection.backlog.restart(event if is_open else None)
            pump.add(connection)
    return told
