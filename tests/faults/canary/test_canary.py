"""Tests of the canary: it notices a server that blocks, and only such a server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from gateway_shim.parity.ports import free_port
from tests.faults.canary.canary import LIMIT, Canary, Figures, disturbance

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

BLOCKED_SECONDS = 2.0


class SlowServer:
    """A context manager that runs a server with one thread and a lock for each response."""

    def __init__(self, answer: bytes = ANSWER) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._stopping = False

    def __enter__(self) -> SlowServer:
        """Start to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        self._stopping = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._stopping:
            connection, _ = self._listener.accept()
            with connection, self.lock:
                try:
                    if connection.recv(4096):
                        connection.sendall(self._answer)
                except OSError:
                    continue

    @contextmanager
    def blocked(self) -> Iterator[None]:
        """Block the server, again and again, for much longer than a busy machine delays it."""
        over = threading.Event()

        def block() -> None:
            while not over.wait(0.1):
                with self.lock:
                    time.sleep(BLOCKED_SECONDS)

        thread = threading.Thread(target=block)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def test_a_blocked_server_is_noticed() -> None:
    """The ratio of a server that blocks for seconds is much higher than that of an idle server."""
    with SlowServer() as server:
        attacked = disturbance(server.port, server.blocked, seconds=1)
        left_alone = disturbance(server.port, nullcontext, seconds=0.5)
    assert attacked.attacked.p99 > BLOCKED_SECONDS / 2
    assert attacked.ratio > 5 * left_alone.ratio
    assert attacked.failed == left_alone.failed == 0
    assert attacked.idle.count > 10


def test_requests_do_not_wait_for_each_other() -> None:
    """The canary sends more requests while the server is blocked, so several are slow."""
    with SlowServer() as server, Canary(server.port) as canary:
        canary.take_seconds()
        with server.lock:
            time.sleep(0.6)
        seconds = canary.take_seconds()
    assert sum(value > 0.2 for value in seconds) > 3


@pytest.mark.parametrize("answer", [b"HTTP/1.1 503 No\r\n\r\n", b"", b"what is this"])
def test_another_answer_is_a_failure(answer: bytes) -> None:
    """A refusal, an end without a response, and invalid HTTP count as the longest time."""
    with SlowServer(answer) as server, Canary(server.port) as canary:
        time.sleep(0.2)
        figures = canary.take()
    assert figures.failed == figures.count > 0
    assert figures.p50 == figures.p99 == LIMIT


def test_a_closed_port_is_a_failure() -> None:
    """A request to a closed port counts as failed."""
    with Canary(free_port()) as canary:
        time.sleep(0.2)
        assert canary.take().failed > 0


def test_figures() -> None:
    """Percentiles are nearest ranks, and no response times raise an error."""
    figures = Figures.of([n / 1000 for n in range(1, 201)])
    assert figures == Figures(200, 0.1, 0.198, 0.2, 0)
    assert Figures.of([0.001, LIMIT]) == Figures(2, 0.001, LIMIT, LIMIT, 1)
    with pytest.raises(ValueError, match="more time"):
        Figures.of([])
