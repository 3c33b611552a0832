"""The health checks: ``/healthz`` (the process is alive), ``/readyz`` (it accepts new work).

Both also exist below ``/health``, where the original backend has them.
"""

from __future__ import annotations

from dependency_injector.wiring import Provide
from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from app.api.injection import inject
from app.container import ServiceContainer
from app.lifecycle import ShutdownCoordinator
from app.services.remote_gateway.readiness import GatewayReadiness

__all__ = ["blueprint"]

blueprint = Blueprint("health", __name__)

# The answer of a health check is valid only at this moment.
_HEADERS = {"Cache-Control": "no-store"}


@blueprint.get("/healthz")
@blueprint.get("/health/healthz")
def healthz() -> ResponseReturnValue:
    """Answer 200, also during the shutdown: the process is alive."""
    return jsonify(status="ok"), 200, _HEADERS


@blueprint.get("/readyz")
@blueprint.get("/health/readyz")
@inject
def readyz(
    coordinator: ShutdownCoordinator = Provide[ServiceContainer.shutdown_coordinator],
    gateway: GatewayReadiness = Provide[ServiceContainer.gateway_readiness],
) -> ResponseReturnValue:
    """Answer 200 if requests should be sent here, else 503.

    It is 503 from the beginning of the shutdown, and while the gateway at ``SSE_GATEWAY_URL`` is
    not ready, and while Redis (``SSE_BUS_URL``) is away or this server does not have its events.
    """
    problem = gateway.problem() if not coordinator.is_shutting_down() else None
    # Checked again, because the shutdown may have begun while the gateway was asked.
    if coordinator.is_shutting_down():
        problem = "The server is shutting down"
    if problem is not None:
        return jsonify(status="not_ready", error=problem), 503, _HEADERS
    return jsonify(status="ready"), 200, _HEADERS
