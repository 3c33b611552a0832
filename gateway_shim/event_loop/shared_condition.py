"""A condition variable that loses no wake-up when a greenlet is killed.

Greenlets are killed where they wait: a task that is cancelled, a time limit. Python's own
``threading.Condition`` does not expect that. It would forget a notification that had reached the
killed one, so that somebody else sleeps beside a full queue. And a greenlet killed while it takes
the lock again would leave the ``with`` block without the lock, and release that of somebody else.
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


class Condition(_Condition):  # type: ignore[misc]  # what it is, is known at run time only
    """``threading.Condition`` in a patched process. Queues, events and semaphores are built on it.

    Args:
        lock: the lock; a new ``threading.RLock`` if not given.
    """

    _everybody = 0
    """The number of times that all waiters were notified."""

    def wait(self, timeout: float | None = None) -> bool:
        """Release the lock, wait until notified, and take the lock again.

        Args:
            timeout: how many seconds to wait at most; None: without limit. 0 or less lets others
                run once, so that a loop of such calls comes to an end.

        Returns:
            Whether notified; False if the time limit has passed.

        Raises:
            RuntimeError: the lock is not held.
            BlockingSwitchOutError: called by a callback of the loop, which cannot wait.
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
        # A notification takes our waiter out; it may have come after the time limit.
        notified = waiter not in self._waiters
        if not notified:
            self._waiters.remove(waiter)
        if interruption is not None:
            # Who was notified together with everybody else takes nothing from them.
            if notified and everybody == self._everybody:
                self.notify()
            raise interruption
        return notified

    def notify_all(self) -> None:
        """Wake everybody who waits. The lock must be held."""
        self._everybody += 1
        super().notify_all()

    def _take_back(self, saved: object) -> BaseException | None:
        """Take the lock again, whatever happens: who has called us will release it.

        Returns:
            What was raised meanwhile, if anything.
        """
        interruption: BaseException | None = None
        while True:
            try:
                self._acquire_restore(saved)
            except BaseException as exc:  # noqa: BLE001 - returned
                interruption = interruption or exc
            else:
                return interruption
