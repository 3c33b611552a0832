"""Tests of the gateway's HTTP answers: fixed headers, readiness, error bodies and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_shim.protocol import http
from gateway_shim.protocol.event_stream import Dialect, Frame
from gateway_shim.protocol.http import Refusal

NAMED, ENVELOPE = Dialect.NAMED, Dialect.ENVELOPE


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
    """A gateway with a backend is ready; the envelope dialect adds fields."""
    assert http.readiness(configured, dialect) == (status, body)


def test_error_body() -> None:
    """An error body holds the message and the code, without white space, in UTF-8."""
    body = http.error_body(http.ErrorCode.NOT_FOUND, 'Nö "x"')
    assert body == '{"error":{"message":"Nö \\"x\\"","code":"NOT_FOUND"}}'.encode()


@pytest.mark.parametrize(
    ("status", "phrase"), [(200, "OK"), (404, "Not Found"), (599, "unknown"), (999, "unknown")]
)
def test_status_phrase(status: int, phrase: str) -> None:
    """A status has its standard phrase; an unknown status has the phrase unknown."""
    assert http.status_phrase(status) == phrase


def test_head() -> None:
    """A head is the status line, the headers as given, in latin-1, and an empty line."""
    assert http.head(404, [("B", "1"), ("A", "\xe9"), ("B", "2")]) == (
        b"HTTP/1.1 404 Not Found\r\nB: 1\r\nA: \xe9\r\nB: 2\r\n\r\n"
    )
    assert http.head(599, iter(())) == b"HTTP/1.1 599 unknown\r\n\r\n"


def test_fixed_headers() -> None:
    """The fixed headers are those that the recordings show on every answer and every stream."""
    assert dict(http.CORS_HEADERS) == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Allow-Headers": "Content-Type, Cache-Control",
    }
    assert dict(http.STREAM_HEADERS) == {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-cache",
        "Connection": "keep-alive",
        "X-Accel-Buffering": "no",
    }
    assert http.JSON_CONTENT_TYPE == "application/json; charset=utf-8"


@pytest.mark.parametrize("seconds", [1, 150, 1_000_000])
def test_keep_alive_header(seconds: int) -> None:
    """The idle time is written as an integer, however large it is."""
    assert http.keep_alive_header(seconds) == ("Keep-Alive", f"timeout={seconds}")


ERROR = b'{"error":{"message":"m","code":"C"}}'


def test_body() -> None:
    """The body of a refusal is derived from its code and message."""
    assert Refusal(503, "C", "m").body == ERROR


def test_body_in_stream() -> None:
    """A refusal inside a stream has no error body."""
    assert Refusal(200, "C", "m", in_stream=Frame(b"x", b"x")).body == b""


def test_unavailable() -> None:
    """A request that can succeed later is refused with 503 and a time to wait."""
    refusal = http.unavailable("C", "m", 5)
    assert refusal == Refusal(503, "C", "m", headers=(("Retry-After", "5"),))


@pytest.mark.parametrize("close", [True, False])
def test_refusal_bytes(close: bool) -> None:
    """A refusal is encoded as a whole answer that tells if the connection is kept."""
    refusal = Refusal(429, "C", "m", headers=(("Retry-After", "5"),))
    idle_seconds = None if close else 5
    connection = b"close" if close else b"keep-alive\r\nKeep-Alive: timeout=5"
    assert http.refusal_bytes(refusal, [("Vary", "Origin")], idle_seconds=idle_seconds) == (
        b"HTTP/1.1 429 Too Many Requests\r\n"
        b"Connection: %b\r\nRetry-After: 5\r\nVary: Origin\r\n"
        b"Content-Type: application/json; charset=utf-8\r\nContent-Length: 36\r\n\r\n"
        b"%b" % (connection, ERROR)
    )


def test_refusal_without_body() -> None:
    """A refusal with status 304 is encoded without a body."""
    assert http.refusal_bytes(Refusal(304, "C", "m")) == (
        b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"
    )
