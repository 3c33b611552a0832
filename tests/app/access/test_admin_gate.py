"""The middleware that serves parts of the API at the admin address only."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from app.access.admin_gate import AdminGate
from app.access.exposure import Area
from gateway_shim.streams.refusal_counts import RefusalCounts


def ask(
    path: str,
    port: str,
    method: str = "GET",
    connection: socket.socket | None = None,
    areas: frozenset[Area] = frozenset(),
) -> str:
    """Return the status of the answer to a request that came to a port."""
    statuses: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"let through"]

    counts = RefusalCounts()
    gate = AdminGate(application, ("127.0.0.1", 5001), areas, counts)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": port,
    }
    if connection is not None:
        environ["gunicorn.socket"] = connection
    body = b"".join(gate(environ, lambda status, headers: statuses.append(status)))
    assert body in (b"let through", b'{"error":{"message":"Not found","code":"NOT_FOUND"}}')
    assert counts.by_reason["not_open"] == (statuses[0] == "404 Not Found")
    return statuses[0]


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/api/gateway",
        "/api/tasks",
        "/internal/send",
        "/",
        "/health",
        "/health/",
        "/health/metrics",
        "/health/../metrics",
        "/health/health/healthz",
        "/healthz/metrics",
    ],
)
def test_only_at_the_admin_address(path: str) -> None:
    """The API and the metrics are served at the admin address only."""
    assert ask(path, "5001") == "200 OK"
    assert ask(path, "5000") == "404 Not Found"


@pytest.mark.parametrize(
    ("family", "status"), [(socket.AF_INET, "200 OK"), (socket.AF_UNIX, "404 Not Found")]
)
def test_a_unix_socket_is_never_the_admin_address(
    family: socket.AddressFamily, status: str
) -> None:
    """A Unix socket is never the admin address, because its server name is the client's Host."""
    with socket.socket(family) as connection:
        assert ask("/metrics", "5001", connection=connection) == status


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/HEALTHZ/", "/health/healthz", "/health/readyz"]
)
def test_health_checks_everywhere(path: str) -> None:
    """Health checks are answered at every address."""
    assert ask(path, "5000") == "200 OK"
    assert ask(path, "5000", "HEAD") == "200 OK"
    assert ask(path, "5000", "POST") == "404 Not Found"


@pytest.mark.parametrize("name", ["sse-client.js", "sse-client.d.ts", "sse-stream.js"])
def test_the_client_everywhere(name: str) -> None:
    """The browser client is served at every address; other files are not."""
    assert ask(f"/static/{name}", "5000") == "200 OK"
    assert ask(f"/static/{name}", "5000", "HEAD") == "200 OK"
    assert ask(f"/static/{name}x", "5000") == "404 Not Found"
    assert ask(f"/console/static/{name}", "5000") == "404 Not Found"


@pytest.mark.parametrize("path", ["/api/sse/stream", "/readyz", "/health/healthz"])
def test_preflights_of_open_paths(path: str) -> None:
    """A preflight request for an open path is answered at every address."""
    assert ask(path, "5000", "OPTIONS") == "200 OK"


@pytest.mark.parametrize("path", ["/metrics", "/api/tasks", "/api/sse/callback", "/internal/send"])
def test_other_preflights_only_at_the_admin_address(path: str) -> None:
    """A preflight request for a closed path is answered at the admin address only."""
    assert ask(path, "5000", "OPTIONS") == "404 Not Found"
    assert ask(path, "5001", "OPTIONS") == "200 OK"


@pytest.mark.parametrize(
    ("area", "paths"),
    [
        (Area.TASKS, ["/api/tasks", "/api/tasks/some/cancel"]),
        (Area.METRICS, ["/metrics", "/api/gateway"]),
    ],
)
def test_an_open_area_is_served_everywhere(area: Area, paths: list[str]) -> None:
    """An area of ALLOW_OPEN is served everywhere; a path that only begins alike is not."""
    for path in paths:
        assert ask(path, "5000", areas=frozenset({area})) == "200 OK"
        assert ask(path, "5000", areas=frozenset(set(Area) - {area})) == "404 Not Found"
    for path in (
        "/api/tasksx",
        "/metricsx",
        "/api/gatewayx",
        "/api",
        "/internal/send",
        "/api/sse/callback",
    ):
        assert ask(path, "5000", areas=frozenset(Area)) == "404 Not Found"
