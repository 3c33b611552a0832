"""``/healthz``: the process answers; ``/readyz``: it takes new work.

Both exist below ``/health`` too, where the original backend has them.
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

# A probe's answer is about this moment.
_HEADERS = {"Cache-Control": "no-store"}


@blueprint.get("/healthz")
@blueprint.get("/health/healthz")
def healthz() -> ResponseReturnValue:
    """Say that the process is alive: 200 always, shutting down or not."""
    return jsonify(status="ok"), 200, _HEADERS


@blueprint.get("/readyz")
@blueprint.get("/health/readyz")
@inject
def readyz(
    coordinator: ShutdownCoordinator = Provide[ServiceContainer.shutdown_coordinator],
    gateway: GatewayReadiness = Provide[ServiceContainer.gateway_readiness],
) -> ResponseReturnValue:
    """Say whether requests should be sent here.

    503 from the beginning of the shutdown on, and while the gateway at ``SSE_GATEWAY_URL`` is
    not ready.
    """
    problem = gateway.problem() if not coordinator.is_shutting_down() else None
    if coordinator.is_shutting_down():  # asked again: it may have begun while the gateway was asked
        problem = "The server is shutting down"
    if problem is not None:
        return jsonify(status="not_ready", error=problem), 503, _HEADERS
    return jsonify(status="ready"), 200, _HEADERS
