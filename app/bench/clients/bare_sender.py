"""The limit of the measurements: a bare loop of ``send`` over sockets, in its own process."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from app.bench.clients.helper import serve
from app.bench.clients.payload import sample_frame

__all__ = ["BareSender"]


class BareSender:
    """A server that only sends. Every method is a command of the helper process."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._sockets: list[socket.socket] = []

    def port(self) -> int:
        """Return the port that the server listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    def accept(self, count: int) -> dict[str, Any]:
        """Accept this number of connections."""
        for _ in range(count):
            sock = self._listener.accept()[0]
            sock.setblocking(False)
            # gunicorn sets this option, too. Without it, the kernel puts several events into one
            # segment, and an event waits for the acknowledgment of the event before it.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(sock)
        return {}

    def send(self, events: int, pause: float = 0.0) -> dict[str, Any]:
        """Send events to every connection: the same bytes, with one ``send`` for each event.

        Args:
            events: the number of events.
            pause: the pause before each event, seconds.

        Returns:
            The time of the beginning, and the seconds of sending without the pauses.
        """
        data = sample_frame().chunked
        size = len(data)
        sends = [(sock.send, sock) for sock in self._sockets]
        started_ns, paused = time.monotonic_ns(), 0.0
        for _ in range(events):
            if pause:
                before = time.monotonic()
                time.sleep(pause)
                paused += time.monotonic() - before
            for send, sock in sends:
                try:
                    sent = send(data)
                except BlockingIOError:  # a try block costs nothing if there is no exception
                    sent = 0
                if sent < size:
                    _send_rest(sock, data[sent:])
        seconds = (time.monotonic_ns() - started_ns) / 1e9 - paused
        return {"started_ns": started_ns, "seconds": seconds}


def _send_rest(sock: socket.socket, rest: bytes) -> None:
    """Send bytes to a client that reads slowly. Its kernel may take a part of them at a time."""
    while rest:
        select.select([], [sock], [])
        with contextlib.suppress(BlockingIOError):
            rest = rest[sock.send(rest) :]


def _commands() -> dict[str, Callable[..., Any]]:
    sender = BareSender()
    return {"port": sender.port, "accept": sender.accept, "send": sender.send}


if __name__ == "__main__":
    serve(_commands())
