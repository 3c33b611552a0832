"""Streams that open: their callback, their head, and their first bytes."""

from __future__ import annotations

import re
import socket
import time

import pytest

from gateway_shim.protocol import event_stream
from gateway_shim.protocol.event_stream import BodyFraming, Dialect, Event
from gateway_shim.protocol.http import Refusal
from gateway_shim.protocol.results import OpenResult
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.callbacks.disconnects import Disconnects
from gateway_shim.streams.config import Cors, GatewayConfig
from gateway_shim.streams.drain import Farewells
from gateway_shim.streams.heartbeats import Heartbeats
from gateway_shim.streams.opening.admission import Admission
from gateway_shim.streams.opening.openings import Openings
from gateway_shim.streams.refusal_counts import RefusalCounts
from gateway_shim.streams.registry import Streams
from gateway_shim.streams.stats import GatewayStats
from tests.gateway_shim.fakes import FakeBackend
from tests.gateway_shim.running_gateway import RunningGateway
from tests.support.http.message import Ended
from tests.support.http.sse_parser import SSEEvent
from tests.support.timing import wait_until

HEADERS = {"host": "gw.example", "cookie": "a=b; c=d", "x-latin": "\xe9"}
STREAM_HEADERS = [
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache"),
    ("Connection", "keep-alive"),
    ("X-Accel-Buffering", "no"),
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
    ("Access-Control-Allow-Headers", "Content-Type, Cache-Control"),
]
CHUNKED = ("Transfer-Encoding", "chunked")


def without_date(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers without Date, which must be first and in the form of RFC 9110."""
    (name, value), *rest = headers
    assert name == "Date"
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", value)
    return rest


def test_head_and_callback(running: RunningGateway) -> None:
    """The backend gets the token, raw target and headers; the head is the contract's."""
    token, stream = running.open("/a//b/../c?x=%20", headers=HEADERS)
    request = {"url": "/a//b/../c?x=%20", "headers": HEADERS}
    assert running.backend.calls == [{"action": "connect", "token": token, "request": request}]
    assert (stream.head.version, stream.head.status, stream.head.reason) == ("1.1", 200, "OK")
    assert without_date(stream.head.headers) == [*STREAM_HEADERS, CHUNKED]
    assert stream.poll().raw == b""
    assert running.stats.active == running.stats.opened == 1


def test_bare_body(running: RunningGateway) -> None:
    """An HTTP/1.0 client gets bare bytes until the connection is closed."""
    token, stream = running.open(framing=BodyFraming.BARE)
    assert without_date(stream.head.headers) == STREAM_HEADERS
    running.gateway.send(token, Event("n", "1"), close=True)
    assert stream.wait_for_end() is Ended.CLEAN
    assert (stream.raw, stream.chunks) == (b"event: n\ndata: 1\n\n", [])


@pytest.mark.parametrize(
    ("framing", "chunks"),
    [(BodyFraming.CHUNKED, [event_stream.READY.bare]), (BodyFraming.BARE, [])],
)
def test_envelope_says_ready(framing: BodyFraming, chunks: list[bytes]) -> None:
    """The envelope dialect writes its ready event as soon as the stream is open."""
    with RunningGateway(dialect=Dialect.ENVELOPE) as running:
        token, stream = running.open(framing=framing)
        wait_until(lambda: stream.poll().raw, "the first bytes")
        assert (stream.raw, stream.chunks) == (b"event: ready\ndata:\n\n", chunks)
        running.gateway.send(token, Event("n", "{}"))
        assert stream.wait_for("message") == SSEEvent("message", '{"type":"n","payload":{}}')


def test_cors_of_one_origin() -> None:
    """The head of a stream names the origin that may read the stream."""
    with RunningGateway(cors=Cors(("https://a.example",))) as running:
        _, stream = running.open(headers={"origin": "https://a.example"})
        assert without_date(stream.head.headers) == [
            *STREAM_HEADERS[:4],
            ("Access-Control-Allow-Origin", "https://a.example"),
            *STREAM_HEADERS[5:],
            ("Access-Control-Allow-Credentials", "true"),
            ("Vary", "Origin"),
            CHUNKED,
        ]


@pytest.mark.parametrize("with_farewell", [False, True])
def test_closed(with_farewell: bool) -> None:
    """After a close the backend is not asked: a request gets a 503, or a farewell alone."""
    backend, stats = FakeBackend(), GatewayStats()
    admission = Admission(None, None)
    streams = Streams(admission, Disconnects(backend, stats), stats)
    openings = Openings(
        backend,
        GatewayConfig(),
        streams,
        admission,
        Heartbeats(15, streams.beat, time.monotonic),
        stats,
        RefusalCounts(),
        new_token=lambda: "t",
    )
    openings.close(Farewells(b"event: bye\ndata: \n\n", 1, 10.0) if with_farewell else None)
    client, server = socket.socketpair()
    with client, server:
        result = openings.open(StreamRequest("/x", {}, framing=BodyFraming.BARE), server)
        assert (result is OpenResult.DRAINING) is with_farewell
        server.close()
        answer = client.recv(65_536)
    assert answer.endswith(b"event: bye\ndata: \n\n") is with_farewell
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") is with_farewell
    if not with_farewell:
        assert isinstance(result, Refusal)
        assert result.status == 503
    assert (stats.refused, stats.opened, backend.calls) == (1, 0, [])
