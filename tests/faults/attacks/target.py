"""What an attack is directed at, and the small tools that all attacks need.

Only the standard library, and nothing of the product: attackers have none of it.
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
"""How long an attacker waits for anything, before it goes on with another connection."""


@dataclass
class Target:
    """A server under attack.

    Attributes:
        host: where it listens.
        port: where it listens.
        headers: what every request says in addition, such as ``X-Forwarded-For``.
        options: numbers and texts that change one attack: how many, how large.
    """

    host: str
    port: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    _has_begun: bool = field(default=False, init=False)

    def number(self, name: str, default: int) -> int:
        """Return an option that is a number."""
        return int(self.options.get(name, default))

    def text(self, name: str, default: str) -> str:
        """Return an option that is a text."""
        return self.options.get(name, default)

    def begun(self) -> None:
        """Tell the process that has started the attack, once, that it is in full effect."""
        if not self._has_begun:
            self._has_begun = True
            print("begun", flush=True)

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        """Open a connection.

        Args:
            receive_buffer: bytes that the kernel takes while nobody reads.

        Raises:
            OSError: the server does not take it in time.
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
        """Open one connection after another, for ever, each closed before the next one."""
        while True:
            try:
                with self.connect() as connection:
                    yield connection
            except OSError:
                time.sleep(0.05)

    def head(self, method: str, path: str, *lines: str) -> bytes:
        """Return a request's head.

        Args:
            method: of the request.
            path: with the query.
            *lines: more header lines.
        """
        said = [f"{name}: {value}" for name, value in self.headers]
        start = f"{method} {path} HTTP/1.1"
        return "\r\n".join([start, f"Host: {self.host}:{self.port}", *said, *lines, "", ""]).encode(
            "latin-1"
        )

    def post(self, path: str, body: bytes, *lines: str) -> bytes:
        """Return a whole request with a JSON body."""
        length = f"Content-Length: {len(body)}"
        return self.head("POST", path, "Content-Type: application/json", length, *lines) + body

    def start_task(self, task_type: str, **params: Any) -> dict[str, Any]:
        """Start a task, however often the server has to be asked; return the answer."""
        body = json.dumps({"task_type": task_type, "params": params}).encode()
        while True:
            status, answer = self.ask(self.post("/api/tasks", body, "Connection: close"))
            if status == 202:
                started: dict[str, Any] = json.loads(answer)
                return started
            assert status in (0, 503), answer[:500]
            time.sleep(0.05)

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request with ``Connection: close``; return status and body, 0 if none came."""
        try:
            with self.connect() as connection:
                connection.sendall(request)
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError:
            return 0, b""
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]) if head else 0, body


class Pace:
    """Holds an attacker to a rate.

    Args:
        per_second: how much may be spent in a second: bytes, connections.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._due = time.monotonic()

    def spend(self, amount: float = 1) -> None:
        """Wait until so much more is allowed. What was not spent in time is not saved up."""
        self._due = max(self._due + amount / self._per_second, time.monotonic() - 0.1)
        time.sleep(max(self._due - time.monotonic(), 0))


def drain_in_background(connection: socket.socket) -> threading.Event:
    """Read what comes, and throw it away; the event is set at the connection's end."""
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
    """Send each request over a connection of its own, read nothing, and keep the newest ones open.

    Args:
        target: the server.
        requests: what is sent, one after the other.
        pace: how many requests are sent in a second.
        count: connections that are kept open.
        seconds: how long to wait for a server that does not read; 0: not at all.
        begun_at: connections from which on the attack is in full effect; None: ``count``.
        receive_buffer: as for ``Target.connect``.
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
            pass  # the server does not read: what has been sent may wait there
        except OSError:
            held.pop().close()  # refused, as it should be
        if len(held) > count:
            held.popleft().close()


def raise_descriptor_limit() -> None:
    """Allow as many descriptors as the system does: some attacks are many connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
