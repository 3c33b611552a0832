"""The limit of the measurements: a bare loop of ``send`` over sockets, in its own process."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from app.bench.clients.helper import serve
from app.bench.clients.payload import sample_frame

__all__ = ["BareSender"]

_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantWriteError)


class BareSender:
    """A server that only sends. Every method is a command of the helper process."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._sockets: list[socket.socket] = []

    def port(self) -> int:
        """Return the port that the server listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    def accept(
        self, count: int, certfile: str | None = None, keyfile: str | None = None
    ) -> dict[str, Any]:
        """Accept this number of connections.

        Args:
            count: the number.
            certfile: the certificate chain, PEM, for TLS; None: plain connections.
            keyfile: the private key, PEM.
        """
        context = None
        if certfile is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certfile, keyfile)
        for _ in range(count):
            sock = self._listener.accept()[0]
            if context is not None:
                sock = context.wrap_socket(sock, server_side=True)
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
            The time of the beginning, the seconds of sending without the pauses, and the CPU time.
        """
        data = sample_frame().chunked
        size = len(data)
        sends = [(_send_of(sock), sock) for sock in self._sockets]
        started_ns, paused, cpu = time.monotonic_ns(), 0.0, time.process_time()
        for _ in range(events):
            if pause:
                before = time.monotonic()
                time.sleep(pause)
                paused += time.monotonic() - before
            for send, sock in sends:
                try:
                    sent = send(data)
                except _WOULD_BLOCK:  # a try block costs nothing if there is no exception
                    sent = 0
                if sent < size:
                    _send_rest(sock, data[sent:])
        seconds = (time.monotonic_ns() - started_ns) / 1e9 - paused
        return {
            "started_ns": started_ns,
            "seconds": seconds,
            "cpu_seconds": time.process_time() - cpu,
        }


def _send_of(sock: socket.socket) -> Callable[[bytes], int]:
    """Return what sends on a connection: over TLS the session, without the layers above it."""
    if isinstance(sock, ssl.SSLSocket):
        # No public name leads to the session.
        write: Callable[[bytes], int] = sock._sslobj.write  # type: ignore[attr-defined]
        return write
    return sock.send


def _send_rest(sock: socket.socket, rest: bytes) -> None:
    """Send bytes to a client that reads slowly. Its kernel may take a part of them at a time."""
    while rest:
        select.select([], [sock], [])
        with contextlib.suppress(*_WOULD_BLOCK):
            rest = rest[sock.send(rest) :]


def _commands() -> dict[str, Callable[..., Any]]:
    sender = BareSender()
    return {"port": sender.port, "accept": sender.accept, "send": sender.send}


if __name__ == "__main__":
    serve(_commands())
