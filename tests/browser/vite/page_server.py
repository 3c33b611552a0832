"""A server for pages of tests, which forwards the API as a proxy in production does."""

from __future__ import annotations

import contextlib
import mimetypes
import socket
from collections.abc import Mapping
from pathlib import Path

import gevent

from tests.support.http.listener import Listener

__all__ = ["PageServer"]


class PageServer(Listener):
    """A context manager that serves the files of a folder, and forwards ``/api`` to a backend.

    Each connection has one request. Files that are not there are answered with 404.

    Args:
        folder: the folder. The file of ``/`` is ``index.html``.
        backend: the port of the backend, on 127.0.0.1.
        headers: additional headers of all files.
    """

    def __init__(
        self, folder: Path, backend: int, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self._folder = folder
        self._backend = backend
        self._headers = dict(headers or {})

    def serve(self, browser: socket.socket, _: object) -> None:
        """Answer a browser."""
        # The browser may close a connection at any time, and the backend may have ended.
        with browser, contextlib.suppress(OSError):
            data = b""
            while b"\r\n\r\n" not in data:
                more = browser.recv(65536)
                if not more:
                    return  # the browser has opened a connection that it does not need
                data += more
            path = data.split(b" ")[1].decode()
            if path.startswith("/api/"):
                self._forward(browser, data)
            else:
                browser.sendall(self._file(path.partition("?")[0]))

    def _file(self, path: str) -> bytes:
        file = self._folder / (path.removeprefix("/") or "index.html")
        if not file.is_file():
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        body = file.read_bytes()
        headers = {
            "Content-Type": mimetypes.guess_type(file.name)[0] or "application/octet-stream",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **self._headers,
        }
        lines = ["HTTP/1.1 200 OK", *(f"{name}: {text}" for name, text in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def _forward(self, browser: socket.socket, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        dropped = (b"host:", b"connection:")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(dropped)]
        lines += [b"Host: 127.0.0.1:%d" % self._backend, b"Connection: close"]
        with socket.create_connection(("127.0.0.1", self._backend)) as server:
            server.sendall(b"\r\n".join([*lines, b"", b""]) + body)
            directions = [
                gevent.spawn(_copy, browser, server),
                gevent.spawn(_copy, server, browser),
            ]
            try:
                # A tab that is closed ends its stream at once, and so does a server that has ended.
                gevent.joinall(directions, count=1)
            finally:
                gevent.killall(directions)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        return
