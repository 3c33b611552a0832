"""A server that answers any connection with the same bytes."""

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
    """Listen on a port, accept one connection, send the pieces, and end the connection.

    Args:
        pieces: the bytes, each sent with its own write.
        then: how the connection ends: ``close``, ``reset`` or ``wait`` (until the test is over).

    Returns:
        The port, for the ``with`` block.
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
