"""Answers that the worker writes itself."""

from __future__ import annotations

import re

import pytest

from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.http import Refusal
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.server.responses.own_answers import OwnAnswers
from gateway_shim.streams.callbacks.backend import InProcessBackend, NoBackend
from gateway_shim.streams.config import GatewayConfig
from gateway_shim.streams.gateway import Gateway

HEAD = StreamRequest("/x", {"origin": "https://a"})


def asked(payload: object) -> CallbackAnswer:
    """Fail: the backend must not be called."""
    raise AssertionError(payload)


def answers(**settings: object) -> OwnAnswers:
    """Create the answers of a gateway with some settings."""
    backend = InProcessBackend(asked)
    return OwnAnswers(Gateway(backend, GatewayConfig(), **settings), 7)  # type: ignore[arg-type]


@pytest.mark.parametrize("close", [True, False])
def test_head_calls_nobody(close: bool) -> None:
    """HEAD gets the head of a stream without a stream (divergence 5)."""
    head = answers().head(HEAD, close=close)
    assert re.fullmatch(
        rb"HTTP/1\.1 200 OK\r\nDate: [^\r\n]+\r\nContent-Type: text/event-stream\r\n.*\r\n\r\n",
        head,
        re.DOTALL,
    )
    assert b"chunked" not in head
    assert (b"\r\nConnection: close\r\n" in head) is close


def test_head_without_a_backend() -> None:
    """HEAD gets the same refusal as GET, without the body."""
    gateway = Gateway(NoBackend(), GatewayConfig())
    head = OwnAnswers(gateway, 7).head(HEAD, close=False)
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nConnection: keep-alive\r\nKeep-Alive: timeout=7\r\n" in head
    assert b"\r\nAccess-Control-Allow-Origin: *\r\n" in head
    assert head.endswith(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)\r\n", head)
    assert length is not None
    assert int(length[1]) > 0


def test_head_that_is_not_allowed() -> None:
    """A client that may not open a stream is refused for HEAD as well."""
    head = answers(check=lambda _: Refusal(403, "C", "m")).head(HEAD, close=True)
    assert head.startswith(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n")
    assert head.endswith(b"\r\nContent-Length: 36\r\n\r\n")


def test_refusal() -> None:
    """A refusal has the CORS headers and announces the idle time."""
    own = answers()
    assert own.refusal(Refusal(400, "C", "m"), close=True) == (
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nAccess-Control-Allow-Origin: *\r\n"
        b"Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"
        b"Access-Control-Allow-Headers: Content-Type, Cache-Control\r\n"
        b"Content-Type: application/json; charset=utf-8\r\nContent-Length: 36\r\n\r\n"
        b'{"error":{"message":"m","code":"C"}}'
    )
    kept = own.refusal(Refusal(400, "C", "m"), [("ORIGIN", "x")], close=False)
    assert b"\r\nConnection: keep-alive\r\nKeep-Alive: timeout=7\r\n" in kept
