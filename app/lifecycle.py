"""The shutdown of the process, step by step.

::

    PREPARE_SHUTDOWN ──▶ waiters, one deadline for all ──▶ SHUTDOWN ──▶ AFTER_SHUTDOWN
     no new work           running tasks finish             streams end   final clean-up

1. PREPARE_SHUTDOWN: ``/readyz`` answers 503, and new tasks are refused.
2. The running tasks finish. Their progress still arrives at the browsers.
3. SHUTDOWN: every stream gets the event ``server_restart`` with a random ``retry:``, and a clean
   end.
4. AFTER_SHUTDOWN: the streams have ended, and the last disconnects have reached ConnectionManager.
   The process then ends with status 0.

A second SIGTERM does not wait for tasks. gunicorn's ``graceful_timeout`` is longer than all of
these steps together, so gunicorn's arbiter never has to kill the worker.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from enum import StrEnum

import gevent
from gevent.event import Event as Signal

from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread
from gateway_shim.log_lines.safe_text import function_name

__all__ = ["LifetimeEvent", "ShutdownCoordinator"]

logger = logging.getLogger(__name__)


class LifetimeEvent(StrEnum):
    """A step of the shutdown."""

    PREPARE_SHUTDOWN = "prepare_shutdown"
    """New work is refused: no tasks and no version events start, and ``/readyz`` answers 503."""
    SHUTDOWN = "shutdown"
    """The running tasks have finished, or their time is up. The streams end now."""
    AFTER_SHUTDOWN = "after_shutdown"
    """The streams have ended."""


class ShutdownCoordinator:
    """Runs the shutdown: notifies the registered callbacks, and waits for the registered waiters.

    All methods run in the hub's thread, also if another thread has called them, so code that does
    not block is atomic. No lock is used: a signal handler may call :meth:`stop_waiting`, whatever
    code the signal interrupts.

    Args:
        timeout: the time limit for all waiters together, seconds.
        clock: monotonic seconds.
        loop_thread: runs the calls of other threads in the event loop's thread.
    """

    def __init__(
        self,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
        loop_thread: LoopThread | None = None,
    ) -> None:
        self.loop_thread = loop_thread or LoopThread()
        self._timeout = timeout
        self._clock = clock
        self._callbacks: list[Callable[[LifetimeEvent], None]] = []  # called at every step
        self._waiters: list[tuple[str, Callable[[float], bool]]] = []  # name, function
        self._runner: object | None = None  # the greenlet that runs the shutdown
        self._is_time_up = False  # stop_waiting was called
        self._wake = Signal()  # all waiters are done, or stop_waiting was called
        self._finished = Signal()  # the shutdown is complete

    def register_lifetime_notification(self, callback: Callable[[LifetimeEvent], None]) -> None:
        """Add a function that is called at every step of the shutdown.

        Args:
            callback: gets the step. It is called after those that were registered before it. It
                must limit its own time. An error that it raises is logged.
        """
        self._callbacks.append(callback)

    def register_shutdown_waiter(self, name: str, waiter: Callable[[float], bool]) -> None:
        """Add a function that the shutdown waits for between PREPARE_SHUTDOWN and SHUTDOWN.

        Args:
            name: the name of the waiter in the log.
            waiter: gets the remaining seconds, blocks cooperatively for at most that time, and
                returns whether its work is done. It runs in its own greenlet, beside the other
                waiters. When the time is up, it is interrupted with ``GreenletExit``.
        """
        self._waiters.append((name, waiter))

    def is_shutting_down(self) -> bool:
        """Return whether the shutdown has begun. It is never undone."""
        return self._runner is not None

    @from_any_thread
    def shutdown(self) -> None:
        """Run the whole shutdown once, and return when it is complete.

        A second call waits for the end of the shutdown. A call from one of its own callbacks
        returns at once. Call :meth:`stop_waiting` to end the wait for the waiters.
        """
        if self._runner is not None:
            if self._runner is not gevent.getcurrent():
                self._finished.wait()
            return
        self._runner = gevent.getcurrent()
        try:
            logger.info("shutdown begins", extra={"timeout_seconds": self._timeout})
            self._notify(LifetimeEvent.PREPARE_SHUTDOWN)
            self._wait_for_waiters()
            self._notify(LifetimeEvent.SHUTDOWN)
            self._notify(LifetimeEvent.AFTER_SHUTDOWN)
            logger.info("shutdown is complete")
        finally:
            self._finished.set()

    @from_any_thread
    def stop_waiting(self) -> None:
        """Stop waiting for the waiters: their time is up now. The second signal calls this."""
        self._is_time_up = True
        self._wake.set()

    def _notify(self, event: LifetimeEvent) -> None:
        for callback in tuple(self._callbacks):
            try:
                callback(event)
            except (Exception, gevent.Timeout):
                # The error of one callback must not keep the others from running.
                logger.exception(
                    "a shutdown callback failed",
                    extra={"lifetime_event": event.value, "callback": function_name(callback)},
                )

    def _wait_for_waiters(self) -> None:
        deadline = self._clock() + (0.0 if self._is_time_up else self._timeout)
        running: dict[object, str] = {}

        def run(name: str, waiter: Callable[[float], bool]) -> None:
            try:
                done = waiter(0.0 if self._is_time_up else max(0.0, deadline - self._clock()))
                logger.log(
                    logging.INFO if done else logging.WARNING,
                    "a shutdown waiter is done" if done else "a shutdown waiter gave up",
                    extra={"waiter": name},
                )
            except (Exception, gevent.Timeout):
                # The error of one waiter must not take the time of the others.
                logger.exception("a shutdown waiter failed", extra={"waiter": name})
            finally:
                del running[gevent.getcurrent()]
                if not running:
                    self._wake.set()

        greenlets = [gevent.spawn(run, name, waiter) for name, waiter in self._waiters]
        running.update(zip(greenlets, (name for name, _ in self._waiters), strict=True))
        # All waiters start, even if no time is left: most of them have nothing to wait for.
        gevent.sleep(0)
        if running:
            self._wake.wait(max(0.0, deadline - self._clock()))
        for greenlet in greenlets:
            if greenlet in running:
                logger.warning(
                    "a shutdown waiter is out of time",
                    extra={"waiter": running[greenlet], "hurried": self._is_time_up},
                )
                greenlet.kill(block=False)
