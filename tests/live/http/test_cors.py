"""Pages of other origins, and the responses that they may read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.http.client import Connection, Headers, request_bytes
from tests.support.http.message import Head
from tests.support.processes.server import GunicornServer, Server

PAGE = "https://app.example"
PREFLIGHT = [
    ("Access-Control-Request-Method", "GET"),
    ("Access-Control-Request-Headers", "authorization,last-event-id"),
]
EVERYWHERE = [
    ("GET", "/api/sse/stream?request_id=page", 200),
    ("HEAD", "/api/sse/stream?request_id=page", 200),
    ("GET", "/api/sse/stream", 400),
    ("OPTIONS", "/api/sse/stream?request_id=page", 200),
    ("GET", "/api/tasks", 200),
    ("OPTIONS", "/api/tasks/some", 200),
    ("DELETE", "/api/tasks/some", 404),
]
ALLOWED = {
    "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Cache-Control, Last-Event-ID, Authorization",
    "Access-Control-Expose-Headers": "SSE-Heartbeat-Seconds, Retry-After",
}


@pytest.fixture(scope="module")
def server() -> Iterator[GunicornServer]:
    """Start a server that allows one origin."""
    with GunicornServer(env={"CORS_ORIGINS": PAGE}) as running:
        yield running


@pytest.fixture(scope="module")
def open_server() -> Iterator[GunicornServer]:
    """Start a server that allows every origin."""
    with GunicornServer(env={"CORS_ORIGINS": "*"}) as running:
        yield running


def cors_headers(
    server: Server, method: str, target: str, status: int, headers: Headers
) -> dict[str, str]:
    """Return the headers of a response that allow an origin to read it."""
    lines = [*headers, *(PREFLIGHT if method == "OPTIONS" else ())]
    with Connection(server.port) as connection:
        connection.send(request_bytes(method, target, lines))
        head: Head = connection.read_head()
    assert head.status == status
    return {
        name: value
        for name, value in head.headers
        if name.startswith("Access-Control") or name == "Vary"
    }


@pytest.mark.parametrize(("method", "target", "status"), EVERYWHERE)
def test_listed_origin(server: GunicornServer, method: str, target: str, status: int) -> None:
    """A listed origin may read all responses, and may send cookies."""
    assert cors_headers(server, method, target, status, [("Origin", PAGE)]) == {
        "Access-Control-Allow-Origin": PAGE,
        **ALLOWED,
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin",
    }


@pytest.mark.parametrize(("method", "target", "status"), EVERYWHERE)
@pytest.mark.parametrize("origin", [[], [("Origin", "https://evil.example")]])
def test_other_origin(
    server: GunicornServer, method: str, target: str, status: int, origin: Headers
) -> None:
    """Another origin may read no response, and the responses have Vary: Origin for caches.

    It also gets no stream, and can change nothing.
    """
    if origin and (method == "DELETE" or (method in ("GET", "HEAD") and "stream" in target)):
        status = 403
    assert cors_headers(server, method, target, status, origin) == {"Vary": "Origin"}


@pytest.mark.parametrize(("method", "target", "status"), EVERYWHERE)
@pytest.mark.parametrize("origin", [[], [("Origin", PAGE)]])
def test_every_origin(
    open_server: GunicornServer, method: str, target: str, status: int, origin: Headers
) -> None:
    """If every origin is allowed, none may send cookies."""
    assert cors_headers(open_server, method, target, status, origin) == {
        "Access-Control-Allow-Origin": "*",
        **ALLOWED,
    }
