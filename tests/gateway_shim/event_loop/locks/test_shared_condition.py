"""A condition variable whose waiting greenlets may be killed."""

from __future__ import annotations

import queue
import threading
import time

import gevent
import pytest
from gevent.exceptions import BlockingSwitchOutError
from gevent.hub import get_hub
from gevent.threadpool import ThreadPool

from gateway_shim.event_loop.locks.shared_condition import Condition
from tests.support.timing import TIME_LIMIT, wait_until


@pytest.fixture
def condition() -> Condition:
    """Return the condition under test, over a lock that is not reentrant."""
    return Condition(threading.Lock())


def wait(condition: Condition, timeout: float | None = None) -> bool:
    """Wait for the condition, with its lock held."""
    with condition:
        return condition.wait(timeout)


def waiting(condition: Condition, count: int) -> list[gevent.Greenlet]:
    """Start greenlets that wait for the condition."""
    greenlets = [gevent.spawn(wait, condition) for _ in range(count)]
    wait_until(lambda: len(condition._waiters) == count, "them to wait")
    return greenlets


def test_it_is_threading_condition() -> None:
    """A patched process uses this class for conditions, queues, events and semaphores."""
    assert threading.Condition is Condition
    assert isinstance(queue.Queue().not_empty, Condition)
    assert isinstance(threading.Event()._cond, Condition)  # type: ignore[attr-defined]
    assert isinstance(threading.Semaphore()._cond, Condition)  # type: ignore[attr-defined]


def test_one_or_all_are_woken(condition: Condition) -> None:
    """notify wakes one waiter, in order, and notify_all wakes the others."""
    greenlets = waiting(condition, 4)
    with condition:
        condition.notify()
    assert greenlets[0].get(timeout=TIME_LIMIT) is True
    assert not any(greenlet.ready() for greenlet in greenlets[1:])
    with condition:
        condition.notify_all()
    assert [greenlet.get(timeout=TIME_LIMIT) for greenlet in greenlets] == [True] * 4


def test_time_limits(condition: Condition, pool: ThreadPool) -> None:
    """A wait that nothing ends in time returns False, holds the lock again, and leaves nothing."""
    assert wait(condition, 0.001) is False
    assert wait(condition, 0) is False
    assert pool.spawn(wait, condition, 0.001).get(timeout=TIME_LIMIT) is False
    assert not condition._waiters
    assert not condition._lock.locked()


def test_a_loop_of_waits_without_time_comes_to_an_end() -> None:
    """A loop such as ``concurrent.futures.wait(..., timeout=0)`` lets the awaited work run."""
    event = threading.Event()
    gevent.spawn_later(0.001, event.set)
    deadline = time.monotonic() + TIME_LIMIT
    while not event.wait(0):
        assert time.monotonic() < deadline, "the greenlet that sets the event did not run"


def test_the_lock_is_needed(condition: Condition) -> None:
    """Waiting and notifying without the lock raises an error, as in the standard library."""
    with pytest.raises(RuntimeError):
        condition.wait()
    with pytest.raises(RuntimeError):
        condition.notify_all()


def test_a_notification_for_a_killed_one_goes_to_the_next(condition: Condition) -> None:
    """A greenlet that is killed before it could run passes its notification on."""
    first, second = waiting(condition, 2)
    with condition:
        condition.notify()
        first.kill(block=False)
    assert second.get(timeout=TIME_LIMIT) is True
    assert isinstance(first.value, gevent.GreenletExit)


def test_a_notification_for_all_is_not_passed_on(condition: Condition) -> None:
    """A waiter that comes after notify_all is not woken by a killed one."""
    (first,) = waiting(condition, 1)
    with condition:
        condition.notify_all()
        first.kill(block=False)
        wait_until(lambda: condition._lock._sleepers, "the killed one to wait for the lock")
        assert condition.wait(0.01) is False
    assert isinstance(first.get(timeout=TIME_LIMIT), gevent.GreenletExit)


def test_a_waiter_killed_while_it_takes_the_lock_again_holds_it(condition: Condition) -> None:
    """A greenlet that is killed while it takes the lock again leaves its with block in order."""
    (first,) = waiting(condition, 1)
    condition.acquire()
    condition.notify()
    gevent.sleep(0)  # it was notified and waits for the lock, which we hold
    wait_until(lambda: condition._lock._sleepers, "it to wait for the lock")
    first.kill(block=False)
    gevent.sleep(0.001)
    assert condition._lock.locked()
    assert not first.ready()
    condition.release()
    first.join(TIME_LIMIT)
    assert isinstance(first.value, gevent.GreenletExit)
    assert not condition._lock.locked()


def test_a_queue_whose_readers_are_killed_loses_nothing(pool: ThreadPool) -> None:
    """A reader that stays gets everything, although other readers are killed meanwhile."""
    numbers: queue.Queue[int] = queue.Queue()
    got: list[int] = []

    def read() -> None:
        while True:
            got.append(numbers.get())

    def put(first: int) -> None:
        for number in range(first, first + 500):
            numbers.put(number)

    stays = gevent.spawn(read)
    threads = [pool.spawn(put, first) for first in (0, 500, 1000)]
    for _ in range(200):
        victims = [gevent.spawn(read) for _ in range(3)]
        gevent.sleep(0)
        gevent.killall(victims, block=False)
    for thread in threads:
        thread.get(timeout=TIME_LIMIT)
    wait_until(lambda: len(got) == 1500, lambda: f"the numbers, after {len(got)}")
    assert sorted(got) == list(range(1500))
    stays.kill()


def test_a_callback_of_the_loop_is_told_that_it_cannot_wait(condition: Condition) -> None:
    """A callback's wait is refused before the lock is released."""
    told: list[object] = []

    def call() -> None:
        with condition:
            try:
                condition.wait(1)
            except BlockingSwitchOutError as exc:
                told.append((str(exc), condition._lock.locked(), condition.wait(0)))

    get_hub().loop.run_callback(call)
    wait_until(lambda: told, "the callback")
    ((text, held, waited),) = told  # type: ignore[misc]
    assert "gevent.spawn" in text
    assert (held, waited) == (True, False)
