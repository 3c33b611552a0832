"""Waiting until somebody in another thread, or in the same one, says so.

There is one kind for threads that may block, and one for greenlets, whose event loop must go on.
A wake-up that comes before the sleep is kept; there is one wake-up for each sleep.
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
"""Those whose greenlets sleep now; their watchers keep their loops from ending."""


def let_loops_end() -> None:
    """Let event loops end although greenlets sleep in them: nobody will release their locks.

    For the end of the process. Until then such a greenlet keeps its loop alive. One that sleeps
    later, as the code that ends the process does, still waits for a lock of another thread.
    """
    global _loops_may_end
    _loops_may_end = True
    for sleeper in list(_in_loops):
        sleeper.let_loop_end()


class Sleeper(Protocol):
    """Waits in one thread until another thread, or the same one, wakes it. Once a sleep."""

    thread: int
    is_given_lock: bool
    """True: the taker hands the lock to this sleeper. False: the sleeper has to compete."""

    def sleep(self, deadline: float | None, holder: int | None) -> bool:
        """Wait until woken (True) or until the deadline, in monotonic seconds (False).

        Args:
            deadline: as above; None: without limit.
            holder: the native thread that holds what is waited for, as far as is known.
        """
        ...

    def wake(self) -> bool:
        """End the sleep, from any thread; False if the sleeper can never run again."""
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
        """Block until woken (True) or until the deadline, in monotonic seconds (False)."""
        if deadline is None:
            return bool(self._gate.acquire())
        return bool(self._gate.acquire(True, max(deadline - monotonic(), 0.0)))

    def wake(self) -> bool:
        """End the sleep, from any thread; always possible."""
        self._gate.release()
        return True


class LoopSleeper:
    """Parks a greenlet. Made, used and closed by that greenlet.

    An async watcher's ``send`` is the one call that an event loop allows from other threads.

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
        # Before anybody can know of us: a watcher that is not started yet forgets a send.
        self._watcher.start(self._waiter.switch, None)

    def sleep(self, deadline: float | None, holder: int | None = None) -> bool:
        """Wait cooperatively until woken (True) or until the deadline (False)."""
        if _loops_may_end:
            # At its end the process still waits for a thread that holds a lock, such as that of
            # a logging handler, but not for greenlets that will never run again.
            self._watcher.ref = holder != self.thread
        _in_loops.add(self)
        try:
            if deadline is None:
                self._waiter.get()
                return True
            # False: it only ends the block.
            with Timeout(max(deadline - monotonic(), 0.0), False):  # type: ignore[arg-type]
                self._waiter.get()
                return True
            return False
        finally:
            _in_loops.discard(self)
            self._waiter.clear()

    def wake(self) -> bool:
        """End the sleep, from any thread; False if the loop of the greenlet is gone."""
        try:
            self._watcher.send()
        except Exception:  # noqa: BLE001 - each kind of loop has its own error for a dead one
            _in_loops.discard(self)
            return self._closed  # then the greenlet has seen that it was taken out
        return True

    def let_loop_end(self) -> None:
        """Keep the loop alive no longer."""
        with contextlib.suppress(Exception):  # it is gone: each kind has its own error for that
            self._watcher.ref = False

    def close(self) -> None:
        """Give the watcher back."""
        self._closed = True
        self._watcher.stop()
        self._watcher.close()
