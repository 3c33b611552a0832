"""The readiness of the gateway that serves the streams."""

from __future__ import annotations

from typing import Protocol

from app.config import Settings

__all__ = ["GatewayReadiness", "OwnGateway", "gateway_readiness"]


class GatewayReadiness(Protocol):
    """The readiness of a gateway. Its method may block cooperatively; it never raises."""

    def problem(self) -> str | None:
        """Return why the gateway is not ready, in one sentence; None if it is ready."""
        ...


def gateway_readiness(settings: Settings) -> GatewayReadiness:
    """Return the readiness of the gateway that the settings name."""
    if settings.sse_gateway_url is None:
        return OwnGateway()
    # Not at the top: importing the HTTP client takes 80 ms, and few servers need it.
    from app.services.remote_gateway.remote_readiness import RemoteGateway

    return RemoteGateway(settings.sse_gateway_url)


class OwnGateway:
    """The readiness of the gateway in this process, which is always ready."""

    def problem(self) -> str | None:
        """Return None (:class:`GatewayReadiness`)."""
        return None
