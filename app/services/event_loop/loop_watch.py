"""Says who blocks the event loop: while one function runs on it, every stream waits.

gevent's own monitoring thread has two gaps: it does not see what a watcher's callback does in the
hub itself, and it tells a block for certain only after twice its limit. Hence this thread.
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
"""Whatever blocks the event loop for longer is logged."""

_BEAT_SECONDS = 0.02
"""How often the loop shows that it goes round, and how often somebody looks: together 0.2 % of a
processor (measured on an idle loop)."""


class LoopWatch:
    """A timer in the event loop, and a native thread that looks whether the timer still fires.

    The thread logs the stack of the loop's thread while it is blocked, once per blocking; so even
    one that never ends is seen. Once the loop goes on, the thread logs how long the block was in
    all. A block between 60 ms and the limit may be logged, too: the limit is kept to within two
    beats, so that nothing longer is missed.

    Args:
        limit: seconds.
        clock: monotonic seconds.
    """

    def __init__(
        self, limit: float = LIMIT_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._report_from = limit - _BEAT_SECONDS
        self._clock = clock
        self._beat_at = 0.0
        self._went_on_at = 0.0  # the first beat after the block that was logged
        self._timer: Any = None
        self._stop: Any = None
        self._loop_thread = 0
        self._reported: float | None = None

    def start(self) -> None:
        """Begin to watch the event loop of the calling thread."""
        hub = gevent.get_hub()
        self._loop_thread = hub.thread_ident
        self._beat()
        self._timer = hub.loop.timer(_BEAT_SECONDS, _BEAT_SECONDS, ref=False)
        self._timer.start(self._beat)
        # A lock that nobody lets go of is a sleep that can be ended. All of this unpatched: what
        # gevent puts in its place would run on the very loop that is watched.
        self._stop = get_original("_thread", "allocate_lock")()
        self._stop.acquire()
        get_original("_thread", "start_new_thread")(self._watch, (self._stop,))

    def stop(self) -> None:
        """Stop watching; a watch that was never started is no error."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
            self._stop.release()

    def look(self) -> None:
        """Log the stack of the loop's thread if it is blocked and that is not yet known."""
        beat_at = self._beat_at
        if self._reported is not None and beat_at != self._reported:
            # A beat that came while the block was being logged has not been noted as the first.
            went_on_at = self._went_on_at if self._went_on_at > self._reported else beat_at
            seconds, self._reported = went_on_at - self._reported, None
            self._log("the event loop goes on after it was blocked", seconds)
        blocked = self._clock() - beat_at
        if blocked < self._report_from or beat_at == self._reported:
            return
        frame = sys._current_frames().get(self._loop_thread)
        if frame is None or beat_at != self._beat_at:  # it went on while we looked
            return
        self._reported = beat_at
        stack = "".join(traceback.format_stack(frame)).rstrip("\n")
        del frame
        self._log(
            "the event loop is blocked: no stream gets anything until this returns", blocked, stack
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
            self._went_on_at = now
        self._beat_at = now

    def _watch(self, stop: Any) -> None:
        while not stop.acquire(True, _BEAT_SECONDS):
            self.look()
