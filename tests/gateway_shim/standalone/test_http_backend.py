"""Tests of the HTTP backend: its requests and its connections."""

from __future__ import annotations

import json
import socket
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.http_client import pool as http_pool
from gateway_shim.parity.ports import free_port
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.standalone import http_backend
from gateway_shim.standalone.http_backend import HttpBackend
from gateway_shim.streams.callbacks.backend import Backend
from tests.gateway_shim.standalone.callback_server import (
    CONNECT,
    OK,
    CallbackServer,
    sends,
)
from tests.support.http.odd_answers import BAD_SET_COOKIE
from tests.support.timing import TIME_LIMIT, wait_until


def test_request(server: CallbackServer, backend: HttpBackend) -> None:
    """A callback is a POST of compact JSON in UTF-8 to the URL as it was given."""
    seam: Backend = backend
    assert seam.configured is True
    assert seam.connect(CONNECT) == CallbackAnswer(200, "OK")
    ((head, body),) = server.requests
    assert head[0] == "POST /callback?secret=s HTTP/1.1"
    assert "Content-Type: application/json" in head
    assert body == json.dumps(CONNECT, ensure_ascii=False, separators=(",", ":")).encode()


def test_environment_is_ignored(server: CallbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A callback uses no proxy and no credentials of the environment."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    backend = HttpBackend(server.url, TIME_LIMIT)
    with backend._client:
        assert backend.connect(CONNECT) == CallbackAnswer(200, "OK")


def test_cookies_are_not_kept(server: CallbackServer, backend: HttpBackend) -> None:
    """A cookie that one callback gets is not sent with the next callback."""
    server.answer = sends(
        b"HTTP/1.1 200 OK\r\nSet-Cookie: session=first\r\nContent-Length: 0\r\n\r\n"
    )
    backend.connect(CONNECT)
    backend.connect(CONNECT)
    assert not any(
        line.lower().startswith("cookie") for head, _ in server.requests for line in head
    )


def test_malformed_cookie_is_not_read(
    server: CallbackServer, backend: HttpBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """A malformed cookie logs nothing; a cookie jar would log a traceback."""
    server.answer = sends(b"HTTP/1.1 200 OK\r\n" + BAD_SET_COOKIE + b"Content-Length: 0\r\n\r\n")
    assert backend.connect(CONNECT) == CallbackAnswer(200, "OK")
    assert caplog.records == []


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/%41%2f%zz", "/%41%2f%zz"),
        ("\\cb ", "/cb"),
        ('/a|b"<>{}^`', "/a|b%22%3C%3E%7B%7D^%60"),
        ("/cb?a='\"<>b", "/cb?a=%27%22%3C%3Eb"),
        ("/a/../b/./c#f", "/b/c"),
        ("?x", "/?x"),
    ],
)
def test_targets(server: CallbackServer, path: str, target: str) -> None:
    """CALLBACK_URL is normalized exactly as Node does."""
    port = server.url.split(":")[2].split("/")[0]
    backend = HttpBackend(f"http://127.0.0.1:{port}{path}", TIME_LIMIT)
    with backend._client:
        assert backend.connect(CONNECT) == CallbackAnswer(200, "OK")
    assert server.requests[0][0][0] == f"POST {target} HTTP/1.1"


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
)
def test_keep_alive(server: CallbackServer, backend: HttpBackend, answer: bytes) -> None:
    """Callbacks that follow each other use one connection."""
    server.answer = sends(answer)
    for _ in range(5):
        backend.connect(CONNECT)
    assert (server.connections, len(server.requests)) == (1, 5)


def test_idle_connection_that_was_closed(server: CallbackServer, backend: HttpBackend) -> None:
    """A kept connection that the backend has closed meanwhile is replaced."""

    def answer_and_close(sock: socket.socket) -> bool:
        sock.sendall(OK)
        sock.shutdown(socket.SHUT_RDWR)
        return True

    server.answer = answer_and_close
    for _ in range(3):
        assert backend.connect(CONNECT) == CallbackAnswer(200, "OK")
        gevent.sleep(0.01)
    assert server.connections == 3


def test_idle_connections_are_closed(
    server: CallbackServer, backend: HttpBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connections of a burst of callbacks are closed, even if no further callback follows."""
    monkeypatch.setattr(http_pool, "_IDLE_SECONDS", 0.05)
    monkeypatch.setattr(http_backend, "_SWEEP_SECONDS", 0.01)
    transport: Any = backend._client._transport
    for _ in range(2):
        connects = [gevent.spawn(backend.connect, CONNECT) for _ in range(10)]
        gevent.joinall(connects, timeout=TIME_LIMIT, raise_error=True)
        wait_until(lambda: not any(transport._kept.values()), "all connections to be closed")
        wait_until(lambda: backend._sweeper is None, "the search for idle connections to end")


def test_connects_do_not_wait_for_each_other(server: CallbackServer, backend: HttpBackend) -> None:
    """Any number of connect callbacks are sent at the same time."""
    all_arrived = Signal()

    def answer(sock: socket.socket) -> None:
        if server.at_once == 50:
            all_arrived.set()
        all_arrived.wait()
        sock.sendall(OK)

    server.answer = answer
    asking = [gevent.spawn(backend.connect, CONNECT) for _ in range(50)]
    gevent.joinall(asking, timeout=TIME_LIMIT)
    assert [greenlet.value for greenlet in asking] == [CallbackAnswer(200, "OK")] * 50
