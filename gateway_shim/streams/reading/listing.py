"""Lists the streams of a gateway: who is connected, and what was sent to each.

Nothing is counted for this list while an event is delivered to many streams: the totals of the
gateway count it once (:class:`~gateway_shim.streams.sending.tally.Totals`). So the list costs a
stream one number of 32 bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.protocol.lifecycle import StreamState
from gateway_shim.protocol.stream_request import address_and_url
from gateway_shim.streams.connection import Connection
from gateway_shim.streams.registry import Streams
from gateway_shim.streams.replay.backlog import Backlog

__all__ = ["Condition", "StreamInfo", "list_streams"]


class Condition(StrEnum):
    """The state of a stream, as far as people need to know it."""

    CONNECTING = "connecting"
    """The backend is being asked whether the stream may open."""
    OPEN = "open"
    """The stream has everything that was sent."""
    BEHIND = "behind"
    """The client has not taken everything yet."""
    CLOSING = "closing"
    """The server has ended the stream. The client gets the last bytes."""


class StreamInfo(NamedTuple):
    """One stream, as it was when the list was made.

    Args:
        token: the stream's token.
        url: the request target, shortened if it is very long.
        address: the client's address; empty if it is unknown.
        condition: the state of the stream.
        events: the events that were sent since the stream has opened, replayed events included.
            Each is counted once: an event of the log when the kernel has its last byte, any other
            one when it is sent. An event that is being delivered to many streams counts at the
            end (with a log) or from the beginning (without one), and a stream that opens in the
            middle of such a delivery may count one event too few. None while the stream is closing.
        sent: the bytes of these events that the kernel has taken, as chunks of a chunked body. The
            head of the answer, heartbeats, and the field ``retry`` of the first event are not
            counted; a body without chunks gets a few bytes less for each event. None while the
            stream is closing.
        events_behind: the events of the log that follow the stream's place. Those for other streams
            are included, so the stream itself gets at most this number. None: there is no log.
        bytes_behind: the bytes that wait for the client. With a log, the events for other streams
            are included, so these are the most bytes that may wait.
    """

    token: str
    url: str
    address: str
    condition: Condition
    events: int | None
    sent: int | None
    events_behind: int | None
    bytes_behind: int


def list_streams(
    streams: Streams, bytes_after: Callable[[int], int] | None = None
) -> list[StreamInfo]:
    """Return what is known of each stream, oldest first. Other greenlets run meanwhile.

    A stream that opens meanwhile is not in the list; one that ends meanwhile may be.

    Args:
        streams: the gateway's streams.
        bytes_after: returns the bytes of the log that follow a position; None: there is no log.
    """
    found = []
    for connection in streams.all():
        found.append(_info(streams, connection, bytes_after))
        let_others_run_if_due()
    return found


def _info(
    streams: Streams, connection: Connection, bytes_after: Callable[[int], int] | None
) -> StreamInfo:
    stream, backlog = connection.stream, connection.backlog
    address, url = address_and_url(stream.request)
    sent, events_behind, waiting = stream.sent, 0, connection.buffered
    if isinstance(backlog, Backlog) and bytes_after is not None:
        events_behind = backlog.events_behind
        log_bytes = bytes_after(backlog.position) - backlog.written
    elif stream.state is StreamState.OPEN:
        sent, log_bytes = sent + streams.totals.value, 0
    else:
        log_bytes = 0
    is_closing = stream.state is not StreamState.OPEN and not stream.connecting
    # The head of an answer may wait, too, and is not counted as sent.
    taken = max(int(sent.imag) - waiting, 0)
    return StreamInfo(
        stream.token,
        url,
        address,
        _condition(connection),
        None if is_closing else round(sent.real),
        None if is_closing else taken,
        None if bytes_after is None else events_behind,
        waiting + max(log_bytes, 0),
    )


def _condition(connection: Connection) -> Condition:
    stream, backlog = connection.stream, connection.backlog
    if stream.connecting:
        return Condition.CONNECTING
    if stream.state is not StreamState.OPEN:
        return Condition.CLOSING
    if backlog is None or (isinstance(backlog, Backlog) and backlog.caught_up):
        return Condition.OPEN
    return Condition.BEHIND
