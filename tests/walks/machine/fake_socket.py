"""The server's end of a browser's connection. It takes as many bytes as the walk allows."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable

__all__ = ["FakeSocket"]

_descriptors = itertools.count(1_000_000_000)
"""The descriptors of fake sockets: no real one is so large."""


class FakeSocket:
    """A socket whose kernel the walk plays.

    Args:
        receive: called with the bytes that each send took.
        shut: called when the gateway shuts down its half of the connection.

    Attributes:
        room: the bytes that the kernel takes until the walk changes this; None: all.
        most: the bytes that one send takes at most; None: all.
        has_hung_up: True if the browser has ended the connection.
        is_reset: True if the connection is broken: sends fail.
        is_closed: True if the gateway has closed the socket.
        is_shut: True if the gateway has shut down its half of the connection.
    """

    family, type, proto = socket.AF_UNIX, socket.SOCK_STREAM, 0

    def __init__(self, receive: Callable[[bytes], None], shut: Callable[[], None]) -> None:
        self.room: int | None = None
        self.most: int | None = None
        self.has_hung_up = self.is_reset = self.is_closed = self.is_shut = False
        self._receive = receive
        self._shut = shut
        self._descriptor = next(_descriptors)

    # ------------------------------------------------------------------ for watchers

    @property
    def is_readable(self) -> bool:
        """True if a read would not block."""
        return self.has_hung_up or self.is_reset

    @property
    def is_writable(self) -> bool:
        """True if a send would not block."""
        return self.room != 0 or self.is_reset

    # ------------------------------------------------------------------ a socket's methods

    def fileno(self) -> int:
        """Return a number that is not a descriptor of the process."""
        return self._descriptor

    def send(self, data: bytes | memoryview) -> int:
        """Take some of the bytes."""
        if self.is_closed or self.is_shut:
            raise AssertionError(f"a send to a closed socket: {bytes(data)!r}")
        if self.is_reset:
            raise BrokenPipeError
        count = len(data)
        for limit in (self.room, self.most):
            if limit is not None:
                count = min(count, limit)
        if count == 0:
            raise BlockingIOError
        if self.room is not None:
            self.room -= count
        self._receive(bytes(data[:count]))
        return count

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return nothing if the browser has hung up."""
        if self.is_reset:
            raise ConnectionResetError
        if self.has_hung_up:
            return b""
        raise BlockingIOError

    def getsockopt(self, level: int, name: int, size: int = 0, /) -> bytes:
        """Raise the error of a socket that is not TCP."""
        raise OSError

    def shutdown(self, how: int) -> None:
        """Note that the gateway's half is shut down."""
        if self.is_reset:
            raise OSError
        self.is_shut = True
        self._shut()

    def detach(self) -> int:
        """Do nothing: the gateway goes on with the same object."""
        return self._descriptor

    def close(self) -> None:
        """Note that the socket is closed."""
        self.is_closed = True
