"""The target of an attack, and the tools that all attacks share.

This module uses only the standard library and none of the product's code, as a real attacker does.
"""

from __future__ import annotations

import json
import resource
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "Pace",
    "Target",
    "drain_in_background",
    "raise_descriptor_limit",
    "send_and_hold",
]

SECONDS = 15.0
"""The time limit after which an attacker tries another connection, in seconds."""


@dataclass
class Target:
    """A server under attack.

    Attributes:
        host: the address of the server.
        port: the port of the server.
        headers: additional headers of every request, such as ``X-Forwarded-For``.
        options: numbers and texts that change an attack, such as the number of connections.
    """

    host: str
    port: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    _has_begun: bool = field(default=False, init=False)

    def number(self, name: str, default: int) -> int:
        """Return the value of an option that is a number."""
        return int(self.options.get(name, default))

    def text(self, name: str, default: str) -> str:
        """Return the value of an option that is a text."""
        return self.options.get(name, default)

    def begun(self) -> None:
        """Report once, to the process that has started the attack, that it is in full effect."""
        if not self._has_begun:
            self._has_begun = True
            print("begun", flush=True)

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        """Open a connection.

        Args:
            receive_buffer: the size of the kernel's receive buffer in bytes, for slow readers.

        Raises:
            OSError: the server does not accept the connection in time.
        """
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if receive_buffer is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            connection.settimeout(SECONDS)
            connection.connect((self.host, self.port))
        except BaseException:
            connection.close()
            raise
        return connection

    def connections(self) -> Iterator[socket.socket]:
        """Yield one connection after another without end, and close each before the next."""
        while True:
            try:
                with self.connect() as connection:
                    yield connection
            except OSError:
                time.sleep(0.05)

    def head(self, method: str, path: str, *lines: str) -> bytes:
        """Return the head of a request.

        Args:
            method: the method.
            path: the path and the query.
            *lines: additional header lines.
        """
        own = [f"{name}: {value}" for name, value in self.headers]
        start = f"{method} {path} HTTP/1.1"
        return "\r\n".join([start, f"Host: {self.host}:{self.port}", *own, *lines, "", ""]).encode(
            "latin-1"
        )

    def post(self, path: str, body: bytes, *lines: str) -> bytes:
        """Return a whole request with a JSON body."""
        length = f"Content-Length: {len(body)}"
        return self.head("POST", path, "Content-Type: application/json", length, *lines) + body

    def start_task(self, task_type: str, **params: Any) -> dict[str, Any]:
        """Start a task, with as many requests as necessary, and return the body of the response."""
        body = json.dumps({"task_type": task_type, "params": params}).encode()
        while True:
            status, answer = self.ask(self.post("/api/tasks", body, "Connection: close"))
            if status == 202:
                started: dict[str, Any] = json.loads(answer)
                return started
            assert status in (0, 503), answer[:500]
            time.sleep(0.05)

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request with ``Connection: close``. Return status (0: no response) and body."""
        try:
            with self.connect() as connection:
                connection.sendall(request)
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError:
            return 0, b""
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]) if head else 0, body


class Pace:
    """A limit of an attacker's rate.

    Args:
        per_second: the amount that may be spent in a second, such as bytes or connections.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._due = time.monotonic()

    def spend(self, amount: float = 1) -> None:
        """Wait until the rate allows this amount. Unused amounts are not saved for later."""
        self._due = max(self._due + amount / self._per_second, time.monotonic() - 0.1)
        time.sleep(max(self._due - time.monotonic(), 0))


def drain_in_background(connection: socket.socket) -> threading.Event:
    """Read and discard everything on a thread, and return an event that is set at the end."""
    over = threading.Event()

    def drain() -> None:
        try:
            while connection.recv(65536):
                pass
        except OSError:
            pass
        over.set()

    threading.Thread(target=drain, daemon=True).start()
    return over


def send_and_hold(
    target: Target,
    requests: Iterable[bytes],
    pace: Pace,
    count: int,
    *,
    seconds: float = SECONDS,
    begun_at: int | None = None,
    receive_buffer: int | None = None,
) -> None:
    """Send each request on a connection of its own, read nothing, and keep the newest ones open.

    Args:
        target: the server.
        requests: the requests, which are sent one after the other.
        pace: the rate of requests.
        count: the number of connections that are kept open.
        seconds: how long to wait for a server that does not read; 0: do not wait.
        begun_at: the number of connections that put the attack in full effect; None: ``count``.
        receive_buffer: as for :meth:`Target.connect`.
    """
    held: deque[socket.socket] = deque()
    for number, request in enumerate(requests):
        if number >= (count if begun_at is None else begun_at):
            target.begun()
        pace.spend()
        try:
            connection = target.connect(receive_buffer)
        except OSError:
            continue
        held.append(connection)
        try:
            connection.settimeout(seconds)
            connection.sendall(request)
        except (BlockingIOError, TimeoutError):
            pass  # the server does not read, and the bytes that were sent may wait there
        except OSError:
            held.pop().close()  # the server refused the request, as it should
        if len(held) > count:
            held.popleft().close()


def raise_descriptor_limit() -> None:
    """Raise the descriptor limit to its maximum, because some attacks open many connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
