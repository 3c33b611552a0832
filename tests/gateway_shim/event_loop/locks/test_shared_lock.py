"""A lock that native threads and greenlets share."""

from __future__ import annotations

import threading
from typing import Any

import gevent
import pytest
from gevent.hub import get_hub
from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

from gateway_shim.event_loop.locks import sleepers
from gateway_shim.event_loop.locks.shared_lock import Lock, SharedLock
from tests.gateway_shim.event_loop.locks.lock_holders import wait_for_sleepers
from tests.support.timing import TIME_LIMIT

native_sleep = get_original("time", "sleep")


def test_it_is_held_by_one_at_a_time(lock: SharedLock) -> None:
    """A second caller gets the lock only after it was released."""
    with lock:
        assert lock.locked()
        assert not lock.acquire(blocking=False)
        assert not lock.acquire(timeout=0.001)
        assert "locked" in repr(lock)
    assert not lock.locked()
    assert lock.acquire(False)
    lock.release()
    assert lock.acquire(True, None)


def test_releasing_a_free_lock_is_an_error(lock: SharedLock) -> None:
    """Releasing a free lock raises RuntimeError and changes nothing, as with threading.Lock."""
    with pytest.raises(RuntimeError):
        lock.release()
    assert lock.acquire(False)
    lock.release()
    with pytest.raises(RuntimeError):
        lock.release()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [((False, 1), ValueError), ((True, -2), ValueError), ((True, 1e300), OverflowError)],
)
def test_senseless_time_limits_are_refused(
    lock: SharedLock, arguments: tuple[bool, float], error: type[Exception]
) -> None:
    """Invalid time limits raise the errors of threading.Lock, and the lock stays free."""
    with pytest.raises(error):
        lock.acquire(*arguments)
    assert not lock.locked()


def test_a_waiter_that_comes_during_a_release_is_woken(pool: ThreadPool, lock: SharedLock) -> None:
    """A waiter that comes during a release, after the look for waiters, is woken."""

    class Slow:
        """A native lock whose release finishes after another thread has begun to wait."""

        def __init__(self, native: Any) -> None:
            self.acquire, self.locked, self._release = native.acquire, native.locked, native.release
            self.others: list[Any] = []

        def release(self) -> None:
            if not self.others:
                self.others.append(pool.spawn(lock.acquire))
                while not lock._sleepers:
                    native_sleep(0.001)
                native_sleep(0.01)  # until the waiter sleeps; less makes the test easier
            self._release()

    lock._native = slow = Slow(lock._native)
    lock.acquire()
    lock.release()
    assert slow.others[0].get(timeout=TIME_LIMIT) is True


def test_any_thread_may_release_the_lock(pool: ThreadPool, lock: SharedLock) -> None:
    """The lock has no owner: a greenlet releases what a thread has taken, and the reverse."""
    pool.spawn(lock.acquire).get(timeout=TIME_LIMIT)
    waiting = gevent.spawn(lock.acquire)
    wait_for_sleepers(lock, 1)
    lock.release()
    assert waiting.get(timeout=TIME_LIMIT) is True
    pool.spawn(lock.release).get(timeout=TIME_LIMIT)
    assert not lock.locked()


def test_a_failed_attempt_lets_others_run() -> None:
    """A failed attempt on a Lock lets others run; one on a SharedLock, for imports, does not."""
    lock = Lock()
    lock.acquire()
    gevent.spawn(lock.release)
    tries = 1
    while not lock.acquire(blocking=False):
        tries += 1
        assert tries < 1000
    plain, ran = SharedLock(), []
    plain.acquire()
    gevent.spawn(ran.append, True)
    assert not plain.acquire(blocking=False)
    assert ran == []


def test_a_greenlet_whose_loop_is_gone_is_passed_over(pool: ThreadPool, lock: SharedLock) -> None:
    """A release skips a greenlet whose loop is gone and wakes the next one."""
    lock.acquire()

    def leave_a_greenlet_behind() -> None:
        left.append(gevent.spawn(lock.acquire))
        gevent.sleep(0)
        get_hub().destroy(True)

    left: list[gevent.Greenlet] = []
    pool.spawn(leave_a_greenlet_behind).get(timeout=TIME_LIMIT)
    second = gevent.spawn(lock.acquire)
    wait_for_sleepers(lock, 2)
    waiting = set(lock._sleepers)
    lock.release()
    assert second.get(timeout=TIME_LIMIT) is True
    assert not waiting & sleepers._in_loops


def test_after_a_fork_it_is_free(lock: SharedLock) -> None:
    """The lock is free in a forked child, which has neither the holder nor the waiters."""
    lock.acquire()
    waiting = gevent.spawn(lock.acquire)
    wait_for_sleepers(lock, 1)
    waiting.kill()
    lock._at_fork_reinit()
    assert not lock.locked()
    assert lock.acquire(False)


def test_conditions_and_reentrant_locks_stand_on_it(pool: ThreadPool) -> None:
    """Python's own conditions and reentrant locks work between the two sides."""
    condition = threading.Condition(threading.RLock())
    ball = "loop"
    touches = 0

    def play(me: str, other: str) -> None:
        nonlocal ball, touches
        for _ in range(500):
            with condition, condition:
                while ball != me:
                    assert condition.wait(TIME_LIMIT)
                ball, touches = other, touches + 1
                condition.notify_all()

    result = pool.spawn(play, "thread", "loop")
    greenlet = gevent.spawn(play, "loop", "thread")
    greenlet.get(timeout=TIME_LIMIT * 2)
    result.get(timeout=TIME_LIMIT)
    assert touches == 1000
