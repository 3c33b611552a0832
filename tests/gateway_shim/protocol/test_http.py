"""Routes, fixed headers, readiness and errors, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_shim.protocol import http as contract
from gateway_shim.protocol.event_stream import Dialect
from gateway_shim.protocol.http import Refusal, Route

NAMED, ENVELOPE = Dialect.NAMED, Dialect.ENVELOPE

ROUTES = [
    # The recordings' connect_paths: any path is a stream, but two.
    ("GET", "/", Route.STREAM),
    ("GET", "/events", Route.STREAM),
    ("GET", "/api/sse/stream?request_id=a%20b&x=1&x=2", Route.STREAM),
    ("GET", "/a//b/../c?", Route.STREAM),
    ("GET", "/%C3%A9?q=%F0%9F%98%80", Route.STREAM),
    ("GET", "/internal/send", Route.STREAM),
    ("GET", "/internal/other", Route.STREAM),
    ("GET", "/healthz/deep", Route.STREAM),
    ("GET", "/healthz//", Route.STREAM),
    ("GET", "//healthz", Route.STREAM),
    ("GET", "/%68ealthz", Route.STREAM),
    ("GET", "/healthz;a=1", Route.STREAM),
    ("GET", "/favicon.ico", Route.STREAM),
    ("GET", "/x?y=http://h/p?z=1#frag", Route.STREAM),
    ("GET", "/?/healthz", Route.STREAM),
    ("GET", "http://gw.example/healthz/x", Route.STREAM),
    # Any case, a trailing slash or a query allowed.
    ("GET", "/healthz", Route.HEALTH),
    ("GET", "/HEALTHZ", Route.HEALTH),
    ("GET", "/healthz/", Route.HEALTH),
    ("GET", "/healthz?x=1", Route.HEALTH),
    ("GET", "/Healthz/?", Route.HEALTH),
    ("GET", "/healthz#x", Route.HEALTH),
    ("GET", "http://gw.example/healthz?x", Route.HEALTH),
    ("HEAD", "/healthz", Route.HEALTH),
    ("GET", "/readyz", Route.READY),
    ("GET", "/ReadyZ/?x=1", Route.READY),
    ("HEAD", "/readyz", Route.READY),
    # Divergence 5.
    ("HEAD", "/events", Route.STREAM_HEAD),
    ("HEAD", "/internal/send", Route.STREAM_HEAD),
    ("POST", "/internal/send", Route.SEND),
    ("POST", "/internal/send/", Route.SEND),
    ("POST", "/Internal/Send?x=1", Route.SEND),
    ("POST", "http://gw.example/internal/send", Route.SEND),
    ("OPTIONS", "/anything", Route.OPTIONS),
    ("OPTIONS", "/internal/send", Route.OPTIONS),
    ("OPTIONS", "/healthz", Route.OPTIONS),
    ("OPTIONS", "*", Route.OPTIONS),
    ("GET", "http://host?x=/healthz", Route.STREAM),
    ("GET", "*", Route.NOT_FOUND),
    ("HEAD", "*", Route.NOT_FOUND),
    ("GET", "http://", Route.NOT_FOUND),
    ("HEAD", "http://", Route.NOT_FOUND),
    ("POST", "/nope", Route.NOT_FOUND),
    ("POST", "/api/sse/stream", Route.NOT_FOUND),
    ("POST", "/healthz", Route.NOT_FOUND),
    ("POST", "/internal/send/x", Route.NOT_FOUND),
    ("POST", "//internal/send", Route.NOT_FOUND),
    ("PUT", "/internal/send", Route.NOT_FOUND),
    ("DELETE", "/x", Route.NOT_FOUND),
    ("PATCH", "/healthz", Route.NOT_FOUND),
    ("TRACE", "/", Route.NOT_FOUND),
    ("get", "/healthz", Route.NOT_FOUND),
]


@pytest.mark.parametrize(("method", "target", "expected"), ROUTES)
def test_route(method: str, target: str, expected: Route) -> None:
    """Every request is what the contract's table of endpoints says."""
    assert contract.route(method, target) is expected


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/a?b#c", "/a"),
        ("/a#b?c", "/a"),
        ("/a%3Fb", "/a%3Fb"),
        ("/a//b/../c?", "/a//b/../c"),
        ("/http://x/y", "/http://x/y"),
        ("http://host:1/a/b?c", "/a/b"),
        ("http://host", "/"),
        ("http://host?x=/y", "/"),
        ("HTTP://host", "/"),
        ("http:///x", "/x"),
        ("http://", ""),
        ("http://?x", ""),
        ("x://host", ""),
        ("x://host/y", "/y"),
        ("*", "*"),
        ("", ""),
    ],
)
def test_path_of(target: str, path: str) -> None:
    """The path of a target, as it was written."""
    assert contract.path_of(target) == path


