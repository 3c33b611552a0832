"""Tests of the standalone gateway's WSGI application, which is called as a server calls it."""

from __future__ import annotations

import gzip
import io
import json
import socket
import zlib
from typing import Any

import gevent
import pytest

from gateway_shim.protocol.event_stream import Dialect, Event
from gateway_shim.protocol.http import CORS_HEADERS
from gateway_shim.protocol.routes import Route
from gateway_shim.server.runtime import EXTENSION
from gateway_shim.standalone.front import Front
from gateway_shim.streams.config import Cors
from tests.gateway_shim.running_gateway import RunningGateway
from tests.support.http.message import Ended
from tests.support.http.sse_parser import SSEEvent
from tests.support.timing import TIME_LIMIT

JSON = "application/json; charset=utf-8"


class WsgiAnswer:
    """The answer of the application to one request."""

    def __init__(self, front: Front, method: str, target: str, body: bytes, **environ: Any) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        environ = {
            "REQUEST_METHOD": method,
            "RAW_URI": target,
            "wsgi.input": io.BytesIO(body),
            "CONTENT_TYPE": "application/json",
            **environ,
        }
        self.body = b"".join(front(environ, self._start_response))

    def _start_response(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.status, self.headers = status, headers

    def error(self) -> tuple[str, str]:
        """Return the code and the message of an error body."""
        error = json.loads(self.body)["error"]
        assert list(error) == ["message", "code"]
        return error["code"], error["message"]


def ask(
    running: RunningGateway, method: str, target: str, body: object = b"", **environ: Any
) -> WsgiAnswer:
    """Send a request to the application of a running gateway."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return WsgiAnswer(Front(running.gateway), method, target, data, **environ)


def json_headers(body: bytes) -> list[tuple[str, str]]:
    """Return the headers of every answer with a body."""
    return [*CORS_HEADERS, ("Content-Type", JSON), ("Content-Length", str(len(body)))]


@pytest.mark.parametrize("target", ["/healthz", "/HEALTHZ", "/healthz/", "/healthz?x=1"])
def test_health(running: RunningGateway, target: str) -> None:
    """The gateway is healthy as long as it answers."""
    running.backend.configured = False
    answer = ask(running, "GET", target)
    assert (answer.status, answer.body) == ("200 OK", b'{"status":"ok"}')
    assert answer.headers == json_headers(answer.body)


@pytest.mark.parametrize(
    ("dialect", "configured", "status", "body"),
    [
        (Dialect.NAMED, True, "200 OK", b'{"status":"ready","configured":true}'),
        (
            Dialect.NAMED,
            False,
            "503 Service Unavailable",
            b'{"status":"not_ready","configured":false}',
        ),
        (
            Dialect.ENVELOPE,
            False,
            "503 Service Unavailable",
            b'{"status":"not_ready","configured":false,"rabbitmq":"disabled",'
            b'"reasons":["CALLBACK_URL not configured"]}',
        ),
    ],
)
def test_ready(dialect: Dialect, configured: bool, status: str, body: bytes) -> None:
    """The gateway is ready if it has a backend; the body depends on the dialect."""
    with RunningGateway(dialect=dialect) as running:
        running.backend.configured = configured
        answer = ask(running, "GET", "/readyz")
        assert (answer.status, answer.body) == (status, body)
        assert answer.headers == json_headers(body)


def test_head(running: RunningGateway) -> None:
    """HEAD gets the headers of GET, and no body."""
    answer = ask(running, "HEAD", "/healthz")
    assert (answer.status, answer.body) == ("200 OK", b"")
    assert answer.headers == json_headers(b'{"status":"ok"}')


@pytest.mark.parametrize("target", ["/anything", "/internal/send", "*"])
def test_options(running: RunningGateway, target: str) -> None:
    """OPTIONS is answered with 204 and the CORS headers, whatever the target is."""
    answer = ask(running, "OPTIONS", target)
    assert (answer.status, answer.headers, answer.body) == (
        "204 No Content",
        list(CORS_HEADERS),
        b"",
    )


@pytest.mark.parametrize(
    ("method", "target"),
    [("POST", "/nope"), ("PUT", "/internal/send"), ("DELETE", "/x"), ("POST", "/healthz")],
)
def test_not_found(running: RunningGateway, method: str, target: str) -> None:
    """Every other request is answered with 404 in JSON (divergence 1)."""
    answer = ask(running, method, target)
    assert answer.status == "404 Not Found"
    assert answer.error() == ("NOT_FOUND", "Not found")
    assert answer.headers == json_headers(answer.body)


def test_cors_of_one_origin() -> None:
    """The answer allows only the configured origin to read it."""
    with RunningGateway(cors=Cors(("https://a.example",))) as running:
        answer = ask(running, "OPTIONS", "/x", HTTP_ORIGIN="https://a.example")
        assert ("Access-Control-Allow-Origin", "https://a.example") in answer.headers
        answer = ask(running, "OPTIONS", "/x", HTTP_ORIGIN="https://b.example")
        assert answer.headers == [("Vary", "Origin")]


def test_route() -> None:
    """The worker takes every GET for a stream, except for the health checks."""
    front = Front(RunningGateway().gateway)
    assert front.route("GET", "/internal/send") is Route.STREAM
    assert front.route("HEAD", "/x") is Route.STREAM_HEAD
    assert front.route("GET", "/readyz") is Route.READY


# ------------------------------------------------------------------------- sends


def test_send(running: RunningGateway) -> None:
    """A send writes its event to the stream, and then closes the stream."""
    token, stream = running.open()
    answer = ask(
        running,
        "POST",
        "/internal/send",
        {"token": token, "event": {"name": "n", "data": "1"}, "close": True},
    )
    assert (answer.status, answer.body) == ("200 OK", b'{"status":"ok"}')
    assert stream.wait_for_end() is Ended.CLEAN
    assert stream.events == [SSEEvent("n", "1")]


def test_send_during_the_callback(running: RunningGateway) -> None:
    """A send to a stream that is not open yet is buffered."""
    answers = []

    def during(token: str) -> None:
        body = {"token": token, "event": {"data": "1"}}
        answers.append(ask(running, "POST", "/internal/send", body))

    running.backend.during = during
    _, stream = running.open()
    assert [answer.body for answer in answers] == [b'{"status":"buffered"}']
    assert stream.next_event().data == "1"


def test_send_to_an_unknown_token(running: RunningGateway) -> None:
    """A send to an unknown token is answered with 404, after all other checks."""
    answer = ask(running, "POST", "/internal/send", {"token": "nope", "event": {"data": "d"}})
    assert answer.status == "404 Not Found"
    assert answer.error() == ("TOKEN_NOT_FOUND", "Token not found")
    answer = ask(running, "POST", "/internal/send", {"token": "nope", "event": 5})
    assert answer.error()[0] == "INVALID_EVENT_TYPE"


def test_send_fails(running: RunningGateway) -> None:
    """A send whose stream fails is answered with 500, and the token is removed."""
    token, stream = running.open()
    stream.connection.socket.shutdown(socket.SHUT_RDWR)
    answer = ask(running, "POST", "/internal/send", {"token": token, "event": {"data": "d"}})
    assert answer.status == "500 Internal Server Error"
    assert answer.error() == ("WRITE_FAILED", "Write failed: connection closed")
    answer = ask(running, "POST", "/internal/send", {"token": token})
    assert answer.status == "404 Not Found"
    assert running.wait_reason(token) == "error"


def test_bad_send(running: RunningGateway) -> None:
    """A send that breaks the contract gets the status, code and message of its row."""
    answer = ask(running, "POST", "/internal/send", {})
    assert answer.status == "400 Bad Request"
    assert answer.error() == (
        "INVALID_TOKEN_MISSING",
        "Invalid request: token is required and must be a string",
    )
    answer = ask(running, "POST", "/internal/send", b"{}", CONTENT_TYPE="text/plain")
    assert answer.error()[0] == "INVALID_JSON"


@pytest.mark.parametrize(("size", "status"), [(102_400, 404), (102_401, 413), (10**6, 413)])
def test_large_send(running: RunningGateway, size: int, status: int) -> None:
    """A body up to the limit is parsed; a larger body is not read any further."""
    body = b'{"token":"' + b"t" * (size - 12) + b'"}'
    source = io.BytesIO(body)
    answer = ask(running, "POST", "/internal/send", b"", **{"wsgi.input": source})
    assert int(answer.status[:3]) == status
    assert source.tell() <= 102_401
    assert json.loads(answer.body)["error"]["code"] == (
        "TOKEN_NOT_FOUND" if status == 404 else "PAYLOAD_TOO_LARGE"
    )


@pytest.mark.parametrize(
    ("coding", "body", "expected"),
    [
        ("gzip", gzip.compress(b'{"token":"t"}'), (404, "TOKEN_NOT_FOUND")),
        ("DEFLATE", zlib.compress(b'{"token":"t"}'), (404, "TOKEN_NOT_FOUND")),
        ("identity", b'{"token":"t"}', (404, "TOKEN_NOT_FOUND")),
        ("x-gzip", gzip.compress(b'{"token":"t"}'), (415, "UNSUPPORTED_ENCODING")),
        ("gzip", b'{"token":"t"}', (400, "INVALID_JSON")),
        ("gzip", gzip.compress(b" " * 10_000_000), (413, "PAYLOAD_TOO_LARGE")),
    ],
    ids=["gzip", "deflate", "identity", "unknown", "broken", "bomb"],
)
def test_compressed_send(
    running: RunningGateway, coding: str, body: bytes, expected: tuple[int, str]
) -> None:
    """A body may be compressed; the decompressed body has the same limit."""
    answer = ask(running, "POST", "/internal/send", body, HTTP_CONTENT_ENCODING=coding)
    assert (int(answer.status[:3]), answer.error()[0]) == expected


# ------------------------------------------------------------------------- as a runtime


def test_runtime(running: RunningGateway) -> None:
    """The application is its own Runtime; its shutdown drains the gateway without a last event."""
    front = Front(running.gateway, TIME_LIMIT)
    assert front.extensions == {EXTENSION: front}
    assert front.gateway is running.gateway
    _, stream = running.open()
    front.stop_waiting()
    running.gateway.send("t1", Event(None, "still there"))
    front.shutdown()
    assert stream.wait_for_end() is Ended.CLEAN
    assert [event.data for event in stream.events] == ["still there"]
    assert stream.raw == b"data: still there\n\n"


def test_start() -> None:
    """Starting the application starts its gateway."""
    running = RunningGateway(heartbeat_interval=0.05)
    with running.hub_errors:
        Front(running.gateway).start()
        _, stream = running.open()
        assert stream.wait_for_comments(1)
        gevent.killall([visit.opening for visit in running.visits])
        running.gateway.stop()
        stream.close()
