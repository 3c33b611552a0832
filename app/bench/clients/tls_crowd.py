"""Clients over TLS: a few streams that one epoll loop reads, in its own process."""

from __future__ import annotations

import select
import socket
import ssl
import time
from typing import Any

from app.bench.clients.browser import stream_request
from app.bench.clients.helper import serve
from app.bench.errors import BenchFailed

__all__ = ["TlsCrowd"]

_READ_BYTES = 1 << 16


class TlsCrowd:
    """Clients that read streams over TLS. Every method is a command of the helper process."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._sockets: dict[int, ssl.SSLSocket] = {}
        # The sessions of the streams, for those that come back.
        self._sessions: list[ssl.SSLSession | None] = []
        # Any certificate is accepted, because this is our own server on loopback.
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE

    def open(self, port: int, count: int, seconds: float, resume: bool = False) -> dict[str, Any]:
        """Open streams one after the other, and wait for the version event of each.

        Args:
            port: the port of the backend.
            count: the number of streams.
            seconds: the time limit of each step.
            resume: whether each client offers the session of its stream before.

        Returns:
            The seconds that this took, and the number of sessions that the backend resumed.
        """
        sessions = self._sessions if resume else [None] * count
        self._sessions, resumed = [], 0
        started = time.monotonic()
        for number in range(count):
            plain = socket.create_connection(("127.0.0.1", port), seconds)
            sock = self._context.wrap_socket(plain, session=sessions[number])
            resumed += bool(sock.session_reused)
            sock.sendall(stream_request(port, number))
            answer = b""
            while b"\n\n" not in answer:
                data = sock.recv(_READ_BYTES)
                answer += data
                if not data or not answer.startswith(b"HTTP/1.1 200 "):
                    raise BenchFailed(f"a stream was refused: {answer[:200]!r}")
            self._sessions.append(sock.session)
            self._register(sock)
        return {"seconds": time.monotonic() - started, "resumed": resumed}

    def attach(self, port: int, count: int, seconds: float) -> dict[str, Any]:
        """Open connections without a request, one after the other; arguments as for open."""
        for _ in range(count):
            plain = socket.create_connection(("127.0.0.1", port), seconds)
            self._register(self._context.wrap_socket(plain))
        return {}

    def _register(self, sock: ssl.SSLSocket) -> None:
        sock.setblocking(False)
        self._sockets[sock.fileno()] = sock
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def close(self) -> dict[str, Any]:
        """Close all connections."""
        for sock in self._sockets.values():
            sock.close()  # this also removes the socket from the epoll set
        self._sockets.clear()
        return {}

    def read(self, frames: int, seconds: float, rest: float = 0.0) -> dict[str, Any]:
        """Read until a number of events have arrived, counted over all streams.

        Args:
            frames: the number of events.
            seconds: the time limit.
            rest: the pause after each poll, seconds; see :meth:`ClientCrowd.read`.
        """
        deadline, count = time.monotonic() + seconds, 0
        first_ns = last_ns = time.monotonic_ns()
        cpu = time.process_time()
        tails: dict[int, bytes] = {}
        while count < frames:
            ready = self._epoll.poll(max(deadline - time.monotonic(), 0.0), 4096)
            if not ready:
                raise BenchFailed(f"{count} of {frames} events had arrived after {seconds:g} s")
            for fd, _ in ready:
                data = tails.get(fd, b"") + _decrypted(self._sockets[fd])
                count += data.count(b"\n\n")
                tails[fd] = data[-1:] if data.endswith(b"\n") and data[-2:] != b"\n\n" else b""
            last_ns = time.monotonic_ns()
            time.sleep(rest)
        return {
            "first_ns": first_ns,
            "last_ns": last_ns,
            "cpu_seconds": time.process_time() - cpu,
        }


def _decrypted(sock: ssl.SSLSocket) -> bytes:
    """Read all bytes that are available now.

    Bytes that stay in the buffer of a TLS object would not wake epoll.
    """
    pieces = []
    try:
        while True:
            piece = sock.recv(_READ_BYTES)
            if not piece:
                raise BenchFailed("the server ended a stream")
            pieces.append(piece)
    except ssl.SSLWantReadError:
        return b"".join(pieces)


def _main() -> None:
    crowd = TlsCrowd()
    serve(
        {
            "open": crowd.open,
            "attach": crowd.attach,
            "read": crowd.read,
            "close": crowd.close,
        }
    )


if __name__ == "__main__":
    _main()