@pytest.mark.parametrize(
    ("configured", "dialect", "status", "body"),
    [
        (True, NAMED, 200, {"status": "ready", "configured": True}),
        (False, NAMED, 503, {"status": "not_ready", "configured": False}),
        (True, ENVELOPE, 200, {"status": "ready", "configured": True, "rabbitmq": "disabled"}),
        (
            False,
            ENVELOPE,
            503,
            {
                "status": "not_ready",
                "configured": False,
                "rabbitmq": "disabled",
                "reasons": ["CALLBACK_URL not configured"],
            },
        ),
    ],
)
def test_readiness(configured: bool, dialect: Dialect, status: int, body: dict[str, Any]) -> None:
    """Ready with a backend; the envelope dialect says more."""
    assert contract.readiness(configured, dialect) == (status, body)


def test_error_body() -> None:
    """An error body is the message and its code, without white space, in UTF-8."""
    body = contract.error_body(contract.ErrorCode.NOT_FOUND, 'Nö "x"')
    assert body == '{"error":{"message":"Nö \\"x\\"","code":"NOT_FOUND"}}'.encode()


@pytest.mark.parametrize(
    ("status", "phrase"), [(200, "OK"), (404, "Not Found"), (599, "unknown"), (999, "unknown")]
)
def test_status_phrase(status: int, phrase: str) -> None:
    """The standard phrase, or one that says that there is none."""
    assert contract.status_phrase(status) == phrase


def test_head() -> None:
    """A head is its status line and headers as given, in latin-1, and the line that ends it."""
    assert contract.head(404, [("B", "1"), ("A", "\xe9"), ("B", "2")]) == (
        b"HTTP/1.1 404 Not Found\r\nB: 1\r\nA: \xe9\r\nB: 2\r\n\r\n"
    )
    assert contract.head(599, iter(())) == b"HTTP/1.1 599 unknown\r\n\r\n"


def test_fixed_headers() -> None:
    """The headers that the recordings show on every answer, and on every stream."""
    assert dict(contract.CORS_HEADERS) == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Allow-Headers": "Content-Type, Cache-Control",
    }
    assert dict(contract.STREAM_HEADERS) == {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-cache",
        "Connection": "keep-alive",
        "X-Accel-Buffering": "no",
    }
    assert contract.JSON_CONTENT_TYPE == "application/json; charset=utf-8"


@pytest.mark.parametrize("seconds", [1, 150, 1_000_000])
def test_keep_alive_header(seconds: int) -> None:
    """Clients read an integer, however large it is."""
    assert contract.keep_alive_header(seconds) == ("Keep-Alive", f"timeout={seconds}")


@pytest.mark.parametrize("close", [True, False])
def test_refusal_bytes(close: bool) -> None:
    """A refusal is a whole answer, and says whether the connection goes on."""
    refusal = Refusal(429, b"{}", headers=(("Retry-After", "5"),))
    idle_seconds = None if close else 5
    connection = b"close" if close else b"keep-alive\r\nKeep-Alive: timeout=5"
    assert (
        contract.refusal_bytes(refusal, [("Vary", "Origin")], idle_seconds=idle_seconds)
        == (
            b"HTTP/1.1 429 Too Many Requests\r\n"
            b"Connection: %b\r\nRetry-After: 5\r\nVary: Origin\r\n"
            b"Content-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}"
        )
        % connection
    )


def test_refusal_without_body() -> None:
    """304 ends with its head."""
    assert contract.refusal_bytes(Refusal(304, b"{}")) == (
        b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"
    )
