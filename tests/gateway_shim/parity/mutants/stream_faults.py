"""Deliberate faults of streams, sends and heartbeats."""

from __future__ import annotations

import re
from typing import Any

from gateway_shim.protocol import event_stream, http, routes
from gateway_shim.protocol.bodies import content_coding
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.routes import Route
from tests.gateway_shim.parity.mutants.fault_registry import FaultRegistry

__all__ = ["FAULTS"]

FAULTS = FaultRegistry()
"""The faults of streams, by name."""


@FAULTS.add
def none() -> None:
    """Change nothing: the control."""


@FAULTS.add
def wrong_header() -> None:
    """Allow caches to store a stream."""
    http.STREAM_HEADERS = tuple(  # type: ignore[assignment]
        (name, "no-store" if name == "Cache-Control" else value)
        for name, value in http.STREAM_HEADERS
    )


@FAULTS.add
def ignores_content_encoding() -> None:
    """Take a compressed body as it is."""
    content_coding.decode = lambda coding, body, limit: body


@FAULTS.add
def lost_newline() -> None:
    """Leave out the newline that ends an event."""
    encode = event_stream.encode
    event_stream.encode = lambda event, dialect: encode(event, dialect)[:-1]


@FAULTS.add
def splits_at_unicode_line_ends() -> None:
    """Split data at the line ends of ``str.splitlines``."""
    ends = re.compile("\r\n|[\r\n\u2028\x85\v]")
    event_stream._data_lines = lambda text: "".join(f"data: {line}\n" for line in ends.split(text))


@FAULTS.add
def no_cr_split() -> None:
    """Undo divergence 3: a lone CR does not end a line."""
    event_stream._LINE_END = re.compile("\n")


@FAULTS.add
def missing_final_chunk() -> None:
    """Leave out the chunk that ends a chunked body."""
    event_stream.LAST_CHUNK = b""


@FAULTS.add
def fifo_reversed() -> None:
    """Write buffered events in reverse order."""
    from gateway_shim.protocol.stream import Stream

    take_held = Stream.take_held
    Stream.take_held = lambda self: take_held(self)[::-1]  # type: ignore[method-assign]


@FAULTS.add
def phantom_event() -> None:
    """Undo divergence 4: a buffered send without an event writes an empty event."""
    from gateway_shim.protocol.stream import Stream

    hold = Stream.hold
    empty = event_stream.frame(b"data: \n\n")

    def hold_something(self: Stream, frame: Frame | None, *, close: bool) -> None:
        hold(self, frame or empty, close=close)

    Stream.hold = hold_something  # type: ignore[method-assign]


@FAULTS.add
def wrong_error_code() -> None:
    """Answer an unknown token with another error code."""
    error_body = http.error_body
    http.error_body = lambda code, message: error_body(
        "UNKNOWN_TOKEN" if code == "TOKEN_NOT_FOUND" else code, message
    )


@FAULTS.add
def buffered_says_ok() -> None:
    """Answer a buffered send as if the gateway had written it."""
    compact_json = http.compact_json
    http.compact_json = lambda value: compact_json(
        {"status": "ok"} if value == {"status": "buffered"} else value
    )


@FAULTS.add
def no_cors() -> None:
    """Leave out the CORS headers of every answer."""
    from gateway_shim.streams.config import Cors

    Cors.headers = lambda self, request_headers: ()  # type: ignore[method-assign]


@FAULTS.add
def body_limit_off_by_one() -> None:
    """Refuse the largest body that is allowed."""
    http.MAX_BODY_BYTES -= 1


@FAULTS.add
def health_is_case_sensitive() -> None:
    """Take ``/HEALTHZ`` for the path of a stream."""
    route = routes.route

    def strict(method: str, target: str) -> Route:
        found = route(method, target)
        return Route.STREAM if found is Route.HEALTH and target != target.lower() else found

    routes.route = strict


@FAULTS.add
def head_calls_the_backend() -> None:
    """Undo divergence 5: HEAD opens a stream."""
    route = routes.route
    routes.route = lambda method, target: route(
        "GET" if method == "HEAD" and target != "/healthz" else method, target
    )


@FAULTS.add
def no_heartbeat() -> None:
    """Send no heartbeats."""
    from gateway_shim.streams.heartbeats import Heartbeats

    Heartbeats.add = lambda self, connection: None  # type: ignore[method-assign]


@FAULTS.add
def slow_heartbeat() -> None:
    """Lengthen the heartbeat interval by half."""
    from gateway_shim.streams.heartbeats import Heartbeats

    add = Heartbeats.add

    def late(self: Heartbeats, connection: Any) -> None:
        self._interval = 1.5
        add(self, connection)

    Heartbeats.add = late  # type: ignore[method-assign]
