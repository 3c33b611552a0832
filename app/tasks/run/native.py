"""Native threads for tasks that compute, so that these tasks do not block the event loop.

Python cannot end a native thread. If a task on such a thread is cancelled or exceeds its time
limit, its slot becomes free at once, but the thread is *abandoned*: it runs until the task next
calls its progress handle. There are twice as many threads as slots, so that later tasks need not
wait for abandoned threads. A further ``cpu_bound`` task has to wait for a thread, within its own
time limit, only if tasks on all of these threads compute forever. Tasks that run as greenlets never
need a thread. An abandoned thread does not keep the process from ending.

Beside a thread that computes, each ``send`` of the event loop releases the interpreter and has to
get it back. :mod:`gateway_shim.event_loop.serving_process` says what that costs.

If a task on such a thread waits through gevent, as sockets do, gevent makes an event loop there.
This loop ends with the task. Otherwise a lock could be passed to a greenlet that the task has left
behind, which would never run to release the lock.
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
    """A runner of functions on native threads.

    Args:
        slots: the number of tasks that run at the same time; there are twice as many threads.
        clock: returns monotonic seconds.
    """

    def __init__(self, slots: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._threads = 2 * slots
        self._clock = clock
        self._pool: ThreadPool | None = None
        self._abandoned = 0

    @property
    def abandoned(self) -> int:
        """The number of threads that still run a task that is over."""
        return self._abandoned

    def run(self, work: Callable[[], T], at_end: Callable[[], None]) -> T:
        """Run a function on a native thread, and wait cooperatively for its return value.

        Args:
            work: the function; it must not raise.
            at_end: called once in the hub's thread, when the function has ended or cannot begin,
                even if the waiting greenlet is killed before the function ends.

        Returns:
            The return value of ``work``.

        Raises:
            BaseException: the exception that the waiting greenlet was killed with. The thread is
                then abandoned.
        """
        try:
            if self._pool is None:
                # The pool is made on first use, because it belongs to the hub of one process, and
                # a server may fork after it has built the application.
                self._pool = ThreadPool(self._threads)
            result = self._pool.spawn(_run_and_end_loop, work)
        except BaseException:  # no thread could be started, or the greenlet was killed meanwhile
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

        # Not in the hub, because a log line may have to wait for the lock of a handler.
        result.rawlink(lambda result: gevent.spawn(ended, result))


def _run_and_end_loop(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        hub = get_hub_if_exists()
        if hub is not None:
            hub.destroy(True)
