"""The figures for operators: ``GET /metrics`` for Prometheus, ``GET /api/gateway`` for people."""

from __future__ import annotations

from dependency_injector.wiring import Provide
from flask import Blueprint, Response

from app.api.costly import costly
from app.api.injection import inject
from app.config import Settings
from app.container import ServiceContainer
from app.errors import NotFound
from app.schemas.gateway_schema import GatewayStateResponse, LogState
from app.services.gateway_collector import GatewayCounters
from app.services.metrics_service import CONTENT_TYPE, MetricsService
from gateway_shim.event_log.log import LogStats
from gateway_shim.streams.gateway import Gateway
from gateway_shim.streams.refusal_counts import RefusalCounts

__all__ = ["blueprint"]

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@costly
@inject
def metrics(service: MetricsService = Provide[ServiceContainer.metrics_service]) -> Response:
    """Return all metrics as text."""
    return Response(service.render(), content_type=CONTENT_TYPE)


@blueprint.get("/api/gateway")
@inject
def gateway_state(
    settings: Settings = Provide[ServiceContainer.settings],
    gateway: Gateway = Provide[ServiceContainer.gateway],
    refusals: RefusalCounts = Provide[ServiceContainer.refusals],
) -> Response:
    """Return the streams, the counters and the log of the gateway in this process."""
    if settings.sse_gateway_url is not None:
        raise NotFound(
            "The streams are in another process, because SSE_GATEWAY_URL is set; this server has"
            " no gateway"
        )
    last_event_id = gateway.last_event_id
    stats = gateway.read_stats()
    log = None if stats.log is None else _log_state(stats, stats.log, last_event_id)
    answer = GatewayStateResponse(
        streams=stats.active,
        pending_connects=stats.pending_connects,
        bytes_buffered=stats.bytes_buffered,
        opened=stats.opened,
        refused=stats.refused,
        closed=stats.closed,
        slow_consumers_ended=stats.slow_consumers_ended,
        heartbeats=stats.heartbeats,
        callbacks_failed=stats.callbacks_failed,
        requests_refused=refusals.by_reason,
        log=log,
    )
    headers = {"Cache-Control": "no-store"}  # it is valid only at this moment
    return Response(answer.model_dump_json(), mimetype="application/json", headers=headers)


def _log_state(stats: GatewayCounters, log: LogStats, last_event_id: str | None) -> LogState:
    return LogState(
        last_event_id=last_event_id,
        oldest_position=log.oldest,
        newest_position=log.newest,
        bytes=log.size,
        oldest_age_seconds=round(log.oldest_age, 3),
        in_memory=log.in_memory,
        resyncs=stats.resyncs,
        joiners=stats.joiners,
        streams_behind=stats.streams_behind,
        behind_bytes=stats.bytes_behind,
    )
