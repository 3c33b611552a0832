"""The part that all logs in front of another log leave to it."""

from __future__ import annotations

from collections.abc import Container

from gateway_shim.event_log.log import Log, LogStats
from gateway_shim.event_log.segment import Entry, Run

__all__ = ["DelegatingLog"]


class DelegatingLog:
    """A log that reads from another log. A subclass sets ``_log``, and has all other methods."""

    _log: Log

    @property
    def epoch(self) -> str:
        """The name of the epoch."""
        return self._log.epoch

    @property
    def oldest(self) -> int:
        """The position of the oldest entry."""
        return self._log.oldest

    @property
    def newest(self) -> int:
        """The position of the newest entry."""
        return self._log.newest

    def read(self, after: int, limit: int) -> list[Entry] | None:
        """Return entries (:meth:`Log.read`)."""
        return self._log.read(after, limit)

    def run(
        self, after: int, audiences: Container[str], limit: int, written: int = 0
    ) -> Run | None:
        """Return bytes of entries (:meth:`Log.run`)."""
        return self._log.run(after, audiences, limit, written)

    def bytes_after(self, position: int) -> int:
        """Return the bytes of later entries (:meth:`Log.bytes_after`)."""
        return self._log.bytes_after(position)

    def completed(self, position: int) -> None:
        """Note what this process has delivered (:meth:`Log.completed`)."""
        self._log.completed(position)

    def expire(self) -> None:
        """Trim what is too old (:meth:`Log.expire`)."""
        self._log.expire()

    def read_stats(self) -> LogStats:
        """Return the extent of the log."""
        return self._log.read_stats()
