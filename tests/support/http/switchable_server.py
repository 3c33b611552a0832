"""A fake HTTP server whose behavior the test can change at any moment."""

from __future__ import annotations

import json
import socket
import threading
from types import TracebackType
from typing import Any, Self

from tests.support.timing import TIME_LIMIT

__all__ = ["SwitchableServer"]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class SwitchableServer:
    """A context manager that runs a server, which takes one request on each connection.

    Args:
        mode: the way to answer. ``ok``: with 200; ``refuse``: the port is closed; ``silent``: no
            response; ``close``: close the connection without a response; ``garbage``: bytes that
            are not HTTP. Or the bytes of the response.

    Attributes:
        mode: the way to answer the next request.
        port: the port where the server listens.
        documents: the JSON bodies of all requests.
    """

    def __init__(self, mode: str | bytes = "ok") -> None:
        self.mode = mode
        self.documents: list[dict[str, Any]] = []
        self._stopping = False
        self._silence = threading.Event()
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        """Start to listen, unless the mode is ``refuse``."""
        if self.mode == "refuse":
            self._listener.close()
        else:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening, and end all connections."""
        self.refuse()

    @property
    def url(self) -> str:
        """The URL for callbacks."""
        return f"http://127.0.0.1:{self.port}/callback"

    def refuse(self) -> None:
        """Close the port and all connections."""
        self._silence.set()
        if not self._stopping and self._thread.ident is not None:
            self._stopping = True
            socket.create_connection(("127.0.0.1", self.port)).close()
            self._thread.join(TIME_LIMIT)
            self._listener.close()
        for connection in self._connections:
            connection.close()

    def of(self, action: str) -> list[dict[str, Any]]:
        """Return the callbacks with this action."""
        return [document for document in self.documents if document.get("action") == action]

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._stopping:
                connection.close()
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            self._answer(connection)
        except OSError:
            pass  # the client has not waited for the response, as in some tests
        finally:
            connection.close()

    def _answer(self, connection: socket.socket) -> None:
        data = connection.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        while len(body) < int(length or b"0"):
            body += connection.recv(65536)
        if body:
            self.documents.append(json.loads(body))
        mode = self.mode
        if mode == "silent":
            self._silence.wait(4 * TIME_LIMIT)
        elif mode == "garbage":
            connection.sendall(b"\x00\xff\x13\x37 what is this\r\n" * 50)
        elif isinstance(mode, bytes):
            connection.sendall(mode)
        elif mode == "ok":
            connection.sendall(OK)
