"""The requests of the canary: one every 50 ms, each on a thread and a connection of its own."""

from __future__ import annotations

import math
import socket
import ssl
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

__all__ = ["LIMIT", "Questions"]

EVERY = 0.05
"""The time between two requests, in seconds."""

LIMIT = 10.0
"""The time limit of a request, in seconds.

A failed request counts as one that took this long, because a server that refuses the canary at once
is not a fast server.
"""


class Questions:
    """A client that sends each request on a thread and a connection of its own.

    Args:
        host: the address of the server.
        port: the port of the server.
        path: the path of the requests.
        tls: use TLS, without verification of the certificate.
    """

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
        self._sent: list[Future[float]] = []

    def send_without_end(self) -> None:
        """Send a request every 50 ms, even if earlier requests still wait for their response."""
        due = time.monotonic()
        while True:
            with self._lock:
                self._sent.append(self._threads.submit(self._measure, time.monotonic()))
            # A process that was suspended does not catch up, because that would be a burst.
            due = max(due + EVERY, time.monotonic())
            time.sleep(max(due - time.monotonic(), 0))

    def take(self) -> list[float]:
        """Wait for the requests sent since the last call, and return the seconds of each."""
        with self._lock:
            sent, self._sent = self._sent, []
        wait(sent)
        return [request.result() for request in sent]

    def _measure(self, began: float) -> float:
        try:
            with socket.create_connection(self._address, LIMIT) as plain:
                if self._tls is None:
                    return self._read_response(plain, began)
                with self._tls.wrap_socket(plain, server_hostname=self._address[0]) as secure:
                    return self._read_response(secure, began)
        except OSError:
            return LIMIT

    def _read_response(self, connection: socket.socket, began: float) -> float:
        connection.sendall(self._request)
        response = b""
        while data := connection.recv(65536):
            response += data
            connection.settimeout(max(began + LIMIT - time.monotonic(), 0.001))
        status = response.split(b" ", 2)[1:2]
        return min(time.monotonic() - began, LIMIT) if status == [b"200"] else LIMIT
