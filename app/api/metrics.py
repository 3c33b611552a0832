"""The figures for operators: ``GET /metrics`` for Prometheus, ``GET /api/gateway`` for people."""

from __future__ import annotations

from dependency_injector.wiring import Provide
from flask import Blueprint, Response

from app.api.costly import costly
from app.api.injection import inject
from app.config import Settings
from app.container import ServiceContainer
from app.errors import NotFound
from app.services.metrics.gateway_states import GatewayStates
from app.services.metrics.server_metrics import ServerMetrics
from app.services.metrics_service import CONTENT_TYPE

__all__ = ["blueprint"]

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@costly
@inject
def metrics(service: ServerMetrics = Provide[ServiceContainer.server_metrics]) -> Response:
    """Return the metrics of the server as text."""
    return Response(service.render(), content_type=CONTENT_TYPE)


@blueprint.get("/api/gateway")
@inject
def gateway_state(
    settings: Settings = Provide[ServiceContainer.settings],
    states: GatewayStates = Provide[ServiceContainer.gateway_states],
) -> Response:
    """Return the streams, the counters and the log of the gateway in this server."""
    if settings.sse_gateway_url is not None:
        raise NotFound(
            "The streams are in another process, because SSE_GATEWAY_URL is set; this server has"
            " no gateway"
        )
    answer = states.read()
    # A server with one worker does not mention workers.
    text = answer.model_dump_json(exclude={"workers"} if answer.workers is None else None)
    headers = {"Cache-Control": "no-store"}  # it is valid only at this moment
    return Response(text, mimetype="application/json", headers=headers)
