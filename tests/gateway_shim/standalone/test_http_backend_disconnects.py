"""Tests of disconnect callbacks: many at a time, and the wait for their answers."""

from __future__ import annotations

import json
import socket
import time

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.protocol.backend_start import parse_boot
from gateway_shim.standalone.http_backend import HttpBackend
from tests.gateway_shim.standalone.callback_server import (
    DISCONNECT,
    OK,
    Answer,
    CallbackServer,
    CallCounter,
    sends,
)
from tests.support.timing import TIME_LIMIT, wait_until


def test_disconnect(server: CallbackServer, backend: HttpBackend) -> None:
    """A disconnect does not wait for its answer; a flush does."""
    gate = Signal()

    def answer(sock: socket.socket) -> None:
        gate.wait()
        sock.sendall(OK)

    server.answer = answer
    failed = CallCounter()
    backend.disconnect(DISCONNECT, failed)
    wait_until(lambda: server.requests, "the disconnect")
    flushing = gevent.spawn(backend.flush, TIME_LIMIT)
    gevent.sleep(0)
    assert not flushing.ready()
    gate.set()
    flushing.get(timeout=TIME_LIMIT / 2)
    assert json.loads(server.requests[0][1]) == DISCONNECT
    assert failed.calls == 0


def test_ask(server: CallbackServer, backend: HttpBackend) -> None:
    """The backend's start is found out by a disconnect of a stream that never existed."""
    boot = "7-0f8fad5b-d9cb-469f-a165-70867728950e"
    server.answer = sends(OK.replace(b"\r\n\r\n", f"\r\nSSE-Backend-Boot: {boot}\r\n\r\n".encode()))
    backend.starts.ask()
    body = json.loads(server.requests[0][1])
    assert body.pop("token")
    nowhere = {"url": "/", "headers": {}}
    assert body == {"action": "disconnect", "reason": "server_closed", "request": nowhere}
    assert backend.starts._newest == parse_boot(boot)


@pytest.mark.parametrize(
    "answer",
    [
        sends(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"),
        sends(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"),
        lambda sock: True,
        lambda sock: gevent.sleep(3600),
    ],
)
def test_disconnect_fails(
    server: CallbackServer, impatient_backend: HttpBackend, answer: Answer
) -> None:
    """A disconnect that fails or is not accepted is tried once and counted."""
    server.answer = answer
    failed = CallCounter()
    impatient_backend.disconnect(DISCONNECT, failed)
    impatient_backend.flush(TIME_LIMIT)
    assert (failed.calls, len(server.requests)) == (1, 1)


def test_disconnects_at_once(server: CallbackServer) -> None:
    """A limited number of disconnects is under way at a time, and all of them arrive."""
    backend = HttpBackend(server.url, TIME_LIMIT, disconnects_at_once=32)
    gate = Signal()

    def answer(sock: socket.socket) -> None:
        gate.wait()
        sock.sendall(OK)

    def tell_all() -> None:
        for number in range(100):
            backend.disconnect(DISCONNECT | {"token": str(number)}, failed)

    server.answer = answer
    failed = CallCounter()
    with backend._client:
        telling = gevent.spawn(tell_all)
        wait_until(lambda: server.at_once == 32, "the largest allowed number")
        assert not telling.ready()  # the others wait for an answer to one of these
        gate.set()
        telling.get(timeout=TIME_LIMIT)
        backend.flush(TIME_LIMIT)
    told = {json.loads(body)["token"] for _, body in server.requests}
    assert told == {str(number) for number in range(100)}
    assert server.at_once == 32
    assert failed.calls == 0


def test_a_crowd_does_not_connect_at_one_instant(
    server: CallbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many disconnects connect in steps, which a backend's accept queue can hold."""
    monkeypatch.setattr("gateway_shim.standalone.http_backend._STEP_SECONDS", 3600)
    backend = HttpBackend(server.url, TIME_LIMIT)
    gate = Signal()

    def answer(sock: socket.socket) -> None:
        gate.wait()
        sock.sendall(OK)

    def tell_all() -> None:
        for _ in range(200):
            backend.disconnect(DISCONNECT, CallCounter())

    server.answer = answer
    with backend._client:
        telling = gevent.spawn(tell_all)
        wait_until(lambda: server.at_once == 64, "the first step")
        assert (len(backend._disconnects), telling.ready()) == (64, False)
        telling.kill()
        gate.set()
        backend.flush(TIME_LIMIT)


def test_flush_has_a_time_limit(server: CallbackServer) -> None:
    """A flush waits no longer than its time limit."""
    server.answer = lambda sock: gevent.sleep(3600)
    backend = HttpBackend(server.url)
    backend.disconnect(DISCONNECT, CallCounter())
    started = time.monotonic()
    backend.flush(0.05)
    assert time.monotonic() - started < TIME_LIMIT / 2
    backend.flush(0)
    backend._disconnects.kill()


def test_flush_of_nothing(backend: HttpBackend) -> None:
    """A flush with nothing under way returns at once."""
    backend.flush(TIME_LIMIT)
