"""Sleepers: objects that wait until they are woken from the same or another thread.

One kind blocks a native thread; the other parks a greenlet, so that its event loop continues. A
wake-up that arrives before the sleep is kept. There is one wake-up for each sleep.
"""

from __future__ import annotations

import contextlib
from time import monotonic
from typing import Any, Protocol

from gevent.hub import Hub, Waiter
from gevent.monkey import get_original
from gevent.timeout import Timeout

__all__ = ["LoopSleeper", "Sleeper", "ThreadSleeper", "let_loops_end"]

_allocate_native_lock = get_original("_thread", "allocate_lock")
_get_native_ident = get_original("_thread", "get_ident")

_loops_may_end = False
_in_loops: set[LoopSleeper] = set()
"""The sleepers whose greenlets sleep now. Their watchers keep their loops alive."""


def let_loops_end() -> None:
    """Let event loops end although greenlets are sleeping in them.

    Called at the end of the process, when the locks will not be released any more. Before, a
    sleeping greenlet keeps its loop alive. A greenlet that sleeps later, such as the code that ends
    the process, still waits for a lock that another thread holds.
    """
    global _loops_may_end
    _loops_may_end = True
    for sleeper in list(_in_loops):
        sleeper.let_loop_end()


class Sleeper(Protocol):
    """Waits in one thread until it is woken from the same or another thread."""

    thread: int
    is_given_lock: bool
    """True: the release hands the lock to this sleeper. False: the sleeper must compete for it."""

    def sleep(self, deadline: float | None, holder: int | None) -> bool:
        """Wait until woken (True) or until the deadline (False).

        Args:
            deadline: monotonic seconds; None: no limit.
            holder: the native thread that holds the lock, if it is known.
        """
        ...

    def wake(self) -> bool:
        """End the sleep, from any thread. Return False if the sleeper cannot run again."""
        ...


class ThreadSleeper:
    """Blocks a native thread."""

    __slots__ = ("_gate", "is_given_lock", "thread")

    def __init__(self) -> None:
        self.thread: int = _get_native_ident()
        self.is_given_lock = False
        self._gate = _allocate_native_lock()
        self._gate.acquire()

    def sleep(self, deadline: float | None, holder: int | None = None) -> bool:
        """Block until woken (True) or until the deadline (False)."""
        if deadline is None:
            return bool(self._gate.acquire())
        return bool(self._gate.acquire(True, max(deadline - monotonic(), 0.0)))

    def wake(self) -> bool:
        """End the sleep; may be called from any thread."""
        self._gate.release()
        return True


class LoopSleeper:
    """Parks a greenlet. The greenlet itself must create, use, and close the object.

    The ``send`` of an async watcher is the only call that an event loop allows from other threads.

    Args:
        hub: the hub of the greenlet's thread.
    """

    __slots__ = ("_closed", "_waiter", "_watcher", "is_given_lock", "thread")

    def __init__(self, hub: Hub) -> None:
        self.thread: int = _get_native_ident()
        self.is_given_lock = False
        self._closed = False
        self._waiter: Waiter[Any] = Waiter(hub)
        self._watcher: Any = hub.loop.async_(ref=not _loops_may_end)
        # Start before the object is shared: a watcher that is not started loses a send.
        self._watcher.start(self._waiter.switch, None)

    def sleep(self, deadline: float | None, holder: int | None = None) -> bool:
        """Wait cooperatively until woken (True) or until the deadline (False)."""
        if _loops_may_end:
            # At its end, the process still waits for a thread that holds a lock, such as the lock
            # of a logging handler, but not for greenlets that will never run again.
            self._watcher.ref = holder != self.thread
        _in_loops.add(self)
        try:
            if deadline is None:
                self._waiter.get()
                return True
            # False: end the block without an exception.
            with Timeout(max(deadline - monotonic(), 0.0), False):  # type: ignore[arg-type]  # no error
                self._waiter.get()
                return True
            return False
        finally:
            _in_loops.discard(self)
            self._waiter.clear()

    def wake(self) -> bool:
        """End the sleep, from any thread. Return False if the greenlet's loop is gone."""
        try:
            self._watcher.send()
        except Exception:  # noqa: BLE001 - each kind of loop raises another error when it is gone
            _in_loops.discard(self)
            return self._closed  # if closed, the greenlet has noticed that it was removed
        return True

    def let_loop_end(self) -> None:
        """Stop keeping the loop alive."""
        with contextlib.suppress(Exception):  # the loop is gone; each kind raises another error
            self._watcher.ref = False

    def close(self) -> None:
        """Release the watcher."""
        self._closed = True
        self._watcher.stop()
        self._watcher.close()
