"""Request bodies on real connections, and the requests that follow them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.backend_client import metric
from tests.support.http.client import Connection, request_bytes
from tests.support.processes.server import GunicornServer

JSON = ("Content-Type", "application/json")
LARGEST = 102_400


@pytest.fixture(scope="module")
def server() -> Iterator[GunicornServer]:
    """Start a backend that the tests of this module share."""
    with GunicornServer(env={"FLASK_ENV": "testing"}) as running:
        yield running


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/nowhere", 404),
        ("PUT", "/api/tasks", 405),
        ("GET", "/healthz", 200),
        ("GET", "/api/sse/stream", 400),
        ("HEAD", "/api/sse/stream", 200),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_small_body_that_is_not_needed(
    server: GunicornServer, method: str, path: str, status: int, chunked: bool
) -> None:
    """The response comes before a small body that is not needed, and the next request works."""
    coding = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", "5")
    with Connection(server.port) as connection:
        for _ in range(2):
            connection.send(request_bytes(method, path, [coding]))
            answer = connection.read_response(method)
            assert (answer.status, answer.head.get("Connection")) == (status, "keep-alive")
            connection.send(b"5\r\nhello\r\n0\r\n\r\n" if chunked else b"hello")


@pytest.mark.parametrize(
    "lines",
    [
        [("Content-Length", str(512 * 1024))],
        [("Content-Length", "5"), ("Expect", "100-continue")],
    ],
    ids=["large", "waits"],
)
@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/api/sse/stream", 405)])
def test_a_body_that_is_not_waited_for(
    server: GunicornServer, path: str, status: int, lines: list[tuple[str, str]]
) -> None:
    """A body that is large or that waits for 100 is not read, and the connection is closed."""
    with Connection(server.port) as connection:
        connection.send(request_bytes("POST", path, lines))
        answer = connection.read_response("POST")
        assert (answer.status, answer.head.get("Connection")) == (status, "close")
        connection.wait_closed()


def test_our_routes_accept_100_kb(server: GunicornServer) -> None:
    """Our routes accept a body of 100 KB, and refuse one more byte without reading the body."""
    before = metric(server, 'requests_refused_total{reason="body_too_large"}')
    for path in ("/api/tasks", "/api/sse/callback", "/api/testing/tasks/start"):
        with Connection(server.port) as connection:
            body = b"[]".rjust(LARGEST)
            connection.send(request_bytes("POST", path, [JSON], body=body))
            assert connection.read_response("POST").status == 400
            head = [JSON, ("Content-Length", str(LARGEST + 1))]
            connection.send(request_bytes("POST", path, head))
            answer = connection.read_response("POST")
            assert answer.status == 413
            assert json.loads(answer.body)["error"]["code"] == "PAYLOAD_TOO_LARGE"
            connection.wait_closed()
    assert metric(server, 'requests_refused_total{reason="body_too_large"}') == before + 3
