"""The questions of the canary: one every 50 ms, each on a thread and a connection of its own."""

from __future__ import annotations

import math
import socket
import ssl
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

__all__ = ["LIMIT", "Questions"]

EVERY = 0.05
"""Seconds between two questions."""

LIMIT = 10.0
"""Seconds that a question waits for its answer. A failed question counts as one that took so long:
a server that turns the canary away at once is not a fast one."""


class Questions:
    """Asks, each question on a thread and a connection of its own."""

    def __init__(self, host: str, port: int, path: str, tls: bool) -> None:
        self._address = (host, port)
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
        ).encode()
        self._tls: ssl.SSLContext | None = None
        if tls:
            self._tls = ssl.create_default_context()
            self._tls.check_hostname = False
            self._tls.verify_mode = ssl.CERT_NONE
        self._threads = ThreadPoolExecutor(math.ceil(LIMIT / EVERY) + 20)
        self._lock = threading.Lock()
        self._asked: list[Future[float]] = []

    def ask_for_ever(self) -> None:
        """Ask every 50 ms, whether or not earlier questions are answered."""
        due = time.monotonic()
        while True:
            with self._lock:
                self._asked.append(self._threads.submit(self._ask, time.monotonic()))
            # A process that was not let run does not catch up: that would be a burst.
            due = max(due + EVERY, time.monotonic())
            time.sleep(max(due - time.monotonic(), 0))

    def take(self) -> list[float]:
        """Wait for the questions asked since the last call; return the seconds of each."""
        with self._lock:
            asked, self._asked = self._asked, []
        wait(asked)
        return [question.result() for question in asked]

    def _ask(self, began: float) -> float:
        try:
            with socket.create_connection(self._address, LIMIT) as plain:
                if self._tls is None:
                    return self._read_answer(plain, began)
                with self._tls.wrap_socket(plain, server_hostname=self._address[0]) as secure:
                    return self._read_answer(secure, began)
        except OSError:
            return LIMIT

    def _read_answer(self, connection: socket.socket, began: float) -> float:
        connection.sendall(self._request)
        answer = b""
        while data := connection.recv(65536):
            answer += data
            connection.settimeout(max(began + LIMIT - time.monotonic(), 0.001))
        status = answer.split(b" ", 2)[1:2]
        return min(time.monotonic() - began, LIMIT) if status == [b"200"] else LIMIT
