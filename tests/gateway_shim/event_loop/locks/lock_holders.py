"""Helpers that hold a lock in a native thread and wait for greenlets that wait for the lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

from gateway_shim.event_loop.locks.shared_lock import SharedLock
from tests.support.timing import TIME_LIMIT, wait_until

allocate_native_lock = get_original("_thread", "allocate_lock")


class Gate:
    """A gate where a native thread waits without gevent, so that it has no event loop."""

    def __init__(self) -> None:
        self._lock = allocate_native_lock()
        self._lock.acquire()

    def open(self) -> None:
        """Let the thread go on."""
        self._lock.release()

    def wait(self) -> None:
        """Wait until the gate is open, at most as long as a test may take."""
        assert self._lock.acquire(True, TIME_LIMIT)


def hold_in_thread(pool: ThreadPool, lock: SharedLock) -> tuple[Callable[[], None], Any]:
    """Hold the lock in a native thread.

    Returns:
        The function that makes the thread release the lock, and the thread's result.
    """
    gate = Gate()

    def hold() -> None:
        with lock:
            gate.wait()

    result = pool.spawn(hold)
    wait_until(lock.locked, "the thread to hold the lock")
    return gate.open, result


def wait_for_sleepers(lock: SharedLock, count: int) -> None:
    """Wait until this number of greenlets and threads wait for the lock."""
    wait_until(lambda: len(lock._sleepers) == count, f"{count} to wait for the lock")
