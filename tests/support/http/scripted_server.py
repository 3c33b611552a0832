"""A fake server that plays one script of the test for each connection."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.support.timing import TIME_LIMIT

__all__ = ["SSE_HEAD", "Script", "ScriptedServer", "answer", "chunk", "sse_answer"]

Script = Callable[[socket.socket], None]
"""A function that answers one connection after the server has read the head of the request."""

SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def chunk(payload: bytes) -> bytes:
    """Return one chunk of a chunked body. The chunk of an empty payload is the final chunk."""
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def answer(*pieces: bytes, reset: bool = False, hold: threading.Event | None = None) -> Script:
    """Return a script that sends the pieces unchanged and then closes the connection.

    Args:
        *pieces: the bytes to send, one piece after the other.
        reset: reset the connection instead of closing it.
        hold: wait for this event before closing.
    """

    def script(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)
        if hold is not None:
            hold.wait(TIME_LIMIT)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return script


def sse_answer(
    *payloads: bytes, final: bool = True, reset: bool = False, hold: threading.Event | None = None
) -> Script:
    """Return a script that sends a chunked event stream, with each payload as one chunk."""
    pieces = [SSE_HEAD, *map(chunk, payloads)]
    if hold is None and final and not reset:
        pieces.append(chunk(b""))
    return answer(*pieces, reset=reset, hold=hold)


class ScriptedServer:
    """A context manager that runs a server on a free loopback port.

    The server plays its scripts in order, one for each connection. It closes connections that come
    after the last script.

    Attributes:
        port: the port where the server listens.
        requests: the head of every request so far.
    """

    def __init__(self, *scripts: Script) -> None:
        self._scripts = list(scripts)
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopping = False
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []

    def __enter__(self) -> Self:
        """Start listening."""
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening, and wait for the scripts to end."""
        self._stopping = True
        # A connection of our own wakes the thread that is blocked in accept.
        socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in self._threads:
            thread.join(TIME_LIMIT)
        self._listener.close()

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._stopping:
                connection.close()
                return
            self._start(lambda connection=connection: self._serve(connection))  # type: ignore[misc]

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                more = connection.recv(65536)
                if not more:
                    return
                head += more
            self.requests.append(head)
            if self._scripts:
                # In many tests the client closes the connection first.
                with contextlib.suppress(OSError):
                    self._scripts.pop(0)(connection)
