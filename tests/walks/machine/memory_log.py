"""The log of one process, which notes what is appended, and can wait before an append."""

from __future__ import annotations

from collections.abc import Callable

from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from tests.walks.checks.history import History, data_of

__all__ = ["NotedMemoryLog"]


class NotedMemoryLog(MemoryLog):
    """A log in memory, whose entries are noted.

    Args:
        limits: how much is kept.
        clock: seconds.
        history: gets the epoch, and what is appended.
        wait: called before each append; may let others run.
    """

    def __init__(
        self,
        limits: LogLimits,
        clock: Callable[[], float],
        history: History,
        wait: Callable[[], None],
    ) -> None:
        super().__init__(limits, epoch=history.epoch, clock=clock)
        self._history = history
        self._wait = wait

    def append(self, audience: str, event: bytes) -> int:
        """Append an event. It is noted first, because its bytes may be written at once."""
        self._wait()
        self._history.append(audience, data_of(event), self.newest + 1)
        return super().append(audience, event)
