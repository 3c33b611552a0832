"""Raw requests, valid and invalid, and the state of the connection after them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.support.http.client import Connection, request, request_bytes
from tests.support.http.message import Ended
from tests.support.http.stream import Stream
from tests.support.processes.server import GatewayServer, GunicornServer, Server
from tests.support.timing import TIME_LIMIT

HEALTH = request_bytes("GET", "/healthz")
STREAM = "/api/sse/stream?request_id=x"
VERSION = "/api/testing/deployments/version"
SEND = ("Content-Type", "application/json")
KEPT = "keep-alive"


@pytest.fixture(scope="module")
def backend() -> Iterator[GunicornServer]:
    """Start a backend that the tests of this module share."""
    with GunicornServer(env={"FLASK_ENV": "testing"}) as running:
        yield running


@pytest.fixture(scope="module")
def gateway() -> Iterator[Server]:
    """Start a gateway without a backend."""
    with GatewayServer(env={"KEEP_ALIVE_SECONDS": "7"}) as running:
        yield running


@pytest.fixture(params=["backend", "gateway"])
def server(request: pytest.FixtureRequest) -> Server:
    """Return the backend and the gateway in turn, because both use the same request parser."""
    running: Server = request.getfixturevalue(request.param)
    return running


def head(*lines: str) -> bytes:
    """Return the bytes of a request head."""
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def answers(server: Server, data: bytes, *methods: str) -> list[tuple[int, str | None]]:
    """Send bytes, and return the status and ``Connection`` of one response for each method."""
    with Connection(server.port) as connection:
        connection.send(data)
        read = [connection.read_response(method) for method in methods]
        return [(answer.status, answer.head.get("Connection")) for answer in read]


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n" * 5 + HEALTH,
        HEALTH + b"\r\n\r\n\r\n" + HEALTH,
        head(f"GET /healthz?{'x' * 16_300} HTTP/1.1", "Host: h"),
        head("GET /healthz HTTP/1.1", "Host: h", *(f"a{n}: " for n in range(1500))),
        head("GET http://localhost/healthz HTTP/1.1", "Host: h"),
        head("GET /healthz HTTP/1.1", "Host: h", "Expect: 100-continue"),
    ],
    ids=["lines", "lines between", "target", "headers", "URL", "expectation"],
)
def test_requests_that_are_answered(server: Server, data: bytes) -> None:
    """Unusual valid requests get a response, and the connection can be used again."""
    requests = data.count(b"/healthz") + 1
    assert answers(server, data + HEALTH, *["GET"] * requests) == [(200, KEPT)] * requests


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (head("GET /healthz HTTP/1.1", "Host: a", "Host: b"), 400),
        (head("GET /healthz HTTP/1.0", "Host: a", "Host: a"), 400),
        (head("GET /healthz HTTP/1.2", "Host: h"), 400),
        (head("GET :///healthz HTTP/1.1", "Host: h"), 400),
        (head(f"GET /healthz?{'x' * 16_400} HTTP/1.1", "Host: h"), 431),
        (head("GET /healthz HTTP/1.1", "Host: h", *["a:"] * 2000), 431),
        (b"}}}", 400),
        (b"\x16\x03\x01\x02\x00\x01", 400),
        (b"GET /healthz HTTP/1.1\rHost: h", 400),
        (head("POST /x HTTP/1.1", "Host: h", "Transfer-Encoding: gzip, chunked"), 501),
    ],
)
def test_requests_that_are_refused(server: Server, data: bytes, status: int) -> None:
    """Invalid requests are refused at once, and the connection is closed."""
    with Connection(server.port) as connection:
        connection.send(data)
        answer = connection.read_response()
        assert (answer.status, answer.head.get("Connection")) == (status, "close")
        assert connection.wait_closed() is Ended.EOF


@pytest.mark.parametrize(
    "data",
    [
        head("HEAD /x HTTP/1.1"),
        head("HEAD /x HTTP/1.1", "Host: h", "Content-Length: x"),
        head("HEAD /x HTTP/1.2", "Host: h"),
    ],
)
def test_head_has_no_body_when_it_is_refused(server: Server, data: bytes) -> None:
    """A refused HEAD request gets a head with Content-Length, and no body."""
    with Connection(server.port) as connection:
        connection.send(data)
        answer = connection.read_head()
        assert (answer.status, int(answer.get("Content-Length") or 0) > 0) == (400, True)
        assert connection.receive(time.monotonic() + TIME_LIMIT) == b""


@pytest.mark.parametrize("target", ["*", "http://", "http://?x"])
def test_targets_without_a_page(server: Server, target: str) -> None:
    """Unusual targets get 404, and the next request gets a response."""
    data = head(f"GET {target} HTTP/1.1", "Host: localhost") + HEALTH
    assert answers(server, data, "GET", "GET") == [(404, KEPT), (200, KEPT)]


def test_bytes_after_a_body(gateway: Server) -> None:
    """Bytes after a body are the next request, and are refused if they are invalid."""
    data = request_bytes("POST", "/internal/send", [SEND], b"{}") + b"}}}"
    assert answers(gateway, data, "POST", "GET") == [(400, KEPT), (400, "close")]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_keep_alive_header(version: str, gateway: Server) -> None:
    """Every response of the gateway has the Keep-Alive time of the connection."""
    wanted = [("Connection", "keep-alive, x")]
    targets = [("GET", "/healthz"), ("POST", "/nothing"), ("OPTIONS", "/"), ("GET", "/stream")]
    with Connection(gateway.port) as connection:
        for method, target in [*targets, ("HEAD", "/stream")]:
            connection.send(request_bytes(method, target, wanted, version=version))
            answer = connection.read_response(method)
            assert (answer.head.version, answer.head.get("Connection")) == ("1.1", KEPT)
            assert answer.head.get("Keep-Alive") == "timeout=7"
        connection.send(request_bytes("GET", "/", [("Connection", "x, close")], version=version))
        answer = connection.read_response()
        assert (answer.head.get("Connection"), answer.head.get("Keep-Alive")) == ("close", None)


def test_the_keep_alive_header_of_the_backend(backend: GunicornServer) -> None:
    """Every response of the backend has the Keep-Alive time of its setting."""
    with Connection(backend.port) as connection:
        for target in ("/healthz", "/nothing", "/api/sse/stream"):
            connection.send(request_bytes("GET", target))
            assert connection.read_response().head.get("Keep-Alive") == "timeout=150"


def test_head_without_a_backend(gateway: Server, backend: GunicornServer) -> None:
    """A HEAD request gets the response of GET without its body."""
    data = request_bytes("HEAD", "/x") + HEALTH
    assert answers(gateway, data, "HEAD", "GET") == [(503, KEPT), (200, KEPT)]
    data = request_bytes("HEAD", STREAM, [("Host", "evil.example")]) + HEALTH
    assert answers(backend, data, "HEAD", "GET") == [(403, KEPT), (200, KEPT)]


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_large_body_that_is_not_needed(gateway: Server, method: str) -> None:
    """The response has Connection: close, and arrives although the client still sends."""
    body = [("Content-Length", "1000000")]
    data = request_bytes(method, "/x", body) + b"x" * 1_000_000
    with Connection(gateway.port) as connection:
        connection.send(data)
        answer = connection.read_response(method)
        assert (answer.status, answer.head.get("Connection")) == (503, "close")
        assert connection.wait_closed() is Ended.EOF


def test_requests_after_a_stream(backend: GunicornServer) -> None:
    """A request after a stream request gets no response, and does not disturb the stream."""
    with Connection(backend.port) as connection:
        connection.send(request_bytes("GET", STREAM) + HEALTH + b"}}}\r\n")
        stream = Stream(connection, connection.read_head(), lone_ids=True)
        stream.wait_for("version")
        connection.send(b"x" * 100_000)
        assert answers(backend, HEALTH, "GET") == [(200, KEPT)]
        send = {"request_id": "x", "version": "2", "changelog": ""}
        answer = request(backend.port, "POST", VERSION, json_body=send)
        assert (answer.status, json.loads(answer.body)["delivered"]) == (202, True)
        assert "2" in stream.wait_for("version").data


def test_another_host_in_the_target(backend: GunicornServer) -> None:
    """The host check uses the host of the target."""
    for target in (STREAM, "/api/tasks"):
        data = head(f"GET http://evil.example{target} HTTP/1.1", "Host: localhost")
        assert answers(backend, data, "GET") == [(403, KEPT)]
