"""Attacks with many connections, broken request heads, or requests without end."""

from __future__ import annotations

import itertools
import selectors
import socket
import time
from collections.abc import Callable

from tests.faults.attacks.target import Pace, Target, drain_in_background

__all__ = [
    "bad_requests",
    "half_open_heads",
    "large_heads",
    "pipelining",
    "reconnecting",
    "unfinished_bodies",
]


def pipelining(target: Target) -> None:
    """Send requests on one connection without waiting for the responses, which are read.

    Options: ``path``; ``rate``, in bytes per second; ``connections``, 1.
    """
    path, rate = target.text("path", "/metrics"), target.number("rate", 200_000)
    request = target.head("GET", path)
    batch = request * max(1, 2000 // len(request))
    count = target.number("connections", 1)
    pace = Pace(rate)
    opened = [target.connect() for _ in range(count)]
    lines = [(connection, drain_in_background(connection)) for connection in opened]
    for number in itertools.count():
        if number >= 2 * count:
            target.begun()
        at = number % count
        connection, over = lines[at]
        pace.spend(len(batch))
        try:
            connection.sendall(batch)
        except OSError:
            over.set()
        if over.is_set():
            connection.close()
            try:
                fresh = target.connect()
            except OSError:
                continue
            lines[at] = (fresh, drain_in_background(fresh))


def half_open_heads(target: Target) -> None:
    """Begin a request on many connections, and never end it. Open closed connections again.

    Options: ``connections``, 3,000; ``rate``, in connects per second.
    """
    head = target.head("GET", "/api/sse/stream?request_id=half-open")[:-4]
    _hold_open(target, target.number("connections", 3000), lambda: head)


def unfinished_bodies(target: Target) -> None:
    """Begin a body on many connections, and never end it. Open closed connections again.

    Options: ``connections``, 3,000; ``path``; ``length``, in bytes; ``rate``, connects per second.
    """
    length = f"Content-Length: {target.number('length', 100_000)}"
    path = target.text("path", "/api/tasks")
    head = target.head("POST", path, "Content-Type: application/json", length)
    _hold_open(target, target.number("connections", 3000), lambda: head + b"{")


def large_heads(target: Target) -> None:
    r"""Open streams with a header that is 15,000 times ``\xff``.

    Options: ``connections``, 200; ``path``, to which a number is added.
    """
    path = target.text("path", "/api/sse/stream?request_id=large-")
    numbers = itertools.count()

    def head() -> bytes:
        return target.head("GET", f"{path}{next(numbers)}", "X-Large: " + "\xff" * 15_000)

    _hold_open(target, target.number("connections", 200), head)


def reconnecting(target: Target) -> None:
    """Open many streams at once, and open refused streams again.

    Options: ``connections``, 2,500; ``path``, to which a number is added; ``rate``;
    ``again``, 0: do not open refused streams again.
    """
    path = target.text("path", "/api/sse/stream?request_id=again-")
    numbers = itertools.count()

    def head() -> bytes:
        return target.head("GET", f"{path}{next(numbers)}", "Accept: text/event-stream")

    target.begun()  # the attack is the arrival of all connections
    _hold_open(target, target.number("connections", 2500), head)


_BROKEN = (
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 17_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    b"GET / HTTP/1.1\r\nX: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"POST /api/tasks HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
    b"DELETE /" + b"\xff" * 4000 + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
)


def bad_requests(target: Target) -> None:
    """Send broken and refused requests, each on a connection of its own.

    Options: ``rate``, in requests per second, 300.
    """
    refused = (
        target.head("GET", "/api/sse/stream?request_id=a:b", "Connection: close"),
        target.head("GET", "/api/sse/stream", "Connection: close"),
        target.head("PATCH", "/api/tasks", "Connection: close"),
        target.post("/api/sse/callback", b"{", "Connection: close"),
        target.post("/api/tasks", b'{"task_type": "' + b"x" * 3000 + b'"}', "Connection: close"),
        target.post("/internal/send", b"[]", "Connection: close"),
    )
    pace = Pace(target.number("rate", 300))
    target.begun()
    for request in itertools.cycle(_BROKEN + refused):
        pace.spend()
        target.ask(request)


def _hold_open(target: Target, count: int, head: Callable[[], bytes]) -> None:
    """Keep ``count`` connections open, each with a head of its own. Open closed ones again.

    The attack is in full effect after ``count`` connects: a server that allows fewer connections
    has closed some of them by then, and closes more for as long as the attack goes on.
    """
    pace = Pace(target.number("rate", 1500))
    selector = selectors.DefaultSelector()
    held = connects = 0
    again = target.number("again", 1)
    deadline = time.monotonic() + 10
    while True:
        if held < count:
            pace.spend()
            held += _hold_one_more(target, selector, head())
            connects += 1
        if connects >= count or time.monotonic() > deadline:
            target.begun()
        for key, _ in selector.select(0 if held < count else 0.5):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            try:
                is_open = bool(connection.recv(65536))
            except BlockingIOError:
                is_open = True
            except OSError:
                is_open = False
            if not is_open:
                selector.unregister(connection)
                connection.close()
                held -= again


def _hold_one_more(target: Target, selector: selectors.BaseSelector, head: bytes) -> int:
    try:
        connection = target.connect()
    except OSError:
        return 0
    try:
        connection.sendall(head)
        connection.setblocking(False)
    except OSError:
        connection.close()
        return 0
    selector.register(connection, selectors.EVENT_READ)
    return 1
