"""A stream of one event: a refusal, or a farewell, in a form that browsers understand."""

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
    """Write the head, the event and the end of a stream. Call this after REJECT.

    Args:
        connection: the connection of the rejected stream.
        sock: the server's socket, which is taken over.
        head: the status line and the headers.
        frame: the event.
        heartbeats: limit the time that the client may take to read the event.
    """
    stream = connection.stream
    connection.take_over(sock)
    heartbeats.add(connection)
    try:
        connection.finish(head + stream.bytes_of(frame) + stream.last_bytes)
    except ClientGone:
        connection.abort()
