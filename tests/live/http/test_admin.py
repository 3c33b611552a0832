"""ADMIN_BIND: what is no stream and no health check is on an address of its own."""

from __future__ import annotations

from gateway_shim.parity.ports import free_port
from tests.support.backend_client import connect
from tests.support.http.client import Connection, request, request_bytes
from tests.support.processes.server import ServeServer


def test_two_addresses() -> None:
    """Metrics and tasks are found there and nowhere else, streams at the other; a name will do."""
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


def test_a_client_cannot_say_where_the_application_is_mounted() -> None:
    """SCRIPT_NAME is gunicorn's way for proxies, and would be a way past a proxy's path rules."""
    with ServeServer() as server, Connection(server.port) as connection:
        connection.send(request_bytes("GET", "/x/metrics", [("SCRIPT_NAME", "/x")]))
        assert connection.read_response().status == 404
        connection.send(request_bytes("GET", "/healthz", [("SCRIPT_NAME", "/zz")]))
        assert connection.read_response().status == 200
