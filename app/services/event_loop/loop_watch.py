"""Logs the code that blocks the event loop: while a function runs on it, every stream waits.

gevent has a monitoring thread for this, with two gaps: it does not see a watcher's callback that
runs in the hub itself, and it reports a block for certain only after twice its limit. This module
has its own thread for these reasons.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import gevent
from gevent.monkey import get_original

__all__ = ["LIMIT_SECONDS", "LoopWatch"]

logger = logging.getLogger(__name__)

LIMIT_SECONDS = 0.1
"""The length of a block. Every longer block is logged."""

_BEAT_SECONDS = 0.02
"""The interval of the beats that show that the loop runs, and of the checks for them. Both together
take 0.2 % of a processor (measured on an idle loop)."""


class LoopWatch:
    """A timer in the event loop, and a native thread that checks whether the timer still fires.

    The thread logs the stack of the loop's thread while the loop is blocked, once per block, so
    that a block that never ends is logged too. Once the loop continues, the thread logs the whole
    length of the block. A block between 60 ms and the limit may be logged as well: the limit is
    precise to two beats, so that no longer block is missed.

    Args:
        limit: the length, in seconds, from which a block is logged.
        clock: monotonic seconds.
    """

    def __init__(
        self, limit: float = LIMIT_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._report_from = limit - _BEAT_SECONDS
        self._clock = clock
        self._beat_at = 0.0  # the last beat
        self._continued_at = 0.0  # the first beat after the block that was logged
        self._timer: Any = None  # fires the beats
        self._stop: Any = None  # a lock; to release it ends the thread
        self._loop_thread = 0  # the identifier of the loop's thread
        self._reported: float | None = None  # the last beat before the block that was logged

    def start(self) -> None:
        """Start to watch the event loop of the calling thread."""
        hub = gevent.get_hub()
        self._loop_thread = hub.thread_ident
        self._beat()
        self._timer = hub.loop.timer(_BEAT_SECONDS, _BEAT_SECONDS, ref=False)
        self._timer.start(self._beat)
        # Waiting for a lock that is not released is a sleep that can be interrupted. The functions
        # are the unpatched ones, because gevent's would run on the loop that is watched.
        self._stop = get_original("_thread", "allocate_lock")()
        self._stop.acquire()
        get_original("_thread", "start_new_thread")(self._watch, (self._stop,))

    def stop(self) -> None:
        """Stop watching. It is not an error if the watch was never started."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
            self._stop.release()

    def look(self) -> None:
        """Log the stack of the loop's thread if the loop is blocked and this was not logged yet."""
        beat_at = self._beat_at
        if self._reported is not None and beat_at != self._reported:
            # A beat that came while the block was being logged was not recorded as the first one.
            continued_at = self._continued_at if self._continued_at > self._reported else beat_at
            seconds, self._reported = continued_at - self._reported, None
            self._log("the event loop runs again after it was blocked", seconds)
        blocked = self._clock() - beat_at
        if blocked < self._report_from or beat_at == self._reported:
            return
        frame = sys._current_frames().get(self._loop_thread)
        if frame is None or beat_at != self._beat_at:  # the loop has continued meanwhile
            return
        self._reported = beat_at
        stack = "".join(traceback.format_stack(frame)).rstrip("\n")
        del frame
        self._log(
            "the event loop is blocked: no stream is served until this function returns",
            blocked,
            stack,
        )

    def _log(self, message: str, seconds: float, stack: str | None = None) -> None:
        extra = {"seconds": round(seconds, 3)}
        record = logger.makeRecord(
            logger.name, logging.WARNING, __file__, 0, message, (), None, extra=extra, sinfo=stack
        )
        logger.handle(record)

    def _beat(self) -> None:
        now = self._clock()
        if self._beat_at == self._reported:
            self._continued_at = now
        self._beat_at = now

    def _watch(self, stop: Any) -> None:
        while not stop.acquire(True, _BEAT_SECONDS):
            self.look()
