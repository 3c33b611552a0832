"""The limit of connects: a bare gevent server that keeps sockets, as a process that is measured.

It accepts, reads once, answers with fixed bytes, and keeps the socket. It parses nothing, asks
nobody, and knows nothing of its streams. ``GET /healthz`` closes all kept sockets.
"""

from __future__ import annotations

import os
from typing import Any

from gevent.server import StreamServer

from app.bench.measured.server import MeasuredServer
from app.program.self_command import module_command
from gateway_shim.parity.ports import free_port

__all__ = ["bare_server"]

_MODULE = "app.bench.measured.bare_server"

_READ_BYTES = 8192

_READY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

# What a stream of the backend begins with: the head, a heartbeat with an id, the version event.
_EVENT = b"id: 0123456789abcdef0123456789abcdef-0\n: heartbeat\n\n"
_VERSION = b'event: version\ndata: {"version":"development"}\n\n'
_STREAM = (
    b"HTTP/1.1 200 OK\r\nDate: Sat, 01 Jan 2028 00:00:00 GMT\r\nContent-Type: text/event-stream\r\n"
    b"Cache-Control: no-cache\r\nConnection: keep-alive\r\nX-Accel-Buffering: no\r\n"
    b"Access-Control-Allow-Origin: *\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"".join(b"%x\r\n%s\r\n" % (len(data), data) for data in (_EVENT, _VERSION))
)


class _BareServer(StreamServer):
    """A server whose handlers close only the sockets that they do not keep."""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), self._serve, backlog=4096)
        self._kept: list[Any] = []

    def do_close(self, *_: Any) -> None:
        """Keep the socket of a handler that has ended (called by gevent, which would close it)."""

    def _serve(self, sock: Any, address: Any) -> None:
        request = sock.recv(_READ_BYTES)
        if request.startswith(b"GET /healthz "):
            self._kept.clear()  # closes them
            sock.sendall(_READY)
            sock.close()
        else:
            sock.sendall(_STREAM)
            self._kept.append(sock)


def bare_server() -> MeasuredServer:
    """Make the bare server. It runs in a separate process, while the context is entered."""
    return MeasuredServer(module_command(_MODULE), free_port(), {})


if __name__ == "__main__":
    _BareServer(int(os.environ["PORT"])).serve_forever()
