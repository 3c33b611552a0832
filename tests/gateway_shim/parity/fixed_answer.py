"""A server that answers every connection with the same bytes, whatever it is asked."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

from tests.support.timing import TIME_LIMIT

__all__ = ["answering"]


@contextlib.contextmanager
def answering(*pieces: bytes, then: str = "close") -> Iterator[int]:
    """Listen on a port, send the pieces to whoever connects, then end so.

    Args:
        pieces: sent one after the other, each as a write of its own.
        then: ``close``, ``reset`` or ``wait`` (until the test is over).
    """
    server = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection, contextlib.suppress(ConnectionError):
            connection.recv(65536)
            for piece in pieces:
                connection.sendall(piece)
            if then == "wait":
                over.wait(TIME_LIMIT)
            elif then == "reset":
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(server.getsockname()[1])
    finally:
        over.set()
        server.close()
        thread.join(TIME_LIMIT)
