"""The seam between streams and the log: what any log must do.

Implementations: :mod:`gateway_shim.event_log.memory_log` for one process,
:mod:`gateway_shim.event_log.segments` for several processes and restarts, and
:mod:`gateway_shim.event_log.brokers` for several servers.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple, Protocol

from gateway_shim.event_log.cursor import Cursor
from gateway_shim.event_log.parcels import Parcels
from gateway_shim.event_log.segment import Entry, Run

__all__ = ["Log", "LogListener", "LogStats"]


class LogStats(NamedTuple):
    """The extent of a log, for metrics.

    Args:
        oldest: the position of the oldest entry.
        newest: the position of the newest entry.
        size: the bytes that the log's entries take.
        oldest_age: the seconds since the oldest segment was begun.
        in_memory: True if the log ends with this process.
    """

    oldest: int
    newest: int
    size: int
    oldest_age: float
    in_memory: bool


class LogListener(Protocol):
    """The object that is told of changes."""

    def appended(self) -> None:
        """Note that there may be new entries, or a new epoch.

        Called in the hub, so it must not block. There may be calls without a reason, and one call
        for many entries; but a listener may rely on a call after each append of any process.
        """
        ...

    def trimming(self, through: int) -> None:
        """Copy what is still needed of the entries up to a position: they are removed next.

        Called synchronously by :meth:`Log.append`, :meth:`Log.read` and :meth:`Log.expire`, and by
        no other method. It must not switch greenlets.
        """
        ...


class Log(Protocol):
    """One order of all events of a server, and its recent entries.

    Positions are 0, 1, 2 … within an epoch; entry 0 marks the epoch's beginning. The newest entry
    is never trimmed, and an epoch never continues over a loss. All methods are for the thread of
    the event loop.
    """

    @property
    def epoch(self) -> str:
        """The name of the epoch. A change means that entries were lost."""
        ...

    @property
    def oldest(self) -> int:
        """The position of the oldest entry that this process can still read."""
        ...

    @property
    def newest(self) -> int:
        """The position of the newest entry."""
        ...

    @property
    def process(self) -> str:
        """The name of this process among those that share the log; empty if none can share it."""
        ...

    @property
    def parcels(self) -> Parcels:
        """The place for what one process sends another and what is too large for an entry."""
        ...

    def others(self) -> list[str]:
        """Return the names of the other processes that share the log now. Cheap; never blocks.

        A process is among them once it has called :meth:`completed`, and until it has ended or has
        closed the log. So each of them reads what is appended from now on.
        """
        ...

    def reaches(self, cursor: Cursor) -> bool:
        """Return True if an entry exists, or existed and was trimmed.

        May wait cooperatively, for a bounded time: an entry that one server has sent may be about
        to arrive at this one. After that, the epoch may be another one.
        """
        ...

    def append(self, audience: str, event: bytes) -> int:
        """Append an event, and return its position. The entry can be read when this returns.

        May wait cooperatively, for a bounded time: for other writers, and while another process
        that serves is far behind. Other greenlets may run, and read the entry, before this returns
        if other servers share the log; otherwise none runs between the append and the return.

        Args:
            audience: to whom the event is addressed.
            event: the event's bytes without ``id:``, as ``event_stream.encode`` returns them; for
                the audience NOTES: any bytes, which are kept as they are.

        Raises:
            LogUnavailable: the event could not be appended; the message says why.
        """
        ...

    def read(self, after: int, limit: int) -> list[Entry] | None:
        """Return at most ``limit`` entries that follow a position, oldest first. Never blocks.

        Returns:
            None if entries that follow the position were trimmed already.
        """
        ...

    def run(
        self, after: int, audiences: Container[str], limit: int, written: int = 0
    ) -> Run | None:
        """Return bytes of entries that follow a position, as one stream gets them. Never blocks.

        Args:
            after: the position.
            audiences: the stream's audiences, without EVERYONE.
            limit: the bytes that are wanted; a single entry may be longer.
            written: the bytes of entry ``after + 1`` that the stream has got already.

        Returns:
            A run, which ends at ``after`` and has no bytes if no newer entry exists; None if
            entries that follow the position were trimmed already.
        """
        ...

    def bytes_after(self, position: int) -> int:
        """Return the bytes of the entries that follow a position and still exist."""
        ...

    def listen(self, listener: LogListener) -> None:
        """Set the object that is told of changes."""
        ...

    def completed(self, position: int) -> None:
        """Note that this process has delivered all entries up to a position.

        Other processes' appends wait for a process that is far behind. The first call makes this
        process known to the others (:meth:`others`): it must read all entries that follow.
        """
        ...

    def expire(self) -> None:
        """Trim what is older than the log keeps entries. Call it now and then."""
        ...

    def read_stats(self) -> LogStats:
        """Return the extent of the log."""
        ...

    def close(self) -> None:
        """Release the log. Views of its bytes stay valid while they are held."""
        ...
