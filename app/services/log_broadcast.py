"""Log lines for whoever listens: a handler that hands them to bounded subscriptions."""

from __future__ import annotations

import logging
import time
from collections import deque

from gevent.event import Event
from gevent.hub import get_hub

from app.lifecycle import LifetimeEvent, ShutdownCoordinator
from gateway_shim.event_loop.turns import let_others_run_if_due

__all__ = ["LogBroadcaster", "LogSubscription", "SubscriptionClosed"]

CAPACITY = 1_000
"""Lines that a subscription holds; past that the oldest go, and the reader is told."""


class SubscriptionClosed(Exception):
    """No more lines will come; says why.

    Args:
        reason: ``server_shutdown`` or ``unsubscribed``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the log subscription is closed: {reason}")
        self.reason = reason


class LogSubscription:
    """One reader's lines. When it is full the oldest line is dropped, and counted.

    Must be made, read and closed in the hub's thread. Lines come from any thread (a task that
    computes runs on a native one), and a line must wait for nobody: the thread that logs holds the
    handler's lock. So a line touches only a deque and an async watcher, whose ``send`` may be
    called by any thread.
    """

    def __init__(self, broadcaster: LogBroadcaster, capacity: int) -> None:
        self._broadcaster = broadcaster
        self._lines: deque[str] = deque(maxlen=capacity)
        self._arrived = Event()
        # ref=False: it alone must not keep the loop, and so the process, alive.
        self._watcher = get_hub().loop.async_(ref=False)
        self._watcher.start(self._arrived.set)
        self._closed_because: str | None = None
        self.dropped = 0

    def put(self, line: str) -> None:
        """Add a line; for the broadcaster."""
        if len(self._lines) == self._lines.maxlen:
            self.dropped += 1
        self._lines.append(line)
        self._watcher.send()

    def take(self, timeout: float) -> str | None:
        """Wait for the next line.

        Args:
            timeout: seconds.

        Returns:
            The oldest line that was not taken yet; None when none came in time.

        Raises:
            SubscriptionClosed: every line was taken, and there will be none.
        """
        deadline = time.monotonic() + timeout
        while not self._lines and self._closed_because is None:
            # What set it may be a line that was taken already: then wait again.
            if not self._arrived.wait(max(deadline - time.monotonic(), 0.0)):
                break
            # Cleared before looking: a line that comes in between sets it again.
            self._arrived.clear()
        if self._lines:
            let_others_run_if_due()  # lines may come faster than the reader's socket fills
            return self._lines.popleft()
        if self._closed_because is not None:
            raise SubscriptionClosed(self._closed_because)
        return None

    def close(self, reason: str = "unsubscribed") -> None:
        """Take no more lines; what is there can still be taken. The first reason stays."""
        self._broadcaster.forget(self)
        if self._closed_because is None:
            self._closed_because = reason
            self._watcher.stop()
            self._watcher.close()
        self._arrived.set()


class LogBroadcaster(logging.Handler):
    """Renders each log record once and hands the line to every subscription.

    It hangs on the root logger only while somebody listens, so it costs nothing otherwise.

    Args:
        formatter: renders the lines, and keeps secrets out of them.
        shutdown_coordinator: whose SHUTDOWN ends every subscription.
        capacity: lines that one subscription holds.
    """

    def __init__(
        self,
        formatter: logging.Formatter,
        shutdown_coordinator: ShutdownCoordinator,
        capacity: int = CAPACITY,
    ) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._capacity = capacity
        self._subscriptions: tuple[LogSubscription, ...] = ()
        self._ended = False
        shutdown_coordinator.register_lifetime_notification(self._on_lifetime_event)

    @property
    def subscribers(self) -> int:
        """How many listen."""
        return len(self._subscriptions)

    def subscribe(self) -> LogSubscription:
        """Start to listen. Call the subscription's ``close`` when done with it."""
        subscription = LogSubscription(self, self._capacity)
        if self._ended:
            subscription.close("server_shutdown")
            return subscription
        self._subscriptions = (*self._subscriptions, subscription)
        logging.getLogger().addHandler(self)
        return subscription

    def forget(self, subscription: LogSubscription) -> None:
        """Hand no more lines to a subscription; for the subscription."""
        self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)
        if not self._subscriptions:
            logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record's line to every subscription."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - logging's own rule: a handler reports, never raises
            self.handleError(record)
            return
        for subscription in self._subscriptions:
            subscription.put(line)

    def _on_lifetime_event(self, event: LifetimeEvent) -> None:
        if event is LifetimeEvent.SHUTDOWN:
            self._ended = True
            for subscription in self._subscriptions:
                subscription.close("server_shutdown")
