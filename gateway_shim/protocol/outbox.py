"""The outbox: the bytes of one stream that wait for its client. Pure."""

from __future__ import annotations

from collections import deque

from gateway_shim.errors import OutboxFull
from gateway_shim.protocol.buffer_budget import UNLIMITED, BufferBudget

__all__ = ["Outbox"]

_JOINED_BYTES = 32 * 1024
"""The size up to which small pieces are joined: a quarter of a usual socket buffer."""


class Outbox:
    """The bytes of one stream that the kernel has not taken yet, at most ``limit`` of them.

    Args:
        limit: the limit, bytes.
        budget: counts the bytes together with the bytes of other streams.

    Attributes:
        limit: the limit, bytes.
        size: the bytes that wait now.
    """

    __slots__ = ("_budget", "_pieces", "_written", "limit", "size")

    def __init__(self, limit: int, budget: BufferBudget = UNLIMITED) -> None:
        # The pieces as they came. The bytes of a broadcast are one object in the outboxes of all
        # slow clients, so they cost each outbox a reference only. (A memoryview would be larger.)
        self._pieces: deque[bytes | memoryview] = deque()
        self._written = 0  # bytes of the first piece that the kernel has taken
        self._budget = budget
        self.limit = limit
        self.size = 0

    def put(self, data: bytes | memoryview, *, final: bool = False) -> None:
        """Append bytes. Bytes that several streams share are not copied.

        Args:
            data: the bytes.
            final: True for the last bytes of the stream. They always fit, so that a stream whose
                outbox is full can still end cleanly.

        Raises:
            OutboxFull: the outbox would hold more than ``limit`` bytes; nothing was appended.
        """
        if self.size + len(data) > self.limit and not final:
            raise OutboxFull
        self._pieces.append(data)
        self.size += len(data)
        self._budget.hold(data)
        self._budget.waiting += len(data)

    def head(self) -> memoryview:
        """Return the bytes to write next; many small pieces are joined for one write.

        Call :meth:`advance` with the number of bytes that were written.

        Raises:
            IndexError: the outbox is empty.
        """
        if len(self._pieces) > 1 and len(self._pieces[0]) - self._written < _JOINED_BYTES:
            self._join()
        return memoryview(self._pieces[0])[self._written :]

    def advance(self, count: int) -> None:
        """Remove the first ``count`` bytes of the head."""
        self.size -= count
        self._budget.waiting -= count
        self._written += count
        if self._written == len(self._pieces[0]):
            self._budget.release(self._pieces.popleft())
            self._written = 0

    def clear(self) -> None:
        """Remove all bytes. They will not be written."""
        for piece in self._pieces:
            self._budget.release(piece)
        self._budget.waiting -= self.size
        self._pieces.clear()
        self.size = self._written = 0

    def _join(self) -> None:
        size, parts = -self._written, []
        while self._pieces and size < _JOINED_BYTES:
            parts.append(self._pieces.popleft())
            size += len(parts[-1])
        joined = b"".join(parts)[self._written :]
        self._pieces.appendleft(joined)
        self._written = 0
        for part in parts:
            self._budget.release(part)
        self._budget.hold(joined)
