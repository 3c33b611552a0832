"""The readiness of the gateway that serves the streams, and of Redis behind it."""

from __future__ import annotations

from typing import Protocol

from app.config import Settings

__all__ = ["GatewayReadiness", "gateway_readiness"]


class GatewayReadiness(Protocol):
    """The readiness of a gateway. Its method may block cooperatively; it never raises."""

    def problem(self) -> str | None:
        """Return why the gateway is not ready, in one sentence; None if it is ready."""
        ...


def gateway_readiness(settings: Settings, bus: GatewayReadiness) -> GatewayReadiness:
    """Return the readiness of the gateway that the settings name.

    Args:
        settings: the settings.
        bus: the readiness of the gateway in this process, which depends on Redis if there is one.
    """
    if settings.sse_gateway_url is None:
        return bus
    # Not at the top: importing the HTTP client takes 80 ms, and few servers need it.
    from app.services.remote_gateway.remote_readiness import RemoteGateway

    return RemoteGateway(settings.sse_gateway_url)
