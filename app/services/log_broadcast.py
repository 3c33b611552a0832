"""The log as a stream: a logging handler that copies each line to bounded subscriptions.

A subscription has the lines of its own process. Of several workers, each has its own lines.
"""

from __future__ import annotations

import logging
import time
from collections import deque

from gevent.event import Event as Signal
from gevent.hub import get_hub

from app.lifecycle import LifetimeEvent, ShutdownCoordinator
from gateway_shim.event_loop.turns import let_others_run_if_due

__all__ = ["LogBroadcaster", "LogSubscription", "SubscriptionClosed"]

CAPACITY = 1_000
"""The number of lines that a subscription holds. If more lines wait, the oldest lines are dropped,
and the reader gets their number."""


class SubscriptionClosed(Exception):
    """The subscription has ended: no further line arrives.

    Args:
        reason: ``server_shutdown`` or ``unsubscribed``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the log subscription is closed: {reason}")
        self.reason = reason


class LogSubscription:
    """The lines for one reader. When it is full, the oldest line is dropped and counted.

    It must be made, read and closed in the hub's thread. Lines come from any thread, because a task
    that computes runs on a native thread. Adding a line must not wait, because the thread that logs
    holds the handler's lock. So :meth:`put` uses only a deque and an async watcher, whose ``send``
    any thread may call.

    Args:
        broadcaster: the handler that adds the lines.
        capacity: the number of lines that are held.

    Attributes:
        dropped: the number of lines that were dropped so far.
    """

    def __init__(self, broadcaster: LogBroadcaster, capacity: int) -> None:
        self._broadcaster = broadcaster
        self._lines: deque[str] = deque(maxlen=capacity)
        self._arrived = Signal()
        # ref=False: the watcher alone must not keep the loop, and thus the process, running.
        self._watcher = get_hub().loop.async_(ref=False)
        self._watcher.start(self._arrived.set)
        self._closed_because: str | None = None
        self.dropped = 0

    def put(self, line: str) -> None:
        """Add a line. Only the broadcaster calls this."""
        if len(self._lines) == self._lines.maxlen:
            self.dropped += 1
        self._lines.append(line)
        self._watcher.send()

    def take(self, timeout: float) -> str | None:
        """Wait for the next line.

        Args:
            timeout: seconds.

        Returns:
            The oldest line that was not taken yet; None if no line came in time.

        Raises:
            SubscriptionClosed: the subscription is closed, and every line was taken.
        """
        deadline = time.monotonic() + timeout
        while not self._lines and self._closed_because is None:
            # The signal may come from a line that was already taken; then wait again.
            if not self._arrived.wait(max(deadline - time.monotonic(), 0.0)):
                break
            # Cleared before the lines are checked: a line that comes in between sets it again.
            self._arrived.clear()
        if self._lines:
            let_others_run_if_due()  # lines may come faster than the reader's socket fills
            return self._lines.popleft()
        if self._closed_because is not None:
            raise SubscriptionClosed(self._closed_because)
        return None

    def close(self, reason: str = "unsubscribed") -> None:
        """End the subscription. Lines that are already there can still be taken.

        Args:
            reason: the reason for the reader. A second call does not change it.
        """
        self._broadcaster.forget(self)
        if self._closed_because is None:
            self._closed_because = reason
            self._watcher.stop()
            self._watcher.close()
        self._arrived.set()


class LogBroadcaster(logging.Handler):
    """Formats each log record once, and gives the line to every subscription.

    The handler is added to the root logger only while there are subscriptions, so it costs nothing
    otherwise.

    Args:
        formatter: formats the lines, and masks secrets in them.
        shutdown_coordinator: its SHUTDOWN ends every subscription.
        capacity: the number of lines that one subscription holds.
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
        """The number of open subscriptions."""
        return len(self._subscriptions)

    def subscribe(self) -> LogSubscription:
        """Open a subscription. Call its ``close`` when it is no longer needed."""
        subscription = LogSubscription(self, self._capacity)
        if self._ended:
            subscription.close("server_shutdown")
            return subscription
        self._subscriptions = (*self._subscriptions, subscription)
        logging.getLogger().addHandler(self)
        return subscription

    def forget(self, subscription: LogSubscription) -> None:
        """Stop giving lines to a subscription. Only the subscription calls this."""
        self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)
        if not self._subscriptions:
            logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Give a record's line to every subscription."""
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
