"""The readiness of the gateway that serves the streams."""

from __future__ import annotations

from app.config import Settings
from app.services.remote_gateway.readiness import OwnGateway, gateway_readiness
from app.services.remote_gateway.remote_readiness import RemoteGateway


def test_the_settings_select_the_gateway() -> None:
    """Without SSE_GATEWAY_URL, the gateway of this process is always ready."""
    own = gateway_readiness(Settings(_env_file=None))
    assert isinstance(own, OwnGateway)
    assert own.problem() is None
    other = gateway_readiness(Settings(_env_file=None, sse_gateway_url="http://h:3000"))
    assert isinstance(other, RemoteGateway)
