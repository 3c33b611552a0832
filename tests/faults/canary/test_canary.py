"""The canary sees a server that stands still, and nothing where nothing happens."""

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


class SlowServer:
    """A context manager: a server with one thread, and a lock that it needs for each answer."""

    def __init__(self, answer: bytes = ANSWER) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._stopping = False

    def __enter__(self) -> SlowServer:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
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
    def standing_still(self) -> Iterator[None]:
        """Answer nobody for 400 ms of each half second."""
        over = threading.Event()

        def stand_still() -> None:
            while not over.wait(0.1):
                with self.lock:
                    time.sleep(0.4)

        thread = threading.Thread(target=stand_still)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def test_a_server_that_stands_still_is_seen() -> None:
    """The ratio tells one that answers nobody for 0.4 s from one that nobody attacks."""
    with SlowServer() as server:
        attacked = disturbance(server.port, server.standing_still, seconds=1)
        left_alone = disturbance(server.port, nullcontext, seconds=1)
    assert attacked.attacked.p99 > 0.3
    assert attacked.ratio > 5 * left_alone.ratio
    assert attacked.failed == left_alone.failed == 0
    assert attacked.idle.count > 10


def test_questions_do_not_wait_for_one_another() -> None:
    """While a server stands still the canary goes on asking: many questions see it, not one."""
    with SlowServer() as server, Canary(server.port) as canary:
        canary.take_seconds()
        with server.lock:
            time.sleep(0.6)
        seconds = canary.take_seconds()
    assert sum(value > 0.2 for value in seconds) > 3


@pytest.mark.parametrize("answer", [b"HTTP/1.1 503 No\r\n\r\n", b"", b"what is this"])
def test_another_answer_is_a_failure(answer: bytes) -> None:
    """A refusal, an end without an answer, or nonsense counts as the longest time there is."""
    with SlowServer(answer) as server, Canary(server.port) as canary:
        time.sleep(0.2)
        figures = canary.take()
    assert figures.failed == figures.count > 0
    assert figures.p50 == figures.p99 == LIMIT


def test_nobody_listens() -> None:
    """So does a closed port."""
    with Canary(free_port()) as canary:
        time.sleep(0.2)
        assert canary.take().failed > 0


def test_figures() -> None:
    """Percentiles are nearest ranks; nothing has no figures."""
    figures = Figures.of([n / 1000 for n in range(1, 201)])
    assert figures == Figures(200, 0.1, 0.198, 0.2, 0)
    assert Figures.of([0.001, LIMIT]) == Figures(2, 0.001, LIMIT, LIMIT, 1)
    with pytest.raises(ValueError, match="more time"):
        Figures.of([])
