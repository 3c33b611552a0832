"""The versions that other processes could not be told, because the bus was away: told later."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable

import gevent

from gateway_shim.event_loop.turns import let_others_run_if_due

__all__ = ["PAUSE_SECONDS", "UntoldVersions"]

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 2.0
"""The time between two looks whether others can be told."""


class UntoldVersions:
    """The request ids whose last versions other processes were not told. For the hub's thread.

    A greenlet tells them once the bus is back. There is none while nothing waits.

    Args:
        tell: tells the version that is pending for a request id; returns False if that failed.
        can_tell: returns whether a try is worth it.
        limit: the number of request ids that are kept. Beyond that, the oldest is dropped.
    """

    def __init__(
        self, tell: Callable[[str], bool], can_tell: Callable[[], bool], limit: int
    ) -> None:
        self._tell = tell
        self._can_tell = can_tell
        self._limit = limit
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._teller: gevent.Greenlet[..., None] | None = None

    def add(self, request_id: str) -> None:
        """Tell the version of a request id later."""
        self._waiting[request_id] = None
        self._waiting.move_to_end(request_id)
        if len(self._waiting) > self._limit:
            self._waiting.popitem(last=False)
        if self._teller is None:
            self._teller = gevent.spawn(self._tell_all)

    def discard(self, request_id: str) -> None:
        """Note that a version of a request id was told, by this process or another one."""
        self._waiting.pop(request_id, None)

    def _tell_all(self) -> None:
        try:
            while self._waiting:
                gevent.sleep(PAUSE_SECONDS)
                if self._can_tell():
                    self._tell_some()
        finally:
            self._teller = None

    def _tell_some(self) -> None:
        while self._waiting:
            request_id, _ = self._waiting.popitem(last=False)
            try:
                if not self._tell(request_id):
                    # In its old place, unless a later version has failed meanwhile.
                    if request_id not in self._waiting:
                        self._waiting[request_id] = None
                        self._waiting.move_to_end(request_id, last=False)
                    return
            except Exception:
                logger.exception("a version could not be told to other processes")
            let_others_run_if_due()
