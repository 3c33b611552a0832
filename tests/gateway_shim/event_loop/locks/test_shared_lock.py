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
    """Whoever comes second does not get it, until it was let go."""
    with lock:
        assert lock.locked()
        assert not lock.acquire(blocking=False)
        assert not lock.acquire(timeout=0.001)
        assert "locked" in repr(lock)
    assert not lock.locked()
    assert lock.acquire(False)
    lock.release()
    assert lock.acquire(True, None)


def test_letting_go_of_what_nobody_holds_is_an_error(lock: SharedLock) -> None:
    """As with threading.Lock; the lock is as it was."""
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
    """With the errors of threading.Lock, and nothing is held."""
    with pytest.raises(error):
        lock.acquire(*arguments)
    assert not lock.locked()


def test_who_comes_to_wait_during_a_release_is_woken(pool: ThreadPool, lock: SharedLock) -> None:
    """It finds the lock held, and the release has already seen that nobody waited."""

    class Slow:
        """A native lock whose release comes after somebody else has begun to wait."""

        def __init__(self, native: Any) -> None:
            self.acquire, self.locked, self._release = native.acquire, native.locked, native.release
            self.others: list[Any] = []

        def release(self) -> None:
            if not self.others:
                self.others.append(pool.spawn(lock.acquire))
                while not lock._sleepers:
                    native_sleep(0.001)
                native_sleep(0.01)  # until it sleeps; if that is too short the test is easier
            self._release()

    lock._native = slow = Slow(lock._native)
    lock.acquire()
    lock.release()
    assert slow.others[0].get(timeout=TIME_LIMIT) is True


def test_one_may_let_go_of_what_another_has_taken(pool: ThreadPool, lock: SharedLock) -> None:
    """A lock has no owner: a thread takes it, a greenlet lets go, and the other way round."""
    pool.spawn(lock.acquire).get(timeout=TIME_LIMIT)
    waiting = gevent.spawn(lock.acquire)
    wait_for_sleepers(lock, 1)
    lock.release()
    assert waiting.get(timeout=TIME_LIMIT) is True
    pool.spawn(lock.release).get(timeout=TIME_LIMIT)
    assert not lock.locked()


def test_a_failed_attempt_lets_others_run() -> None:
    """A loop that tries and tries comes to an end, as with gevent's lock; not so the import's."""
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
    """A wake-up for it would be lost; the next one gets it."""
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
    """The child has neither the holder nor those who wait."""
    lock.acquire()
    waiting = gevent.spawn(lock.acquire)
    wait_for_sleepers(lock, 1)
    waiting.kill()
    lock._at_fork_reinit()
    assert not lock.locked()
    assert lock.acquire(False)


def test_conditions_and_reentrant_locks_stand_on_it(pool: ThreadPool) -> None:
    """Python's own ones, over the shared lock, are right between the two sides."""
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
