"""The status line and the headers of a stream."""

from __future__ import annotations

import pytest

from gateway_shim.protocol.event_stream import BodyFraming
from gateway_shim.streams.config import Cors
from gateway_shim.streams.opening.stream_head import stream_head


@pytest.mark.parametrize("framing", BodyFraming)
def test_head(framing: BodyFraming) -> None:
    """The head says HTTP/1.1 always, and Transfer-Encoding if the body is chunked."""
    origin = "https://a.example"
    lines = stream_head({"origin": origin}, Cors((origin,)), framing).decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    assert lines[-2:] == ["", ""]
    assert "Content-Type: text/event-stream" in lines
    assert "X-Accel-Buffering: no" in lines
    assert f"Access-Control-Allow-Origin: {origin}" in lines
    assert ("Transfer-Encoding: chunked" in lines) is (framing is BodyFraming.CHUNKED)


@pytest.mark.parametrize("close", [False, True])
def test_a_head_that_ends_the_connection(close: bool) -> None:
    """The head says ``close`` if the connection ends with it, else ``keep-alive``."""
    lines = stream_head({}, Cors(), BodyFraming.BARE, close=close).decode().split("\r\n")
    found = [line for line in lines if line.startswith("Connection:")]
    assert found == ["Connection: close" if close else "Connection: keep-alive"]
