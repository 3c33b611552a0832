"""Serves everything that browsers and health checks do not need at the admin address only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from app.access.exposure import Area
from app.access.listening_addresses import arrived_at
from app.frontend.client_files import CLIENT_PATHS
from app.serving.backend_runtime import STREAM_PATH
from gateway_shim.protocol import http, routes
from gateway_shim.protocol.http import ErrorCode
from gateway_shim.protocol.routes import Route
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["AdminGate"]


_HEALTH_FOLDER = "/health/"
_PATHS = {Area.TASKS: ("/api/tasks",), Area.METRICS: ("/metrics", "/api/gateway")}


class AdminGate:
    """A WSGI middleware that answers 404 to requests at any other address than the admin address.

    Requests for streams do not reach this middleware, because the worker has already taken them.
    Browsers send a preflight request (OPTIONS) before they open a stream of another origin. This
    middleware passes such a preflight request on. The browser client is served wherever the stream
    is.

    Args:
        application: the application that is guarded.
        address: host and port of the admin address.
        areas: the areas that are served at every address (``ALLOW_OPEN``).
        refusals: counts the refused requests; None: a private counter.
    """

    never_reads_bodies = True
    """This middleware never reads a request body itself (app/access/body_limits.py)."""

    def __init__(
        self,
        application: WSGIApplication,
        address: tuple[str, int],
        areas: frozenset[Area] = frozenset(),
        refusals: RefusalCounts | None = None,
    ) -> None:
        self.application = application
        self._refusals = refusals or RefusalCounts()
        self._address = address
        self._open_paths = (*CLIENT_PATHS, *(path for area in areas for path in _PATHS[area]))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        path = environ["PATH_INFO"]
        if path.lower().startswith(_HEALTH_FOLDER):  # each health check has a second path there
            path = path[len(_HEALTH_FOLDER) - 1 :]
        method = environ["REQUEST_METHOD"]
        is_preflight = method == "OPTIONS"
        route = routes.route("GET" if is_preflight else method, path)
        is_open = route in (Route.HEALTH, Route.READY) or (is_preflight and path == STREAM_PATH)
        is_open = is_open or any(path == p or path.startswith(f"{p}/") for p in self._open_paths)
        if is_open or arrived_at(environ) == self._address:
            return self.application(environ, start_response)
        self._refusals.add(RefusalReason.NOT_OPEN)
        body = http.error_body(ErrorCode.NOT_FOUND, "Not found")
        headers = [
            ("Content-Type", http.JSON_CONTENT_TYPE),
            ("Content-Length", str(len(body))),
        ]
        start_response("404 Not Found", headers)
        return [body]
