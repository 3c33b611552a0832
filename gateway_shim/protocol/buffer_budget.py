"""What all streams of a gateway hold back together, and how much that may be. Pure.

Counted is what is in memory: the bytes of a broadcast that many slow clients have not taken are
one object, and count once, as long as one of them still holds it.
"""

from __future__ import annotations

import sys
from typing import cast

__all__ = ["UNLIMITED", "BufferBudget"]


class BufferBudget:
    """Counts the pieces that streams hold back. Shared by the streams of one gateway.

    Args:
        limit: bytes that all of them may take.

    Attributes:
        size: bytes that they take now.
        waiting: bytes that clients have not taken yet, counted for each client.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.waiting = 0
        self._holders: dict[int, int] = {}  # by the id of an object, which lives while it is held

    @property
    def exceeded(self) -> bool:
        """Whether streams hold more than they may."""
        return self.size > self.limit

    def hold(self, piece: bytes | memoryview) -> None:
        """Count a piece that a stream holds from now on."""
        whole = _whole(piece)
        holders = self._holders.get(id(whole), 0)
        self._holders[id(whole)] = holders + 1
        if not holders:
            self.size += len(whole)

    def release(self, piece: bytes | memoryview) -> None:
        """Count a piece that a stream does not hold any more."""
        whole = _whole(piece)
        holders = self._holders.pop(id(whole)) - 1
        if holders:
            self._holders[id(whole)] = holders
        else:
            self.size -= len(whole)


def _whole(piece: bytes | memoryview) -> bytes:
    """Return the object that a piece keeps in memory."""
    return cast(bytes, piece.obj) if isinstance(piece, memoryview) else piece


class _Unlimited(BufferBudget):
    """Counts nothing."""

    def hold(self, piece: bytes | memoryview) -> None:
        """Count nothing."""

    def release(self, piece: bytes | memoryview) -> None:
        """Count nothing."""


UNLIMITED = _Unlimited(sys.maxsize)
"""For streams that share no budget."""
