"""The bare server, to which connects are compared."""

from __future__ import annotations

from app.bench.bursts import CROWD, open_streams
from app.bench.clients.helper import Helper
from app.bench.measured.bare_server import bare_server


def test_bare_server() -> None:
    """It opens what the clients take for streams, keeps them, and closes them when it is asked."""
    with bare_server() as server, Helper(CROWD) as crowd:
        assert open_streams(crowd, server.port, 20) > 0
        crowd.call("read", frames=0, seconds=0.05)  # would fail if a stream had ended
        assert server.request("GET", "/healthz") == (200, b"")
        assert open_streams(crowd, server.port, 5) > 0
