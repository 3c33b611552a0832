"""Callbacks of the event loop that take a shared lock."""

from __future__ import annotations

from collections.abc import Callable

import gevent
from gevent.exceptions import BlockingSwitchOutError
from gevent.hub import get_hub
from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

from gateway_shim.event_loop.locks.shared_lock import SharedLock
from gateway_shim.event_loop.locks.sleepers import ThreadSleeper
from tests.gateway_shim.event_loop.locks.lock_holders import (
    Gate,
    hold_in_thread,
    wait_for_sleepers,
)
from tests.support.timing import TIME_LIMIT, wait_until

native_sleep = get_original("time", "sleep")


def in_hub(function: Callable[[], object]) -> list[object]:
    """Call a function as a callback of the event loop; return its result or its exception."""
    answers: list[object] = []

    def call() -> None:
        try:
            answers.append(function())
        except BaseException as exc:  # noqa: BLE001 - the test looks at it
            answers.append(exc)

    get_hub().loop.run_callback(call)
    wait_until(lambda: answers, "the callback")
    return answers


def test_a_callback_waits_natively_for_a_thread(pool: ThreadPool, lock: SharedLock) -> None:
    """A callback waits for a thread's release, ahead of the greenlets of its own loop."""
    gate = Gate()
    begun = []

    def hold() -> None:
        with lock:
            begun.append(True)
            gate.wait()
            native_sleep(0.02)
            first.append(lock._sleepers[0])

    first: list[object] = []
    result = pool.spawn(hold)
    wait_until(lambda: begun, "the thread to hold the lock")
    behind = gevent.spawn(lock.acquire)
    wait_for_sleepers(lock, 1)

    def take() -> bool:
        gate.open()
        got = lock.acquire()
        lock.release()
        return got

    assert in_hub(take) == [True]
    assert isinstance(first[0], ThreadSleeper)
    assert behind.get(timeout=TIME_LIMIT) is True
    result.get(timeout=TIME_LIMIT)


def test_a_callback_is_told_that_it_cannot_wait_for_its_own_loop(lock: SharedLock) -> None:
    """A callback is refused a lock that a greenlet of its own loop holds."""
    lock.acquire()
    (error,) = in_hub(lock.acquire)
    assert isinstance(error, BlockingSwitchOutError)
    assert "gevent.spawn" in str(error)
    assert in_hub(lambda: lock.acquire(blocking=False)) == [False]
    assert not lock._sleepers


def test_a_callback_does_not_wait_for_ever(pool: ThreadPool, lock: SharedLock) -> None:
    """A callback stops waiting even for a thread, because the thread may wait for the loop."""
    let_go, result = hold_in_thread(pool, lock)
    assert in_hub(lambda: lock.acquire(timeout=0.01)) == [False]
    (error,) = in_hub(lock.acquire)
    assert isinstance(error, BlockingSwitchOutError)
    let_go()
    result.get(timeout=TIME_LIMIT)
    assert in_hub(lock.acquire) == [True]
