"""The streams that are caught up with the log, and wait to become live."""

from __future__ import annotations

from collections.abc import Callable

from gateway_shim.streams.connection import Connection
from gateway_shim.streams.replay.backlog import Backlog

__all__ = ["Joiners"]


class Joiners:
    """The streams that are caught up with the log, and wait to become live.

    Args:
        write: queues a stream that has more to write after all.
    """

    def __init__(self, write: Callable[[Connection], None]) -> None:
        self._waiting: set[Connection] = set()
        self._write = write

    def __len__(self) -> int:
        """Return the number of streams that wait."""
        return len(self._waiting)

    def add(self, connection: Connection) -> None:
        """Let a stream wait."""
        self._waiting.add(connection)

    def settle(self, completed: int) -> None:
        """Make those live that are where their process is. Call this between two deliveries.

        Args:
            completed: the position up to which the process has delivered all entries.
        """
        waiting, self._waiting = self._waiting, set()
        for connection in waiting:
            backlog = connection.backlog
            if not isinstance(backlog, Backlog):
                continue  # the stream has ended
            if not backlog.caught_up:
                self._write(connection)
            elif backlog.position == completed:
                connection.go_live()
            else:
                self._waiting.add(connection)

    def clear(self) -> None:
        """Forget all: whoever writes to them lets them wait again."""
        self._waiting.clear()
