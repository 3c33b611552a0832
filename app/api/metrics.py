"""``GET /metrics``: the metrics for Prometheus."""

from __future__ import annotations

from dependency_injector.wiring import Provide
from flask import Blueprint, Response

from app.api.costly import costly
from app.api.injection import inject
from app.container import ServiceContainer
from app.services.metrics_service import CONTENT_TYPE, MetricsService

__all__ = ["blueprint"]

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@costly
@inject
def metrics(service: MetricsService = Provide[ServiceContainer.metrics_service]) -> Response:
    """Return all metrics as text."""
    return Response(service.render(), content_type=CONTENT_TYPE)
