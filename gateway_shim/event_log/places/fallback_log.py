"""The log in files for as long as they can be used, and then one in the memory of this process."""

from __future__ import annotations

import logging
from collections.abc import Callable

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.cursor import Cursor
from gateway_shim.event_log.delegating_log import DelegatingLog
from gateway_shim.event_log.log import Log, LogListener
from gateway_shim.event_log.parcels import Parcels

__all__ = ["FallbackLog"]

logger = logging.getLogger(__name__)


class FallbackLog(DelegatingLog):
    """A log that goes on in memory when its files take no more events.

    Without it, a full disk would keep events from browsers that are connected. The log in memory is
    another epoch, so each stream is told that it has missed events. There is no way back: the next
    process uses the files again.

    Args:
        files: the log in files.
        memory: makes a log in memory.
        fell_back: called when the files are given up.
    """

    def __init__(
        self, files: Log, memory: Callable[[], Log], fell_back: Callable[[], None]
    ) -> None:
        self._log = files
        self._memory: Callable[[], Log] | None = memory
        self._fell_back = fell_back
        self._listener: LogListener | None = None

    @property
    def process(self) -> str:
        """The name of this process (:attr:`Log.process`)."""
        return self._log.process

    @property
    def parcels(self) -> Parcels:
        """The place for what is too large for an entry (:attr:`Log.parcels`)."""
        return self._log.parcels

    def others(self) -> list[str]:
        """Return the names of the other processes (:meth:`Log.others`)."""
        return self._log.others()

    def reaches(self, cursor: Cursor) -> bool:
        """Return True if an entry exists or existed (:meth:`Log.reaches`)."""
        return self._log.reaches(cursor)

    def append(self, audience: str, event: bytes) -> int:
        """Append an event (:meth:`Log.append`), if need be in memory."""
        log = self._log
        try:
            return log.append(audience, event)
        except LogUnavailable as exc:
            if self._log is log:  # else another greenlet, which waited as well, was here before
                if self._memory is None:
                    raise
                self._go_on_with(self._memory(), str(exc))
        return self._log.append(audience, event)

    def listen(self, listener: LogListener) -> None:
        """Set the object that is told of changes."""
        self._listener = listener
        self._log.listen(listener)

    def close(self) -> None:
        """Release the log."""
        self._memory = None
        self._log.close()

    def _go_on_with(self, memory: Log, reason: str) -> None:
        self._memory = None
        files = self._log
        if self._listener is not None:
            # The streams copy what they have written half, as if all entries were trimmed.
            self._listener.trimming(files.newest)
            memory.listen(self._listener)
        self._log = memory
        files.close()
        self._fell_back()
        logger.warning(
            "the event log goes on in memory, so clients are told that they missed events",
            extra={"reason": reason},
        )
