"""``/healthz``: the process answers; ``/readyz``: it takes new work."""

from __future__ import annotations

from dependency_injector.wiring import Provide, inject
from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from app.services.container import ServiceContainer
from app.utils.shutdown_coordinator import ShutdownCoordinator

__all__ = ["blueprint"]

blueprint = Blueprint("health", __name__)

# A probe's answer is about this moment.
_HEADERS = {"Cache-Control": "no-store"}


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Say that the process is alive: 200 always, shutting down or not."""
    return jsonify(status="ok"), 200, _HEADERS


@blueprint.get("/readyz")
@inject
def readyz(
    coordinator: ShutdownCoordinator = Provide[ServiceContainer.shutdown_coordinator],
) -> ResponseReturnValue:
    """Say whether requests should be sent here: 503 from the beginning of the shutdown on."""
    if coordinator.is_shutting_down():
        body = jsonify(status="not_ready", error="The server is shutting down")
        return body, 503, _HEADERS
    return jsonify(status="ready"), 200, _HEADERS
