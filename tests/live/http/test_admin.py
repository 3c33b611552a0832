"""ADMIN_BIND: an address of its own for everything but streams and health checks."""

from __future__ import annotations

from gateway_shim.parity.ports import free_port
from tests.support.backend_client import connect
from tests.support.http.client import Connection, request, request_bytes
from tests.support.processes.server import ServeServer


def test_two_addresses() -> None:
    """Metrics and tasks are served only at ADMIN_BIND, and streams only at the public address."""
    admin = free_port()
    with ServeServer(env={"ADMIN_BIND": f"localhost:{admin}"}) as server:
        for path in ("/metrics", "/api/tasks"):
            assert request(admin, "GET", path).status == 200
            assert request(server.port, "GET", path).status == 404
        for port in (admin, server.port):
            for path in ("/healthz", "/readyz", "/health/healthz", "/health/readyz"):
                assert request(port, "GET", path).status == 200
                assert request(port, "HEAD", path).status == 200
        assert request(server.port, "OPTIONS", "/api/sse/stream").status == 200
        assert request(server.port, "OPTIONS", "/api/tasks").status == 404
        with connect(server) as stream:
            stream.wait_for("version")


def test_a_client_cannot_move_the_application() -> None:
    """The header SCRIPT_NAME has no effect, because it would bypass the path rules of a proxy."""
    with ServeServer() as server, Connection(server.port) as connection:
        connection.send(request_bytes("GET", "/x/metrics", [("SCRIPT_NAME", "/x")]))
        assert connection.read_response().status == 404
        connection.send(request_bytes("GET", "/healthz", [("SCRIPT_NAME", "/zz")]))
        assert connection.read_response().status == 200
