"""What the whole gateway's tests do not show; see test_gateway.py."""

from __future__ import annotations

import socket
import time

import pytest

from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.callbacks.disconnects import Endings
from gateway_shim.streams.config import GatewayConfig
from gateway_shim.streams.drain import Farewells
from gateway_shim.streams.heartbeats import Heartbeats
from gateway_shim.streams.opening.admission import Admission
from gateway_shim.streams.opening.openings import Openings
from gateway_shim.streams.refusal_counts import RefusalCounts
from gateway_shim.streams.registry import Streams
from gateway_shim.streams.stats import GatewayStats
from tests.gateway_shim.fakes import FakeBackend


@pytest.mark.parametrize("with_farewell", [False, True])
def test_closed(with_farewell: bool) -> None:
    """Close, and nobody is asked: a stream is refused with 503, or gets its farewell alone."""
    backend, stats = FakeBackend(), GatewayStats()
    admission = Admission(None, None)
    streams = Streams(admission, Endings(backend, stats), stats)
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
        refusal = openings.open(StreamRequest("/x", {}, http_1_0=True), server)
        assert (refusal is None) is with_farewell
        server.close()
        answer = client.recv(65_536)
    assert answer.endswith(b"event: bye\ndata: \n\n") is with_farewell
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") is with_farewell
    if refusal is not None:
        assert refusal.status == 503
    assert (stats.refused, stats.opened, backend.calls) == (1, 0, [])
