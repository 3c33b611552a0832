"""What is kept on the admin address."""

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
    """The status of an answer to a request that arrived at a port."""
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
    """The API and the metrics are found there and nowhere else."""
    assert ask(path, "5001") == "200 OK"
    assert ask(path, "5000") == "404 Not Found"


@pytest.mark.parametrize(
    ("family", "status"), [(socket.AF_INET, "200 OK"), (socket.AF_UNIX, "404 Not Found")]
)
def test_a_unix_socket_is_never_the_admin_address(
    family: socket.AddressFamily, status: str
) -> None:
    """There the server's name is what the client's Host header says."""
    with socket.socket(family) as connection:
        assert ask("/metrics", "5001", connection=connection) == status


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/HEALTHZ/", "/health/healthz", "/health/readyz"]
)
def test_health_checks_everywhere(path: str) -> None:
    """A load balancer asks at the address that it sends streams to."""
    assert ask(path, "5000") == "200 OK"
    assert ask(path, "5000", "HEAD") == "200 OK"
    assert ask(path, "5000", "POST") == "404 Not Found"


@pytest.mark.parametrize("path", ["/api/sse/stream", "/readyz", "/health/healthz"])
def test_preflights_of_what_is_open(path: str) -> None:
    """A page of another origin that sends Authorization is asked about with OPTIONS first."""
    assert ask(path, "5000", "OPTIONS") == "200 OK"


@pytest.mark.parametrize("path", ["/metrics", "/api/tasks", "/api/sse/callback", "/internal/send"])
def test_other_preflights_only_at_the_admin_address(path: str) -> None:
    """What is not found has no preflight either."""
    assert ask(path, "5000", "OPTIONS") == "404 Not Found"
    assert ask(path, "5001", "OPTIONS") == "200 OK"


@pytest.mark.parametrize(
    ("area", "paths"),
    [
        (Area.TASKS, ["/api/tasks", "/api/tasks/some/cancel"]),
        (Area.METRICS, ["/metrics"]),
    ],
)
def test_what_allow_open_names(area: Area, paths: list[str]) -> None:
    """It is answered at every address, and nothing that only begins alike."""
    for path in paths:
        assert ask(path, "5000", areas=frozenset({area})) == "200 OK"
        assert ask(path, "5000", areas=frozenset(set(Area) - {area})) == "404 Not Found"
    for path in ("/api/tasksx", "/metricsx", "/api", "/internal/send", "/api/sse/callback"):
        assert ask(path, "5000", areas=frozenset(Area)) == "404 Not Found"
