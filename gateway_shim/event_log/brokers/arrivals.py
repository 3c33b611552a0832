"""The greenlets that wait until an entry of Redis has arrived in the log of this server."""

from __future__ import annotations

import time
from heapq import heappop, heappush
from itertools import count

from gevent.event import Event as Signal

from gateway_shim.event_log.brokers.carried_log import CarriedLog
from gateway_shim.event_log.cursor import Cursor

__all__ = ["Arrivals"]


class Arrivals:
    """The arrivals in one process.

    Args:
        log: the log of this server.
    """

    def __init__(self, log: CarriedLog) -> None:
        self._log = log
        self._epoch = log.epoch
        self._order = count()
        # The waiting greenlets by position. The number decides between equal positions.
        self._waiting: list[tuple[int, int, Signal]] = []

    def look(self) -> None:
        """Wake those whose entry has arrived. Called in the hub at each change of the log."""
        waiting = self._waiting
        if not waiting:
            return
        newest = self._log.newest
        if self._log.epoch != self._epoch or self._log.is_ending:
            newest = waiting[-1][0] + newest + 2**62  # each of them must look for itself
        while waiting and waiting[0][0] <= newest:
            heappop(waiting)[2].set()

    def wait(self, cursor: Cursor, seconds: float) -> bool:
        """Wait until an entry can be read here.

        Args:
            cursor: the entry.
            seconds: the longest wait.

        Returns:
            False if the entry is not here, or if its epoch has ended.
        """
        until = time.monotonic() + seconds
        was_there = False
        while True:
            self._log.read(self._log.newest, 0)  # a read finds a new epoch
            self._epoch = self._log.epoch
            if self._epoch == cursor.epoch:
                was_there = True
                if self._log.newest >= cursor.position:
                    return True
            elif was_there:
                return False
            left = until - time.monotonic()
            if left <= 0:
                return False
            signal = Signal()
            item = (cursor.position, next(self._order), signal)
            heappush(self._waiting, item)
            if not signal.wait(left) and item in self._waiting:
                self._waiting.remove(item)
                self._waiting.sort()  # a sorted list is a heap
