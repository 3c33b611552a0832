"""The order in which the process ends.

::

    PREPARE_SHUTDOWN ──▶ waiters, one deadline for all ──▶ SHUTDOWN ──▶ AFTER_SHUTDOWN
     nothing new           running tasks end                streams end   what is left
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from enum import StrEnum

import gevent
from gevent.event import Event

from gateway_shim.event_loop.loop_thread import LoopThread, from_any_thread
from gateway_shim.log_lines.safe_text import function_name

__all__ = ["LifetimeEvent", "ShutdownCoordinator"]

logger = logging.getLogger(__name__)


class LifetimeEvent(StrEnum):
    """A step of the process's end."""

    PREPARE_SHUTDOWN = "prepare_shutdown"
    """Take nothing new: no tasks, no version events; ``/readyz`` says 503."""
    SHUTDOWN = "shutdown"
    """The running tasks are over, or out of time: end the streams."""
    AFTER_SHUTDOWN = "after_shutdown"
    """The streams have ended."""


class ShutdownCoordinator:
    """Tells everyone who asked that the process ends, and waits for those who need time.

    Everything here runs in the hub's thread, also what another thread has called, so what does
    not block is atomic. No lock is taken there: :meth:`hurry` may be called by a signal handler,
    wherever that interrupts.

    Args:
        timeout: seconds that all waiters together may take.
        clock: monotonic seconds.
        loop_thread: carries out the calls of other threads.
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
        self._callbacks: list[Callable[[LifetimeEvent], None]] = []
        self._waiters: list[tuple[str, Callable[[float], bool]]] = []
        self._runner: object | None = None
        self._hurried = False
        self._wake = Event()
        self._finished = Event()

    def register_lifetime_notification(self, callback: Callable[[LifetimeEvent], None]) -> None:
        """Have a function called at every step of the end, in the order of registration.

        Args:
            callback: gets the step. It bounds its own time; one that raises is logged.
        """
        self._callbacks.append(callback)

    def register_shutdown_waiter(self, name: str, waiter: Callable[[float], bool]) -> None:
        """Have a function awaited between PREPARE_SHUTDOWN and SHUTDOWN.

        Args:
            name: what is waited for, for the log.
            waiter: gets the seconds that are left, blocks (cooperatively) at most that long and
                returns whether it is done. It runs in a greenlet of its own, beside the other
                waiters; when the time is up it is interrupted with ``GreenletExit``.
        """
        self._waiters.append((name, waiter))

    def is_shutting_down(self) -> bool:
        """Whether the end has begun; it never goes back."""
        return self._runner is not None

    @from_any_thread
    def shutdown(self) -> None:
        """Run the whole sequence, once, and return when it is over.

        A call while it runs waits for its end; a call from one of its own callbacks returns at
        once. Call :meth:`hurry` to cut the waiting short.
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
    def hurry(self) -> None:
        """Stop waiting: the waiters' time is up now. For the second signal."""
        self._hurried = True
        self._wake.set()

    def _notify(self, event: LifetimeEvent) -> None:
        for callback in tuple(self._callbacks):
            try:
                callback(event)
            except (Exception, gevent.Timeout):
                # Whoever fails here must not keep the others from ending properly.
                logger.exception(
                    "a shutdown callback failed",
                    extra={"lifetime_event": event.value, "callback": function_name(callback)},
                )

    def _wait_for_waiters(self) -> None:
        deadline = self._clock() + (0.0 if self._hurried else self._timeout)
        running: dict[object, str] = {}

        def run(name: str, waiter: Callable[[float], bool]) -> None:
            try:
                done = waiter(0.0 if self._hurried else max(0.0, deadline - self._clock()))
                logger.log(
                    logging.INFO if done else logging.WARNING,
                    "a shutdown waiter is done" if done else "a shutdown waiter gave up",
                    extra={"waiter": name},
                )
            except (Exception, gevent.Timeout):
                # As with callbacks: the others still get their time.
                logger.exception("a shutdown waiter failed", extra={"waiter": name})
            finally:
                del running[gevent.getcurrent()]
                if not running:
                    self._wake.set()

        greenlets = [gevent.spawn(run, name, waiter) for name, waiter in self._waiters]
        running.update(zip(greenlets, (name for name, _ in self._waiters), strict=True))
        # All of them start, even with no time at all: most have nothing to wait for.
        gevent.sleep(0)
        if running:
            self._wake.wait(max(0.0, deadline - self._clock()))
        for greenlet in greenlets:
            if greenlet in running:
                logger.warning(
                    "a shutdown waiter is out of time",
                    extra={"waiter": running[greenlet], "hurried": self._hurried},
                )
                greenlet.kill(block=False)
