"""Connections to scripted servers on loopback, for the tests of ``SSEConnection``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from app.watch.connection import SSEConnection, StreamLost
from app.watch.decoder import ServerEvent
from tests.support.http.client import Head
from tests.support.timing import TIME_LIMIT

EVENT = b"event: a\ndata: 1\n\n"


def connection_to(port: int, idle_seconds: float = TIME_LIMIT) -> SSEConnection:
    """Make a connection to a server on loopback, not opened yet."""
    return SSEConnection(f"http://127.0.0.1:{port}/s?request_id=me", idle_seconds=idle_seconds)


def events_of(connection: SSEConnection) -> Iterator[ServerEvent]:
    """Yield each event of an open stream."""
    return chain.from_iterable(connection.pieces())


def read_to_end(connection: SSEConnection) -> tuple[list[ServerEvent], str]:
    """Return the events of an open stream, and the reason for its end; empty for a clean end."""
    events: list[ServerEvent] = []
    try:
        for event in events_of(connection):
            events.append(event)
    except StreamLost as exc:
        return events, str(exc)
    return events, ""


def headers(request: bytes) -> Head:
    """Parse the headers of a request, for look-ups like those of an answer."""
    lines = request.removesuffix(b"\r\n\r\n").split(b"\r\n")
    return Head.parse(b"\r\n".join([b"HTTP/1.1 200 -", *lines[1:]]))
