"""Sends to one stream, by its token."""

from __future__ import annotations

from gateway_shim.errors import OutboxFull, UnknownToken, WriteFailed
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.results import SendStatus
from gateway_shim.streams.callbacks.backend_starts import BackendStarts
from gateway_shim.streams.registry import Streams
from gateway_shim.streams.sending.tally import tally

__all__ = ["send_to_token"]


def send_to_token(
    streams: Streams, starts: BackendStarts | None, token: str, frame: Frame | None, *, close: bool
) -> SendStatus:
    """Send to one stream: the event first, then the close. Does not wait for the client.

    Args:
        streams: the gateway's streams.
        starts: notes the send; None: the backend has no starts.
        token: the stream's token.
        frame: the event; None: no event.
        close: True if the stream ends after the event.

    Returns:
        BUFFERED if the stream is not open yet: the event is written when it opens.

    Raises:
        UnknownToken: no stream has the token.
        WriteFailed: the stream could not take the event, and ends.
    """
    connection = streams.by_token.get(token)
    if connection is None:
        raise UnknownToken(token)
    stream = connection.stream
    if starts is not None and stream.boot is not None:
        starts.sent(stream.boot)
    if stream.connecting:
        try:
            stream.hold(frame, close=close)
        except OutboxFull:
            raise WriteFailed(token) from None
        if streams.budget.exceeded:
            streams.relieve()
        return SendStatus.BUFFERED
    if frame is not None:
        if not streams.write(connection, frame):
            raise WriteFailed(token)
        stream.sent += tally(frame)
    if close and token in streams.by_token:  # at a log line, others may have closed it
        streams.close(connection)
    return SendStatus.OK
