"""The budget for all bytes that the streams of a gateway hold back. Pure.

The budget counts memory: the bytes of a broadcast that many slow clients have not taken are one
object, and count once while at least one stream holds them.
"""

from __future__ import annotations

import sys
from typing import cast

__all__ = ["UNLIMITED", "BufferBudget"]


class BufferBudget:
    """Counts the pieces of bytes that streams hold back. All streams of a gateway share one.

    Args:
        limit: the bytes that all streams together may hold.

    Attributes:
        limit: the bytes that all streams together may hold.
        size: the bytes that they hold now.
        waiting: the bytes that clients have not taken yet, counted for each client.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.waiting = 0
        # The number of streams that hold an object, by the id of the object. The id stays valid,
        # because a held object stays in memory.
        self._holders: dict[int, int] = {}

    @property
    def exceeded(self) -> bool:
        """True if the streams hold more than the limit."""
        return self.size > self.limit

    def hold(self, piece: bytes | memoryview) -> None:
        """Count a piece that a stream begins to hold."""
        kept = _kept_object(piece)
        holders = self._holders.get(id(kept), 0)
        self._holders[id(kept)] = holders + 1
        if not holders:
            self.size += len(kept)

    def release(self, piece: bytes | memoryview) -> None:
        """Stop counting a piece for a stream that no longer holds it."""
        kept = _kept_object(piece)
        holders = self._holders.pop(id(kept)) - 1
        if holders:
            self._holders[id(kept)] = holders
        else:
            self.size -= len(kept)


def _kept_object(piece: bytes | memoryview) -> bytes:
    """Return the object that a piece keeps in memory."""
    return cast(bytes, piece.obj) if isinstance(piece, memoryview) else piece


class _Unlimited(BufferBudget):
    """A budget that counts nothing."""

    def hold(self, piece: bytes | memoryview) -> None:
        """Do nothing."""

    def release(self, piece: bytes | memoryview) -> None:
        """Do nothing."""


UNLIMITED = _Unlimited(sys.maxsize)
"""The budget of streams that share none."""
