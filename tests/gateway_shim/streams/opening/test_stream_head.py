"""Status line and headers of a stream."""

from __future__ import annotations

import pytest

from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.config import Cors
from gateway_shim.streams.opening.stream_head import stream_head


@pytest.mark.parametrize("http_1_0", [False, True])
def test_head(http_1_0: bool) -> None:
    """Chunked for HTTP/1.1 only, HTTP/1.1 in the status line always, CORS for the origin."""
    origin = "https://a.example"
    request = StreamRequest("/x", {"origin": origin}, http_1_0=http_1_0)
    lines = stream_head(request, Cors((origin,))).decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    assert lines[-2:] == ["", ""]
    assert "Content-Type: text/event-stream" in lines
    assert "X-Accel-Buffering: no" in lines
    assert f"Access-Control-Allow-Origin: {origin}" in lines
    assert ("Transfer-Encoding: chunked" in lines) is not http_1_0


@pytest.mark.parametrize("close", [False, True])
def test_a_head_that_ends_the_connection(close: bool) -> None:
    """It says so in the place of what a stream says."""
    lines = stream_head(StreamRequest("/x", {}), Cors(), close=close).decode().split("\r\n")
    said = [line for line in lines if line.startswith("Connection:")]
    assert said == ["Connection: close" if close else "Connection: keep-alive"]
