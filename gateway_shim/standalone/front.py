"""Everything of the gateway that is not a stream, as a WSGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gateway_shim.protocol import http as contract
from gateway_shim.protocol.http import ErrorCode, Route
from gateway_shim.server.responses.transfers import TransferLimits
from gateway_shim.server.runtime import EXTENSION
from gateway_shim.streams.gateway import Gateway
from gateway_shim.streams.send_endpoint import answer_send

__all__ = ["Front"]

StartResponse = Callable[[str, list[tuple[str, str]]], object]
Answer = tuple[int, bytes]


class Front:
    """The WSGI application of a gateway on a port of its own.

    Args:
        gateway: the gateway that it stands before. Start and drain it through this object,
            which is its own :class:`~gateway_shim.server.runtime.Runtime`.
    """

    def __init__(self, gateway: Gateway, drain_seconds: float = 5.0) -> None:
        self.gateway = gateway
        self.limits = TransferLimits()
        self.extensions = {EXTENSION: self}
        self._drain_seconds = drain_seconds

    def route(self, method: str, target: str) -> Route:
        """Every GET but two is a stream."""
        return contract.route(method, target)

    def body_limit(self, method: str, target: str) -> int:
        """A send's body has the contract's limit; nothing else has one."""
        return contract.MAX_BODY_BYTES if self.route(method, target) is Route.SEND else 0

    def start(self) -> None:
        """Start the gateway's heartbeats and callbacks."""
        self.gateway.start()

    def shutdown(self) -> None:
        """End every stream cleanly (divergence 8)."""
        self.gateway.drain(None, self._drain_seconds)

    def stop_waiting(self) -> None:
        """There is nothing to cut short: a drain waits for nobody but its clients."""

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        route = self.route(environ["REQUEST_METHOD"], environ["RAW_URI"])
        if route is Route.OPTIONS:
            return self._answer(start_response, environ, 204, b"")
        status, body = self._handle(route, environ)
        return self._answer(start_response, environ, status, body)

    def _handle(self, route: Route, environ: dict[str, Any]) -> Answer:
        if route is Route.HEALTH:
            return 200, contract.compact_json({"status": "ok"})
        if route is Route.READY:
            configured = self.gateway.backend.configured
            status, body = contract.readiness(configured, self.gateway.config.dialect)
            return status, contract.compact_json(body)
        if route is Route.SEND:
            body_bytes = environ["wsgi.input"].read(contract.MAX_BODY_BYTES + 1)
            coding = environ.get("HTTP_CONTENT_ENCODING")
            return answer_send(self.gateway, environ.get("CONTENT_TYPE"), body_bytes, coding)
        return 404, contract.error_body(ErrorCode.NOT_FOUND, "Not found")

    def _answer(
        self, start_response: StartResponse, environ: dict[str, Any], status: int, body: bytes
    ) -> Iterable[bytes]:
        origin = {"origin": environ.get("HTTP_ORIGIN", "")}
        headers = list(self.gateway.config.cors.headers(origin))
        if body:
            headers += [
                ("Content-Type", contract.JSON_CONTENT_TYPE),
                ("Content-Length", str(len(body))),
            ]
        start_response(f"{status} {contract.status_phrase(status)}", headers)
        return [body] if body and environ["REQUEST_METHOD"] != "HEAD" else []
