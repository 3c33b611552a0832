"""A lock that native threads and greenlets can share.

A lock of gevent belongs to the event loop of the thread that first waited for it. When a native
thread and a greenlet wait for the same lock, a wake-up can be lost, and the greenlet then sleeps
forever. The lock of this module belongs to no loop.

The algorithm:

- The state is a native lock. The holder of the native lock is the holder of the shared lock.
- A caller that finds the lock held adds a *sleeper* to ``_sleepers``, tries once more, and sleeps.
  A release either happens before this second try, which then succeeds, or the release sees the
  sleeper. Therefore no wake-up is lost.
- Only the holder removes sleepers to wake them, so two releases cannot remove the same sleeper. A
  sleeper that gives up removes itself. If it was removed already, it passes the wake-up on.
- A woken sleeper competes with other callers for the lock. After ``PATIENCE`` defeats, the next
  release hands the lock over without unlocking it. Therefore neither side can starve the other,
  and up to then a lock is not kept idle until a loop runs its greenlet.

No step needs a second lock. Each step is one operation of a deque or of a native lock, which other
threads, signal handlers, and finalizers cannot interrupt.
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

from gateway_shim.event_loop.locks.sleepers import LoopSleeper, Sleeper, ThreadSleeper

__all__ = ["PATIENCE", "Lock", "SharedLock"]

PATIENCE = 4
"""The number of times that a woken sleeper may find the lock taken before it is handed the lock."""

_HUB_SECONDS = 1.0
"""The seconds that a callback of a loop, which cannot switch, waits for another thread."""

_HUB_LOOK_SECONDS = 0.01
"""The seconds between its checks that no greenlet of its own loop has acquired the lock."""

_allocate_native_lock = get_original("_thread", "allocate_lock")
_get_native_ident = get_original("_thread", "get_ident")
_TIMEOUT_MAX: float = get_original("_thread", "TIMEOUT_MAX")


class SharedLock:
    """A lock for greenlets of any event loop and for native threads at the same time.

    It has the interface of :class:`threading.Lock`. A thread that has an event loop waits
    cooperatively; a thread without one blocks. A callback that runs in the hub cannot switch: if
    another thread holds the lock, it blocks for at most a second; otherwise it raises, like
    gevent's locks.

    Unlike gevent's locks, a greenlet that waits forever keeps its loop alive, because another
    thread may release the lock.
    """

    __slots__ = ("__weakref__", "_native", "_sleepers", "_thread")

    _yields = False

    def __init__(self) -> None:
        self._native = _allocate_native_lock()
        self._sleepers: deque[Sleeper] = deque()
        # The native thread of the holder; None while the lock is being acquired or released.
        self._thread: int | None = None

    def acquire(self, blocking: bool = True, timeout: float | None = -1) -> bool:
        """Acquire the lock, and wait while it is held.

        Args:
            blocking: False: do not wait.
            timeout: the time limit, seconds; -1 or None: no limit.

        Returns:
            True if the caller now holds the lock.

        Raises:
            ValueError: the time limit is negative, or given without ``blocking``.
            OverflowError: the time limit is too large for the platform.
            BlockingSwitchOutError: the call would have to wait in a callback of the event loop.
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
        """Acquire the lock, and wait while it is held."""
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
        # A sleeper may have been added just before the release, and found the lock held.
        if self._sleepers and self._native.acquire(False):
            self._pass_on()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the lock."""
        if self._sleepers:
            self.release()
            return
        # The same as release(), without the call: a connect takes a dozen locks.
        self._thread = None
        self._native.release()
        if self._sleepers and self._native.acquire(False):
            self._pass_on()

    def locked(self) -> bool:
        """Return whether the lock is held."""
        return bool(self._native.locked())

    def _is_owned(self) -> bool:
        # Without this method, threading.Condition tries to acquire the lock to find out.
        return bool(self._native.locked())

    def _at_fork_reinit(self) -> None:
        # After a fork, neither the holder nor the waiters exist in the child.
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
        """Wait until the caller holds the lock (True) or the deadline has passed (False)."""
        add = self._sleepers.append
        defeats = 0
        while True:
            sleeper.is_given_lock = defeats >= PATIENCE
            add(sleeper)
            try:
                if self._native.acquire(False):
                    # The caller holds the lock, so no other thread removes sleepers.
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
            # A release has removed the sleeper, perhaps at the last moment.
            if sleeper.is_given_lock:
                return True
            if self._native.acquire(False):
                self._thread = _get_native_ident()
                return True
            if not woken:
                return False  # the current holder will wake the next sleeper
            defeats += 1
            add = self._sleepers.appendleft

    def _wait_in_hub(self, deadline: float | None) -> bool:
        until = monotonic() + _HUB_SECONDS
        if deadline is not None:
            until = min(until, deadline)
        sleeper = ThreadSleeper()
        # At the front: a greenlet of this loop could not run if it were woken first.
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
        """Remove the caller's sleeper; return False if a release has removed it already."""
        try:
            self._sleepers.remove(sleeper)
        except ValueError:
            return False
        return True

    def _decline(self, sleeper: Sleeper) -> None:
        """Pass on the lock, or the wake-up, of a removed sleeper that has given up."""
        if sleeper.is_given_lock:
            self.release()
        elif self._sleepers and self._native.acquire(False):
            self._pass_on()

    def _pass_on(self) -> None:
        """Release the native lock, which the caller holds, for the first sleeper that can run."""
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
            # If its loop is gone, wake the next sleeper, unless the lock is held again.
            if sleeper.wake() or not self._native.acquire(False):
                return


class Lock(SharedLock):
    """The ``threading.Lock`` of a patched process.

    Like gevent's lock, it lets other greenlets run after a failed attempt without waiting, so that
    a loop of such attempts can end. The locks of the import system do not do so.
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
