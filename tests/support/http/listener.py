"""A server of a test's own process, and the reset of connections."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Collection
from types import TracebackType
from typing import Self

from gevent.server import StreamServer

__all__ = ["Listener", "reset"]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Listener:
    """A context manager that accepts connections on a free port of 127.0.0.1.

    A subclass answers them in :meth:`serve`, each in a greenlet of its own.
    """

    def __init__(self) -> None:
        self._listener = StreamServer(("127.0.0.1", 0), self.serve)

    def __enter__(self) -> Self:
        """Start to listen."""
        self._listener.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and break the open connections."""
        self._listener.stop(timeout=0)

    @property
    def port(self) -> int:
        """The port where the server listens."""
        port = self._listener.server_port
        assert port is not None
        return port

    @property
    def origin(self) -> str:
        """The origin of the server's pages: its base URL, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def serve(self, client: socket.socket, address: object) -> None:
        """Answer a connection. It is closed afterwards."""
        raise NotImplementedError


def reset(sockets: Collection[socket.socket]) -> int:
    """Reset connections, as a broken network does, and return their number."""
    for each in sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        with contextlib.suppress(OSError):  # the other side has just closed it
            each.shutdown(socket.SHUT_RDWR)  # wakes the greenlet that reads, which then closes
    return len(sockets)
