"""A stream that holds one event and then ends: a refusal that browsers understand."""

from __future__ import annotations

import socket

from gateway_shim.errors import ClientGone
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.streams.connection import Connection
from gateway_shim.streams.heartbeats import Heartbeats

__all__ = ["answer_in_stream"]


def answer_in_stream(
    connection: Connection,
    sock: socket.socket,
    head: bytes,
    frame: Frame,
    heartbeats: Heartbeats,
) -> None:
    """Write head, event and end of a stream that has been refused.

    Args:
        connection: the refused stream's.
        sock: its socket, which is taken over.
        head: status line and headers.
        frame: the event.
        heartbeats: bound the time that the client may take to read it.
    """
    stream = connection.stream
    connection.take_over(sock)
    heartbeats.add(connection)
    try:
        connection.finish(head + stream.bytes_of(frame) + stream.last_bytes)
    except ClientGone:
        connection.abort()
