"""The WSGI application of the standalone gateway: all requests that are not streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gateway_shim.protocol import http, routes
from gateway_shim.protocol.http import ErrorCode
from gateway_shim.protocol.routes import Route
from gateway_shim.server.responses.transfers import TransferLimits
from gateway_shim.server.runtime import EXTENSION
from gateway_shim.streams.gateway import Gateway
from gateway_shim.streams.send_endpoint import answer_send

__all__ = ["Front"]

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Front:
    """The WSGI application of a standalone gateway, and its Runtime.

    Args:
        gateway: the gateway. Start and drain the gateway by this object's methods; see
            :class:`~gateway_shim.server.runtime.Runtime`.
        drain_seconds: the time in which clients must read their last bytes at the end, seconds.
    """

    def __init__(self, gateway: Gateway, drain_seconds: float = 5.0) -> None:
        self.gateway = gateway
        self.limits = TransferLimits()
        self.extensions = {EXTENSION: self}  # the place in which the worker looks for a Runtime
        self._drain_seconds = drain_seconds

    def route(self, method: str, target: str) -> Route:
        """Return the route of a request. Every GET opens a stream, except for the health checks."""
        return routes.route(method, target)

    def body_limit(self, method: str, target: str) -> int:
        """Return the size limit of a request's body, bytes. Only a send may have a body."""
        return http.MAX_BODY_BYTES if self.route(method, target) is Route.SEND else 0

    def start(self) -> None:
        """Start the heartbeats and the callbacks of the gateway."""
        self.gateway.start()

    def shutdown(self) -> None:
        """End every stream cleanly (divergence 8)."""
        self.gateway.drain(None, self._drain_seconds)

    def stop_waiting(self) -> None:
        """Do nothing: the shutdown waits for clients only, and has a time limit."""

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        route = self.route(environ["REQUEST_METHOD"], environ["RAW_URI"])
        if route is Route.OPTIONS:
            return self._answer(start_response, environ, 204, b"")
        status, body = self._handle(route, environ)
        return self._answer(start_response, environ, status, body)

    def _handle(self, route: Route, environ: dict[str, Any]) -> tuple[int, bytes]:
        if route is Route.HEALTH:
            return 200, http.compact_json({"status": "ok"})
        if route is Route.READY:
            configured = self.gateway.backend.configured
            status, body = http.readiness(configured, self.gateway.config.dialect)
            return status, http.compact_json(body)
        if route is Route.SEND:
            body_bytes = environ["wsgi.input"].read(http.MAX_BODY_BYTES + 1)
            coding = environ.get("HTTP_CONTENT_ENCODING")
            return answer_send(self.gateway, environ.get("CONTENT_TYPE"), body_bytes, coding)
        return 404, http.error_body(ErrorCode.NOT_FOUND, "Not found")

    def _answer(
        self, start_response: StartResponse, environ: dict[str, Any], status: int, body: bytes
    ) -> Iterable[bytes]:
        origin = {"origin": environ.get("HTTP_ORIGIN", "")}
        headers = list(self.gateway.config.cors.headers(origin))
        if body:
            headers += [
                ("Content-Type", http.JSON_CONTENT_TYPE),
                ("Content-Length", str(len(body))),
            ]
        start_response(f"{status} {http.status_phrase(status)}", headers)
        return [body] if body and environ["REQUEST_METHOD"] != "HEAD" else []
