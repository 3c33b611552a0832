"""Tests of the bodies of answers to callbacks, which do not count."""

from __future__ import annotations

import socket
import time

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.standalone.http_backend import HttpBackend
from tests.gateway_shim.standalone.callback_server import (
    CONNECT,
    DISCONNECT,
    OK,
    SHORT,
    CallbackServer,
    CallCounter,
    sends,
)
from tests.support.timing import TIME_LIMIT, wait_until


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all of it",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000,
    ],
)
def test_only_the_status_counts(
    server: CallbackServer, backend: HttpBackend, answer: bytes
) -> None:
    """A body that is broken or too long does not change the result."""

    def break_off(sock: socket.socket) -> bool:
        sock.sendall(answer)
        return True

    server.answer = break_off
    assert backend.connect(CONNECT) == CallbackAnswer(200, "OK")
    server.answer = sends(OK)
    assert backend.connect(CONNECT) == CallbackAnswer(200, "OK")


@pytest.mark.parametrize("start", [OK[:-2], b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"])
def test_body_that_trickles(
    server: CallbackServer, impatient_backend: HttpBackend, start: bytes
) -> None:
    """A body that does not end in time does not change the result."""

    def trickle(sock: socket.socket) -> None:
        sock.sendall(start)
        while True:
            gevent.sleep(SHORT / 10)
            sock.sendall(b"x")

    server.answer = trickle
    started = time.monotonic()
    assert impatient_backend.connect(CONNECT) == CallbackAnswer(200, "OK")
    assert time.monotonic() - started < TIME_LIMIT / 2


@pytest.mark.parametrize("status", [200, 403])
def test_the_head_decides(server: CallbackServer, backend: HttpBackend, status: int) -> None:
    """A callback does not wait for the body; a body that ends later keeps its connection."""
    end = Signal()

    def answer(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\n" % status)
        end.wait()
        sock.sendall(b"{}")

    server.answer = answer
    assert backend.connect(CONNECT) == CallbackAnswer(status, "X")
    end.set()
    wait_until(lambda: not backend._unread._awaited, "the body to be read")
    assert backend.connect(CONNECT) == CallbackAnswer(status, "X")
    assert (server.connections, len(server.requests)) == (1, 2)


def test_the_head_of_a_redirect_decides(server: CallbackServer, backend: HttpBackend) -> None:
    """A redirect whose body never ends is followed."""
    answers = [
        b"HTTP/1.1 307 M\r\nLocation: /next\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
    ]
    server.answer = lambda sock: sock.sendall(answers.pop(0))
    assert backend.connect(CONNECT) == CallbackAnswer(403, "No")
    gevent.sleep(0)  # the greenlet that reads the body starts
    backend._unread._awaited.kill()


def test_bodies_without_an_end_are_bounded(server: CallbackServer) -> None:
    """Bodies that never end occupy a limited number of connections."""
    backend = HttpBackend(server.url, TIME_LIMIT, bodies_at_once=3)
    open_now: set[socket.socket] = set()

    def answer(sock: socket.socket) -> bool:
        open_now.add(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        sock.recv(1)  # until the client closes the connection
        open_now.remove(sock)
        return True

    server.answer = answer
    failed = CallCounter()
    for _ in range(20):
        assert backend.connect(CONNECT) == CallbackAnswer(200, "OK")
        backend.disconnect(DISCONNECT, failed)
    backend.flush(TIME_LIMIT)
    wait_until(lambda: len(open_now) == 3, "all but three connections to be closed")
    assert (failed.calls, len(server.requests)) == (0, 40)
    backend._unread._awaited.kill()
