"""A condition variable that does not lose a notification when a waiting greenlet is killed.

A greenlet can be killed while it waits, for example by a cancelled task or a time limit. Python's
``threading.Condition`` does not expect this. It would lose a notification that had reached the
killed greenlet, so that another waiter would sleep beside a full queue. And a greenlet that is
killed while it reacquires the lock would leave the ``with`` block without the lock, and release the
lock of another greenlet.
"""

from __future__ import annotations

from typing import Any

from gevent._hub_local import get_hub_if_exists
from gevent.exceptions import BlockingSwitchOutError
from gevent.hub import getcurrent
from gevent.monkey import get_original

from gateway_shim.event_loop.locks.shared_lock import SharedLock

__all__ = ["Condition"]

_Condition: Any = get_original("threading", "Condition")


class Condition(_Condition):  # type: ignore[misc]  # its type is known only at run time
    """The ``threading.Condition`` of a patched process. Queues, events, and semaphores use it.

    Args:
        lock: the lock; a new ``threading.RLock`` if not given.
    """

    _everybody = 0
    """The number of calls of :meth:`notify_all`."""

    def wait(self, timeout: float | None = None) -> bool:
        """Release the lock, wait for a notification, and acquire the lock again.

        Args:
            timeout: the time limit, seconds; None: no limit. With 0 or less, other greenlets run
                once, so that a loop of such calls can end.

        Returns:
            True if notified; False if the time limit has passed.

        Raises:
            RuntimeError: the lock is not held.
            BlockingSwitchOutError: called in a callback of the event loop, which cannot wait.
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
        # A notification removes our waiter; it may have arrived after the time limit.
        notified = waiter not in self._waiters
        if not notified:
            self._waiters.remove(waiter)
        if interruption is not None:
            # After notify_all() the other waiters were notified as well: nothing to pass on.
            if notified and everybody == self._everybody:
                self.notify()
            raise interruption
        return notified

    def notify_all(self) -> None:
        """Wake all waiters. The lock must be held."""
        self._everybody += 1
        super().notify_all()

    def _take_back(self, saved: object) -> BaseException | None:
        """Acquire the lock again in any case, because the caller will release it.

        Returns:
            The exception that was raised meanwhile, if any.
        """
        interruption: BaseException | None = None
        while True:
            try:
                self._acquire_restore(saved)
            except BaseException as exc:  # noqa: BLE001 - returned
                interruption = interruption or exc
            else:
                return interruption
