"""A lock that native threads and greenlets can share.

A gevent lock belongs to the event loop of the thread that waited for it first. When a native
thread and a greenlet wait for the same lock, a wake-up can be lost, and the greenlet then sleeps
for ever. A shared lock belongs to no loop.

How the lock works:

- The state of the lock is a native lock: the holder of the native lock holds the shared lock.
- A caller that finds the lock held adds a *sleeper* to ``_sleepers``, tries once more, and sleeps.
  A release either happens before the second try, which then succeeds, or it sees the sleeper. So
  no wake-up is lost.
- Only the holder removes sleepers to wake them, so two releases cannot wake the same sleeper. A
  sleeper that gives up removes itself. If a release has already removed it, it passes the wake-up
  on.
- A woken sleeper competes with others for the lock. After ``PATIENCE`` defeats the next release
  gives it the lock without unlocking. So neither side can starve the other. Before that, a lock
  never stays idle until a loop gets round to its greenlet.

No step needs a second lock. Each step is one operation of a deque or of a native lock, which other
threads, signal handlers and finalizers cannot interrupt.
"""

from __future__ import annotations

from collections import deque
from time import monotonic
from types import TracebackType

from gevent import sleep
from gevent._hub_local import get_hub_if_exists
from gevent.exceptions import BlockingSwitchOutError
from gevent.hub import getcurrent
from gevent.monkey import get_original

from gateway_shim.event_loop.sleepers import LoopSleeper, Sleeper, ThreadSleeper

__all__ = ["PATIENCE", "Lock", "SharedLock"]

PATIENCE = 4
"""The number of times a woken sleeper may find the lock taken before it is given the lock."""

_HUB_SECONDS = 1.0
"""Seconds that a callback of the loop, which cannot switch, waits for another thread."""

_HUB_LOOK_SECONDS = 0.01
"""Seconds between the callback's checks that the lock is not held by a greenlet of its loop."""

_allocate_native_lock = get_original("_thread", "allocate_lock")
_get_native_ident = get_original("_thread", "get_ident")
_TIMEOUT_MAX: float = get_original("_thread", "TIMEOUT_MAX")


