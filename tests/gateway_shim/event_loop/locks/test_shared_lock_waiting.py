"""Waiting for a shared lock, in greenlets and in native threads."""

from __future__ import annotations

import gevent
import pytest
from gevent.threadpool import ThreadPool

from gateway_shim.event_loop.locks.shared_lock import PATIENCE, SharedLock
from tests.gateway_shim.event_loop.locks.lock_holders import hold_in_thread, wait_for_sleepers
from tests.support.timing import TIME_LIMIT, wait_until


def test_a_greenlet_waits_for_a_thread_and_others_go_on(pool: ThreadPool, lock: SharedLock) -> None:
    """The event loop runs while a greenlet waits for a thread."""
    let_go, result = hold_in_thread(pool, lock)
    waiting = gevent.spawn(lock.acquire)
    wait_for_sleepers(lock, 1)
    ticks = [gevent.sleep(0) for _ in range(10)]
    assert (len(ticks), waiting.ready()) == (10, False)
    let_go()
    assert waiting.get(timeout=TIME_LIMIT) is True
    result.get(timeout=TIME_LIMIT)


@pytest.mark.parametrize("has_loop", [False, True])
def test_a_thread_waits_for_a_greenlet(pool: ThreadPool, lock: SharedLock, has_loop: bool) -> None:
    """A thread without an event loop blocks; a thread with a loop waits in the loop."""
    ticks: list[int] = []

    def wait() -> bool:
        if has_loop:
            gevent.spawn(lambda: [(ticks.append(n), gevent.sleep(0)) for n in range(5)])
        with lock:
            return True

    lock.acquire()
    result = pool.spawn(wait)
    wait_for_sleepers(lock, 1)
    if has_loop:
        wait_until(lambda: len(ticks) == 5, "the greenlet beside it")
    lock.release()
    assert result.get(timeout=TIME_LIMIT) is True
    assert not lock.locked()


def test_time_limits_hold_on_both_sides(pool: ThreadPool, lock: SharedLock) -> None:
    """A caller whose time limit passes gets False and leaves nothing behind."""
    lock.acquire()
    assert gevent.spawn(lock.acquire, True, 0.01).get(timeout=TIME_LIMIT) is False
    assert pool.spawn(lock.acquire, True, 0.01).get(timeout=TIME_LIMIT) is False
    assert not lock._sleepers
    lock.release()
    assert not lock.locked()


def test_the_time_limit_of_the_caller_holds(lock: SharedLock) -> None:
    """gevent.Timeout reaches a waiting greenlet, and the lock forgets the greenlet."""
    lock.acquire()
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
        lock.acquire()
    assert not lock._sleepers


def test_a_killed_waiter_is_skipped(lock: SharedLock) -> None:
    """A killed waiter is skipped, and the next waiter is woken."""
    lock.acquire()
    first, second = gevent.spawn(lock.acquire), gevent.spawn(lock.acquire)
    wait_for_sleepers(lock, 2)
    first.kill()
    wait_for_sleepers(lock, 1)
    lock.release()
    assert second.get(timeout=TIME_LIMIT) is True


def test_a_killed_waiter_passes_its_wake_up_on(lock: SharedLock) -> None:
    """A waiter that is killed after it was woken passes the wake-up on."""
    lock.acquire()
    first, second = gevent.spawn(lock.acquire), gevent.spawn(lock.acquire)
    wait_for_sleepers(lock, 2)
    lock.release()
    assert len(lock._sleepers) == 1
    first.kill(block=False)
    assert second.get(timeout=TIME_LIMIT) is True
    assert isinstance(first.value, gevent.GreenletExit)


def test_a_killed_waiter_passes_the_lock_on(lock: SharedLock) -> None:
    """A waiter that was given the lock and is killed before it runs passes the lock on."""
    lock.acquire()
    first = gevent.spawn(lock.acquire)
    wait_for_sleepers(lock, 1)
    for _ in range(PATIENCE):
        lock.release()
        lock.acquire()  # before the woken greenlet could run
        wait_for_sleepers(lock, 1)
    second = gevent.spawn(lock.acquire)
    wait_for_sleepers(lock, 2)
    lock.release()
    assert lock.locked()  # the lock was handed over
    first.kill(block=False)
    assert second.get(timeout=TIME_LIMIT) is True
    assert lock.locked()
    lock.release()
    assert not lock.locked()


def test_nobody_starves(pool: ThreadPool, lock: SharedLock) -> None:
    """A side that releases the lock only to take it again cannot keep it from the other side."""
    rounds = 0
    stop: list[bool] = []

    def grab() -> None:
        nonlocal rounds
        while not stop:
            with lock:
                rounds += 1

    result = pool.spawn(grab)
    wait_until(lambda: rounds, "the thread to begin")
    for _ in range(20):
        assert lock.acquire(timeout=TIME_LIMIT)
        lock.release()
    before = rounds
    stop_at = [gevent.spawn(lambda: [grab_once(lock) for _ in range(200)]) for _ in range(2)]
    gevent.joinall(stop_at, timeout=TIME_LIMIT, raise_error=True)
    wait_until(lambda: rounds > before, "the thread's turn")
    stop.append(True)
    result.get(timeout=TIME_LIMIT)


def grab_once(lock: SharedLock) -> None:
    """Hold the lock while other greenlets run."""
    with lock:
        gevent.sleep(0)


def test_threads_and_greenlets_count_together(pool: ThreadPool, lock: SharedLock) -> None:
    """No thread hangs, no two hold the lock at once, and no count is lost."""
    count, inside = 0, 0

    def work(rounds: int, switches: bool, patient: bool = True) -> int:
        nonlocal count, inside
        done = 0
        for number in range(rounds):
            if not lock.acquire(timeout=-1 if patient else 0.0001 * (number % 3)):
                continue
            inside += 1
            assert inside == 1
            before = count
            if switches and number % 7 == 0:
                gevent.sleep(0)
            count = before + 1
            inside -= 1
            lock.release()
            done += 1
        return done

    def be_killed() -> None:
        while True:
            with lock:
                gevent.sleep(0)

    def kill() -> None:
        for number in range(300):
            victims = [gevent.spawn(be_killed) for _ in range(3)]
            gevent.sleep(0.0001 * (number % 5))
            gevent.killall(victims)

    threads = [pool.spawn(work, 5000, switches) for switches in (False, False, True)]
    threads.append(pool.spawn(work, 5000, False, False))
    greenlets = [gevent.spawn(work, 2000, True, patient) for patient in (True, True, False)]
    killer = gevent.spawn(kill)
    done = [task.get(timeout=TIME_LIMIT * 3) for task in [*greenlets, *threads]]
    killer.get(timeout=TIME_LIMIT)
    assert done[:2] + done[3:6] == [2000, 2000, 5000, 5000, 5000]
    assert count == sum(done)
    assert not lock.locked()
    assert not lock._sleepers
