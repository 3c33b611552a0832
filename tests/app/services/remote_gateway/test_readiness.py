"""The readiness of the gateway that serves the streams."""

from __future__ import annotations

from app.config import Settings
from app.services.bus.bus import NoBus
from app.services.remote_gateway.readiness import gateway_readiness
from app.services.remote_gateway.remote_readiness import RemoteGateway


def test_the_settings_select_the_gateway() -> None:
    """Without SSE_GATEWAY_URL, the gateway of this process is as ready as its way to others."""
    bus = NoBus()
    assert gateway_readiness(Settings(_env_file=None), bus) is bus
    assert bus.problem() is None
    other = gateway_readiness(Settings(_env_file=None, sse_gateway_url="http://h:3000"), bus)
    assert isinstance(other, RemoteGateway)
