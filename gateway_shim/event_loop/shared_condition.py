"""A condition variable that loses no wake-up when a greenlet is killed.

A greenlet can be killed while it waits: its task is cancelled, or its time limit passes. Python's
own ``threading.Condition`` does not expect that. It would forget a notification that had already
reached the killed greenlet, and another one would sleep beside a full queue. And a greenlet that
is killed while it takes the lock again would leave the ``with`` block without the lock, and would
release the lock of another greenlet.
"""

from __future__ import annotations

from typing import Any

from gevent._hub_local import get_hub_if_exists
from gevent.exceptions import BlockingSwitchOutError
from gevent.hub import getcurrent
from gevent.monkey import get_original

from gateway_shim.event_loop.shared_lock import SharedLock

__all__ = ["Condition"]

_Condition: Any = get_original("threading", "Condition")


class Condition(_Condition):  # type: ignore[misc]  # the base is known at run time
    """The ``threading.Condition`` of a patched process, which queues and events are built on.

    Semaphores are built on it too.

    Args:
        lock: the lock; by default a new ``threading.RLock``.
    """

    _everybody = 0
    """The number of times that all waiters were notified."""

    def wait(self, timeout: float | None = None) -> bool:
        """Release the lock, wait until notified, and take the lock again.

        Args:
            timeout: the longest time to wait, in seconds; None for no limit. With 0 or less, the
                call lets others run once, so that a loop of such calls comes to an end.

        Returns:
            True if notified; False if the time limit has passed.

        Raises:
            RuntimeError: the lock is not held.
            BlockingSwitchOutError: the caller is a callback of the loop, which cannot wait.
        """
        if not self._is_owned():
            raise RuntimeError("cannot wait on un-acquired lock")
        hub = get_hub_if_exists()
        if hub is not None and getcurrent() is hub:
            if timeout is not None and timeout <= 0:
                return False
            raise BlockingSwitchOutError(
                "a callback of the event loop cannot wait; do it in a greenlet: gevent.spawn(...)"
            )
        waiter = SharedLock()
        waiter.acquire()
        everybody = self._everybody
        self._waiters.append(waiter)
        saved = self._release_save()
        interruption: BaseException | None = None
        try:
            waiter.acquire(timeout=None if timeout is None else max(timeout, 0))
        except BaseException as exc:  # noqa: BLE001 - such as GreenletExit; raised below
            interruption = exc
        interruption = self._take_back(saved) or interruption
        # A notification removes our waiter. It may have come after the time limit.
        notified = waiter not in self._waiters
        if not notified:
            self._waiters.remove(waiter)
        if interruption is not None:
            # After notify_all every other waiter has its own notification; nothing to pass on.
            if notified and everybody == self._everybody:
                self.notify()
            raise interruption
        return notified

    def notify_all(self) -> None:
        """Wake all waiters. The lock must be held."""
        self._everybody += 1
        super().notify_all()

    def _take_back(self, saved: object) -> BaseException | None:
        """Take the lock again, whatever is raised meanwhile: the caller will release the lock.

        Returns:
            The first exception that was raised meanwhile, or None.
        """
        interruption: BaseException | None = None
        while True:
            try:
                self._acquire_restore(saved)
            except BaseException as exc:  # noqa: BLE001 - returned
                interruption = interruption or exc
            else:
                return interruption
