"""Native threads for tasks that compute, so that the event loop goes on.

Python cannot end a native thread. A task that is cancelled or out of time is *abandoned*: its
slot of the task service is free at once, its thread goes on until the task next calls its
progress handle. So that later tasks need not wait for such threads, there may be twice as many
threads as slots. Only when as many runaways as that compute for ever does a further ``cpu_bound``
task wait for a thread, within its own time limit; greenlet tasks are never in want of one.
Nor does an abandoned thread keep the process from ending.

A task that waits on such a thread in gevent's way, as sockets do, gets an event loop there. That
loop ends with the task. Else a greenlet that the task has left behind could be handed a lock,
and would never run to give it back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import gevent
from gevent._hub_local import get_hub_if_exists
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

__all__ = ["NativeRunner"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


class NativeRunner:
    """Runs functions on native threads.

    Args:
        slots: how many tasks the service runs at a time; there are twice as many threads.
        clock: monotonic seconds.
    """

    def __init__(self, slots: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._threads = 2 * slots
        self._clock = clock
        self._pool: ThreadPool | None = None
        self._abandoned = 0

    @property
    def abandoned(self) -> int:
        """Threads that still run for a task that is over."""
        return self._abandoned

    def run(self, work: Callable[[], T], at_end: Callable[[], None]) -> T:
        """Run a function on a native thread and wait, cooperatively, for what it returns.

        Args:
            work: the function; it must not raise.
            at_end: called once in the hub's thread, when the function has ended, or was never
                begun: also if the waiting greenlet was killed before that.

        Returns:
            What ``work`` returned.

        Raises:
            BaseException: what the waiting greenlet was killed with; the thread is then abandoned.
        """
        try:
            if self._pool is None:
                # Made on first use: a thread pool belongs to the hub of the process that uses it,
                # and a server may fork between building the application and serving.
                self._pool = ThreadPool(self._threads)
            result = self._pool.spawn(_run_and_end_loop, work)
        except BaseException:  # no thread was to be had, or we were killed while waiting for one
            at_end()
            raise
        result.rawlink(lambda _: at_end())
        try:
            return cast(T, result.get())
        except BaseException:
            self._abandon(result)
            raise

    def _abandon(self, result: AsyncResult[Any]) -> None:
        since = self._clock()
        self._abandoned += 1
        logger.info("a native thread was abandoned", extra={"abandoned": self._abandoned})

        def ended(_: object) -> None:
            self._abandoned -= 1
            logger.info(
                "an abandoned native thread has ended",
                extra={"abandoned": self._abandoned, "seconds": self._clock() - since},
            )

        # Not in the hub: a log line may have to wait for a handler's lock.
        result.rawlink(lambda result: gevent.spawn(ended, result))


def _run_and_end_loop(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        hub = get_hub_if_exists()
        if hub is not None:
            hub.destroy(True)
