"""The status line and the headers of a stream."""

from __future__ import annotations

import pytest

from gateway_shim.protocol.event_stream import BodyFraming
from gateway_shim.streams.config import Cors, GatewayConfig
from gateway_shim.streams.opening.stream_head import stream_head


@pytest.mark.parametrize("framing", BodyFraming)
def test_head(framing: BodyFraming) -> None:
    """The head says HTTP/1.1 always, and Transfer-Encoding if the body is chunked."""
    origin = "https://a.example"
    config = GatewayConfig(cors=Cors((origin,)))
    lines = stream_head({"origin": origin}, config, framing).decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    assert lines[-2:] == ["", ""]
    assert "Content-Type: text/event-stream" in lines
    assert "X-Accel-Buffering: no" in lines
    assert f"Access-Control-Allow-Origin: {origin}" in lines
    assert ("Transfer-Encoding: chunked" in lines) is (framing is BodyFraming.CHUNKED)


@pytest.mark.parametrize("close", [False, True])
def test_a_head_that_ends_the_connection(close: bool) -> None:
    """The head says ``close`` if the connection ends with it, else ``keep-alive``."""
    head = stream_head({}, GatewayConfig(), BodyFraming.BARE, close=close)
    lines = head.decode().split("\r\n")
    found = [line for line in lines if line.startswith("Connection:")]
    assert found == ["Connection: close" if close else "Connection: keep-alive"]


@pytest.mark.parametrize(("seconds", "text"), [(15, "15"), (0.5, "0.5"), (86_400_000, "86400000")])
def test_a_head_that_tells_the_heartbeat(seconds: float, text: str) -> None:
    """The head has the interval as a plain number, only if the gateway's settings say so."""
    config = GatewayConfig(heartbeat_interval=seconds, tells_heartbeat=True)
    lines = stream_head({}, config, BodyFraming.BARE).decode().split("\r\n")
    assert f"SSE-Heartbeat-Seconds: {text}" in lines
    assert b"SSE-Heartbeat" not in stream_head({}, GatewayConfig(), BodyFraming.BARE)
