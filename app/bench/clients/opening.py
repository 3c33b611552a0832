"""A stream that is being opened."""

from __future__ import annotations

import os

from app.bench.clients.event_blocks import EventBlocks
from app.bench.errors import BenchFailed

__all__ = ["StreamOpening"]

_READ_BYTES = 1 << 18
_ACCEPTED = b"HTTP/1.1 200 "


class StreamOpening:
    """A stream that is being opened.

    Args:
        fd: the descriptor of its socket.
        request: its request.

    Attributes:
        fd: the descriptor of its socket.
        request: its request.
        blocks: the blocks that have arrived.
    """

    __slots__ = ("_head", "blocks", "fd", "request")

    def __init__(self, fd: int, request: bytes) -> None:
        self.fd = fd
        self.request = request
        self.blocks = EventBlocks()
        # The beginning of the answer, until the status is known.
        self._head = b""

    def read(self) -> None:
        """Read more of the answer.

        Raises:
            BenchFailed: the stream was refused or has ended.
        """
        data = os.read(self.fd, _READ_BYTES)
        if len(self._head) < len(_ACCEPTED):
            self._head += data[:200]
            if not data or not _ACCEPTED.startswith(self._head[: len(_ACCEPTED)]):
                raise BenchFailed(f"a stream was refused: {self._head!r}")
        elif not data:
            raise BenchFailed("a stream ended before its version event")
        self.blocks.feed(data)
