"""The limit: a bare loop of ``send`` over plain sockets, in a process of its own."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from typing import Any

from app.bench.clients.helper import serve
from app.bench.clients.payload import sample_frame

__all__ = ["BareSender"]


class BareSender:
    """Accepts connections and writes to them. Every method is a command of the helper process."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._sockets: list[socket.socket] = []

    def port(self) -> int:
        """Where it listens."""
        port: int = self._listener.getsockname()[1]
        return port

    def accept(self, count: int) -> dict[str, Any]:
        """Accept so many connections."""
        for _ in range(count):
            sock = self._listener.accept()[0]
            sock.setblocking(False)
            # As gunicorn does: without it the kernel puts several events into one segment, and
            # an event waits for the acknowledgement of the one before.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(sock)
        return {}

    def send(self, events: int, pause: float = 0.0) -> dict[str, Any]:
        """Send so many events to every connection: the same bytes, one ``send`` each.

        Args:
            events: how many.
            pause: seconds before each.

        Returns:
            When it began, and for how many seconds it was sending.
        """
        data = sample_frame().chunked
        sends = [(sock.send, sock) for sock in self._sockets]
        started_ns, paused = time.monotonic_ns(), 0.0
        for _ in range(events):
            if pause:
                before = time.monotonic()
                time.sleep(pause)
                paused += time.monotonic() - before
            for send, sock in sends:
                try:
                    send(data)
                except BlockingIOError:  # costs nothing as long as it does not happen
                    select.select([], [sock], [])
                    send(data)
        seconds = (time.monotonic_ns() - started_ns) / 1e9 - paused
        return {"started_ns": started_ns, "seconds": seconds}


def _commands() -> dict[str, Callable[..., Any]]:
    sender = BareSender()
    return {"port": sender.port, "accept": sender.accept, "send": sender.send}


if __name__ == "__main__":
    serve(_commands())
