"""Tests of callbacks that get no answer."""

from __future__ import annotations

import contextlib
import socket
import struct
import time

import gevent
import pytest

from gateway_shim.parity.ports import free_port
from gateway_shim.protocol.callbacks import CallbackAnswer, CallbackFailure
from gateway_shim.standalone.http_backend import HttpBackend
from tests.gateway_shim.standalone.callback_server import (
    CONNECT,
    OK,
    SHORT,
    CallbackServer,
    logged,
    sends,
)
from tests.support.http.odd_answers import INTERIM, NO_ANSWERS, pour_interim
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("received", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_no_answer(
    server: CallbackServer,
    backend: HttpBackend,
    received: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A final status that is not valid never reaches a browser; one line is logged."""

    def talk(sock: socket.socket) -> bool:
        sock.sendall(received)
        return True

    server.answer = talk
    assert backend.connect(CONNECT) is CallbackFailure.UNAVAILABLE
    ((message, _, _),) = logged(caplog)
    assert message.startswith("the callback failed: ")
    assert message.isprintable()
    assert len(caplog.records) == 1


def test_many_interim_answers_without_an_end(server: CallbackServer, backend: HttpBackend) -> None:
    """A flood of interim answers fails because of their number."""
    server.answer = pour_interim
    assert backend.connect(CONNECT) is CallbackFailure.UNAVAILABLE


def test_slow_interim_answers_without_an_end(
    server: CallbackServer, impatient_backend: HttpBackend
) -> None:
    """Slow interim answers without an end fail after the time limit."""

    def drip(sock: socket.socket) -> None:
        while True:
            sock.sendall(INTERIM["102"])
            gevent.sleep(SHORT / 10)

    server.answer = drip
    assert impatient_backend.connect(CONNECT) is CallbackFailure.TIMEOUT


def test_no_answer_in_time(
    server: CallbackServer, impatient_backend: HttpBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """A backend that sends nothing fails after the time limit."""
    server.answer = lambda sock: gevent.sleep(3600)
    started = time.monotonic()
    assert impatient_backend.connect(CONNECT) is CallbackFailure.TIMEOUT
    assert SHORT * 0.9 < time.monotonic() - started < TIME_LIMIT / 2
    assert logged(caplog) == [("the callback was not answered in time", "connect", "t")]


def test_head_that_trickles(server: CallbackServer, impatient_backend: HttpBackend) -> None:
    """The time limit applies to the whole head, not to each read of it."""

    def trickle(sock: socket.socket) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n" * 1000:
            sock.sendall(bytes([byte]))
            gevent.sleep(SHORT / 10)

    server.answer = trickle
    started = time.monotonic()
    assert impatient_backend.connect(CONNECT) is CallbackFailure.TIMEOUT
    assert time.monotonic() - started < TIME_LIMIT / 2
    server.answer = sends(OK)
    assert impatient_backend.connect(CONNECT) == CallbackAnswer(200, "OK")


def test_default_time_limit() -> None:
    """The default time limit is that of the contract."""
    assert HttpBackend("http://127.0.0.1:1/")._time_limit == 5


def test_refused(caplog: pytest.LogCaptureFixture) -> None:
    """A backend that refuses connections is unavailable, and the log names the reason."""
    backend = HttpBackend(f"http://127.0.0.1:{free_port()}/", TIME_LIMIT)
    assert backend.connect(CONNECT) is CallbackFailure.UNAVAILABLE
    ((message, action, token),) = logged(caplog)
    assert message.startswith("the callback failed: ")
    assert "refused" in message
    assert (action, token) == ("connect", "t")


def test_reset(server: CallbackServer, backend: HttpBackend) -> None:
    """A connection that is reset means that the backend is unavailable."""

    def reset(sock: socket.socket) -> bool:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        return True

    server.answer = reset
    assert backend.connect(CONNECT) is CallbackFailure.UNAVAILABLE


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"hello\r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 99 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x" * 100_000 + b": 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: 1\r\n" * 10_000 + b"\r\n",
    ],
)
def test_garbage(server: CallbackServer, backend: HttpBackend, garbage: bytes) -> None:
    """Bytes that are not HTTP mean that the backend is unavailable."""

    def talk(sock: socket.socket) -> bool:
        sock.sendall(garbage)
        return True

    server.answer = talk
    assert backend.connect(CONNECT) is CallbackFailure.UNAVAILABLE


@pytest.mark.parametrize(
    "url", ["no url", "ftp://127.0.0.1/", "http://", "http://[::1/", "http://\ud800/"]
)
def test_url_that_cannot_work(url: str) -> None:
    """An invalid URL means that the backend is unavailable."""
    assert HttpBackend(url, TIME_LIMIT).connect(CONNECT) is CallbackFailure.UNAVAILABLE


def test_a_backend_whose_queue_is_full_is_not_told() -> None:
    """A backend whose accept queue is full gets no callback, and the connect times out.

    The kernel drops the connection attempt, and repeats it after 1, 3 and 7 s.
    """
    with socket.socket() as listener, contextlib.ExitStack() as others:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # more than the queue holds
            waiting = others.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        backend = HttpBackend(f"http://127.0.0.1:{listener.getsockname()[1]}/", SHORT)
        assert backend.connect(CONNECT) is CallbackFailure.TIMEOUT
        others.close()
        listener.settimeout(SHORT)
        with contextlib.suppress(TimeoutError):
            while True:
                accepted, _ = listener.accept()
                with accepted:
                    accepted.settimeout(TIME_LIMIT)
                    assert accepted.recv(1) == b""