class SharedLock:
    """A lock for greenlets of any event loop and for native threads, at the same time.

    It has the interface of :class:`threading.Lock`. A thread that has an event loop waits
    cooperatively. A thread without a loop blocks. A callback that runs in the hub itself cannot
    switch: if another thread holds the lock, the callback waits natively for at most a second.
    Otherwise it raises, as with gevent's locks.

    Unlike with gevent's locks, a greenlet that waits for ever keeps its loop alive, because
    another thread may release the lock.
    """

    __slots__ = ("__weakref__", "_native", "_sleepers", "_thread")

    _yields = False

    def __init__(self) -> None:
        self._native = _allocate_native_lock()
        self._sleepers: deque[Sleeper] = deque()
        # The native thread of the holder; None while the lock is being taken or released.
        self._thread: int | None = None

    def acquire(self, blocking: bool = True, timeout: float | None = -1) -> bool:
        """Take the lock; wait while it is held.

        Args:
            blocking: False to return at once if the lock is held.
            timeout: the longest time to wait, in seconds; -1 or None for no limit.

        Returns:
            True if the caller now holds the lock.

        Raises:
            ValueError: the time limit is negative, or given with ``blocking=False``.
            OverflowError: the time limit is too large for the platform.
            BlockingSwitchOutError: the caller is a callback of the loop and would have to wait.
        """
        if timeout != -1 and timeout is not None:
            _check(blocking, timeout)
        if self._native.acquire(False):
            self._thread = _get_native_ident()
            return True
        if not blocking:
            if self._yields:
                _let_others_run()
            return False
        return self._wait(None if timeout == -1 else timeout)

    def __enter__(self) -> bool:
        """Take the lock; wait while it is held."""
        if self._native.acquire(False):
            self._thread = _get_native_ident()
            return True
        return self._wait(None)

    def release(self) -> None:
        """Release the lock and wake one waiter. Any thread or greenlet may call this.

        Raises:
            RuntimeError: the lock is not held.
        """
        if self._sleepers and self._native.locked():
            self._pass_on()
            return
        self._thread = None
        self._native.release()
        # A sleeper may have been added just before the release, when the lock was still held.
        if self._sleepers and self._native.acquire(False):
            self._pass_on()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the lock."""
        self.release()

    def locked(self) -> bool:
        """Return whether the lock is held now."""
        return bool(self._native.locked())

    def _is_owned(self) -> bool:
        # Without this method threading.Condition would try to take the lock to find out.
        return bool(self._native.locked())

    def _at_fork_reinit(self) -> None:
        # After a fork the child has neither the holder nor the waiters.
        self._native._at_fork_reinit()
        self._sleepers.clear()
        self._thread = None

    def __repr__(self) -> str:
        """Return a text that says whether the lock is held."""
        state = "locked" if self.locked() else "unlocked"
        return f"<{state} {type(self).__name__} at {id(self):#x}>"

    # ------------------------------------------------------------------ waiting

    def _wait(self, timeout: float | None) -> bool:
        deadline = None if timeout is None else monotonic() + timeout
        hub = get_hub_if_exists()
        if hub is None:
            return self._sleep(ThreadSleeper(), deadline)
        if getcurrent() is hub:
            return self._wait_in_hub(deadline)
        sleeper = LoopSleeper(hub)
        try:
            return self._sleep(sleeper, deadline)
        finally:
            sleeper.close()

    def _sleep(self, sleeper: Sleeper, deadline: float | None) -> bool:
        """Wait until the lock is taken (True) or the deadline has passed (False)."""
        add = self._sleepers.append
        defeats = 0
        while True:
            sleeper.is_given_lock = defeats >= PATIENCE
            add(sleeper)
            try:
                if self._native.acquire(False):
                    # We hold the lock, so no other release removes sleepers.
                    self._withdraw(sleeper)
                    self._thread = _get_native_ident()
                    return True
                woken = sleeper.sleep(deadline, self._thread)
            except BaseException:  # such as GreenletExit or the time limit of the caller
                if not self._withdraw(sleeper):
                    self._decline(sleeper)
                raise
            if not woken and self._withdraw(sleeper):
                return False
            # A release has removed our sleeper, perhaps at the last moment.
            if sleeper.is_given_lock:
                return True
            if self._native.acquire(False):
                self._thread = _get_native_ident()
                return True
            if not woken:
                return False  # the present holder will wake the next sleeper
            defeats += 1
            add = self._sleepers.appendleft

    def _wait_in_hub(self, deadline: float | None) -> bool:
        until = monotonic() + _HUB_SECONDS
        if deadline is not None:
            until = min(until, deadline)
        sleeper = ThreadSleeper()
        # In front of the others: a greenlet of this loop could not run if it was woken first.
        self._sleepers.appendleft(sleeper)
        taken = self._native.acquire(False)
        while not taken and self._thread != _get_native_ident() and monotonic() < until:
            if sleeper.sleep(min(until, monotonic() + _HUB_LOOK_SECONDS)):
                self._sleepers.appendleft(sleeper)
            taken = self._native.acquire(False)
        withdrawn = self._withdraw(sleeper)
        if taken:
            self._thread = _get_native_ident()
            return True
        if not withdrawn:
            self._decline(sleeper)
        if deadline is not None and monotonic() >= deadline:
            return False
        raise BlockingSwitchOutError(
            "a callback of the event loop asked for a lock that is held, but a callback cannot"
            " wait; take the lock in a greenlet: gevent.spawn(...)"
        )

    def _withdraw(self, sleeper: Sleeper) -> bool:
        """Remove our own sleeper; return False if a release has already removed it."""
        try:
            self._sleepers.remove(sleeper)
        except ValueError:
            return False
        return True

    def _decline(self, sleeper: Sleeper) -> None:
        """Pass a wake-up, or the lock, on from a sleeper that has given up."""
        if sleeper.is_given_lock:
            self.release()
        elif self._sleepers and self._native.acquire(False):
            self._pass_on()

    def _pass_on(self) -> None:
        """Release the native lock, which we hold, for the first sleeper that can run."""
        while True:
            try:
                sleeper = self._sleepers.popleft()
            except IndexError:
                self._thread = None
                self._native.release()
                if not self._sleepers or not self._native.acquire(False):
                    return
                continue
            if sleeper.is_given_lock:
                self._thread = sleeper.thread
                if sleeper.wake():
                    return
                continue
            self._thread = None
            self._native.release()
            # If the sleeper's loop is gone, wake the next one, unless the lock was taken meanwhile.
            if sleeper.wake() or not self._native.acquire(False):
                return


class Lock(SharedLock):
    """The ``threading.Lock`` of a patched process.

    As with gevent's lock, an attempt that fails without waiting lets other greenlets run, so that
    a loop of such attempts comes to an end. The locks of the import system do not let others run.
    """

    __slots__ = ()

    _yields = True


def _check(blocking: bool, timeout: float) -> None:
    if not blocking:
        raise ValueError("can't specify a timeout for a non-blocking call")
    if timeout < 0:
        raise ValueError("timeout value must be a non-negative number")
    if timeout > _TIMEOUT_MAX:
        raise OverflowError("timeout value is too large")


def _let_others_run() -> None:
    hub = get_hub_if_exists()
    if hub is not None and getcurrent() is not hub:
        sleep(0)
