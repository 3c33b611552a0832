"""The result of writing a part of a backlog."""

from __future__ import annotations

from enum import Enum

__all__ = ["Progress"]


class Progress(Enum):
    """The result of writing a part of a backlog."""

    MORE = "more"
    """There is more to write, and the client may take it."""
    BLOCKED = "blocked"
    """There is more to write, and the client takes nothing now."""
    EMPTY = "empty"
    """Nothing is left to write."""
