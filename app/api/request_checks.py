"""The checks of every request for the backend's own routes, before its view runs.

Routes that a deployment adds to the application are not checked.
"""

from __future__ import annotations

import logging

from flask import Flask, request
from werkzeug.exceptions import UnsupportedMediaType

from app.access.exposure import Area, OpenAreas
from app.access.listening_addresses import arrived_at
from app.access.request_guard import RequestGuard
from app.access.requested_host import with_requested_host
from app.api.json_body import require_json
from app.errors import NotFound
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason

__all__ = ["register_request_checks"]

logger = logging.getLogger(__name__)

_OWN = frozenset({"sse", "tasks", "metrics", "gateway", "testing"})
"""The blueprints whose requests are checked. Health checks are not among them: a probe may use any
host name."""

_AREAS = {"tasks": Area.TASKS, "testing": Area.TASKS, "metrics": Area.METRICS}

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_STREAMS = frozenset({"testing.stream_logs"})  # requests for the other streams do not reach Flask
_OWN_JSON_CHECK = "gateway.send"  # its answers are those of the gateway contract


def register_request_checks(
    app: Flask, guard: RequestGuard, areas: OpenAreas, refusals: RefusalCounts
) -> None:
    """Register the checks of requests for an application's own routes.

    Args:
        app: the application.
        guard: checks the host and the origin.
        areas: the parts of the API that are served at each address.
        refusals: counts the refused requests of the process.
    """
    logged: set[Area] = set()

    def check_area(area: Area, listener: tuple[str, int] | None) -> None:
        if areas.is_open(area, *(listener or ("", 0))):
            return
        refusals.add(RefusalReason.NOT_OPEN)
        if area not in logged:  # logged once, because the setting does not change
            logged.add(area)
            extra = {"area": area.value, "path": request.path, "address": request.remote_addr}
            logger.warning("not served at this address; see ADMIN_BIND and ALLOW_OPEN", extra=extra)
        raise NotFound(f"There is nothing at {request.path}")

    @app.before_request
    def check() -> None:
        blueprint = request.blueprint
        if blueprint not in _OWN:
            return
        listener = arrived_at(request.environ)
        if blueprint in _AREAS:
            check_area(_AREAS[blueprint], listener)
        client = request.remote_addr or ""
        header = with_requested_host(request.environ.get("RAW_URI", ""), request.headers.get)
        guard.check_host(header, listener[0] if listener else None, client)
        is_write = request.method in _WRITES
        if is_write or (request.endpoint in _STREAMS and request.method == "GET"):
            guard.check_site(header, client)
        if is_write and request.endpoint != _OWN_JSON_CHECK:
            try:
                require_json()
            except UnsupportedMediaType:
                refusals.add(RefusalReason.NOT_JSON)
                raise
