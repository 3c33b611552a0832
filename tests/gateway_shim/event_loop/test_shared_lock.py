"""A lock that native threads and greenlets share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.exceptions import BlockingSwitchOutError
from gevent.hub import get_hub
from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

from gateway_shim.event_loop import sleepers
from gateway_shim.event_loop.shared_lock import PATIENCE, Lock, SharedLock
from gateway_shim.event_loop.sleepers import ThreadSleeper
from tests.support.timing import TIME_LIMIT, wait_until

native_sleep = get_original("time", "sleep")
allocate_native_lock = get_original("_thread", "allocate_lock")


@pytest.fixture
def lock() -> SharedLock:
    """The lock under test."""
    return SharedLock()


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    """Native threads."""
    made = ThreadPool(4)
    yield made
    made.kill()


class Gate:
    """Lets a native thread wait without gevent's help, so that it has no event loop."""

    def __init__(self) -> None:
        self._lock = allocate_native_lock()
        self._lock.acquire()

    def open(self) -> None:
        """Let the thread go on."""
        self._lock.release()

    def wait(self) -> None:
        """Wait until it is opened, as long as a test may take."""
        assert self._lock.acquire(True, TIME_LIMIT)


def held_by_thread(pool: ThreadPool, lock: SharedLock) -> tuple[Callable[[], None], Any]:
    """Have a native thread hold the lock until the first of the two is called."""
    gate = Gate()

    def hold() -> None:
        with lock:
            gate.wait()

    result = pool.spawn(hold)
    wait_until(lock.locked, "the thread to hold the lock")
    return gate.open, result


def sleeping(lock: SharedLock, count: int) -> None:
    """Wait until so many wait for the lock."""
    wait_until(lambda: len(lock._sleepers) == count, f"{count} to wait for the lock")


# ------------------------------------------------------------------ as threading.Lock


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
    sleeping(lock, 1)
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


# ------------------------------------------------------------------ between the two sides


def test_a_greenlet_waits_for_a_thread_and_others_go_on(pool: ThreadPool, lock: SharedLock) -> None:
    """The event loop runs while a greenlet waits."""
    let_go, result = held_by_thread(pool, lock)
    waiting = gevent.spawn(lock.acquire)
    sleeping(lock, 1)
    ticks = [gevent.sleep(0) for _ in range(10)]
    assert (len(ticks), waiting.ready()) == (10, False)
    let_go()
    assert waiting.get(timeout=TIME_LIMIT) is True
    result.get(timeout=TIME_LIMIT)


@pytest.mark.parametrize("has_loop", [False, True])
def test_a_thread_waits_for_a_greenlet(pool: ThreadPool, lock: SharedLock, has_loop: bool) -> None:
    """A thread without an event loop blocks; one that has one waits in it."""
    ticks: list[int] = []

    def wait() -> bool:
        if has_loop:
            gevent.spawn(lambda: [(ticks.append(n), gevent.sleep(0)) for n in range(5)])
        with lock:
            return True

    lock.acquire()
    result = pool.spawn(wait)
    sleeping(lock, 1)
    if has_loop:
        wait_until(lambda: len(ticks) == 5, "the greenlet beside it")
    lock.release()
    assert result.get(timeout=TIME_LIMIT) is True
    assert not lock.locked()


def test_time_limits_hold_on_both_sides(pool: ThreadPool, lock: SharedLock) -> None:
    """Who does not get it in time is told, and leaves nothing behind."""
    lock.acquire()
    assert gevent.spawn(lock.acquire, True, 0.01).get(timeout=TIME_LIMIT) is False
    assert pool.spawn(lock.acquire, True, 0.01).get(timeout=TIME_LIMIT) is False
    assert not lock._sleepers
    lock.release()
    assert not lock.locked()


def test_the_time_limit_of_the_caller_holds(lock: SharedLock) -> None:
    """gevent.Timeout reaches a greenlet that waits; the lock forgets it."""
    lock.acquire()
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
        lock.acquire()
    assert not lock._sleepers


def test_who_is_killed_while_waiting_gets_nothing(lock: SharedLock) -> None:
    """The next one is woken instead."""
    lock.acquire()
    first, second = gevent.spawn(lock.acquire), gevent.spawn(lock.acquire)
    sleeping(lock, 2)
    first.kill()
    sleeping(lock, 1)
    lock.release()
    assert second.get(timeout=TIME_LIMIT) is True


def test_who_is_killed_when_it_was_woken_passes_the_wake_up_on(lock: SharedLock) -> None:
    """The release has woken the first one already when the kill arrives."""
    lock.acquire()
    first, second = gevent.spawn(lock.acquire), gevent.spawn(lock.acquire)
    sleeping(lock, 2)
    lock.release()
    assert len(lock._sleepers) == 1
    first.kill(block=False)
    assert second.get(timeout=TIME_LIMIT) is True
    assert isinstance(first.value, gevent.GreenletExit)


def test_who_is_killed_when_it_was_given_the_lock_passes_it_on(lock: SharedLock) -> None:
    """After so many defeats the lock was its own although it had not run yet."""
    lock.acquire()
    first = gevent.spawn(lock.acquire)
    sleeping(lock, 1)
    for _ in range(PATIENCE):
        lock.release()
        lock.acquire()  # before the one that was woken could run
        sleeping(lock, 1)
    second = gevent.spawn(lock.acquire)
    sleeping(lock, 2)
    lock.release()
    assert lock.locked()  # it was handed over
    first.kill(block=False)
    assert second.get(timeout=TIME_LIMIT) is True
    assert lock.locked()
    lock.release()
    assert not lock.locked()


def test_nobody_starves(pool: ThreadPool, lock: SharedLock) -> None:
    """A side that lets go only to take the lock again cannot keep it from the other."""
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
    """Hold the lock over a switch."""
    with lock:
        gevent.sleep(0)


def test_threads_and_greenlets_count_together(pool: ThreadPool, lock: SharedLock) -> None:
    """Nobody hangs, nobody is inside with another, and no count is lost."""
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


# ------------------------------------------------------------------ in the hub


def in_hub(function: Callable[[], object]) -> list[object]:
    """Call a function as a callback of the event loop; what it returned or raised."""
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
    """It cannot switch, but a thread's release needs no loop; it goes before the loop's own."""
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
    sleeping(lock, 1)

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
    """A greenlet holds the lock, and could not run before the callback has ended."""
    lock.acquire()
    (error,) = in_hub(lock.acquire)
    assert isinstance(error, BlockingSwitchOutError)
    assert "gevent.spawn" in str(error)
    assert in_hub(lambda: lock.acquire(blocking=False)) == [False]
    assert not lock._sleepers


def test_a_callback_does_not_wait_for_ever(pool: ThreadPool, lock: SharedLock) -> None:
    """Not even for a thread, which may itself wait for the loop."""
    let_go, result = held_by_thread(pool, lock)
    assert in_hub(lambda: lock.acquire(timeout=0.01)) == [False]
    (error,) = in_hub(lock.acquire)
    assert isinstance(error, BlockingSwitchOutError)
    let_go()
    result.get(timeout=TIME_LIMIT)
    assert in_hub(lock.acquire) == [True]


# ------------------------------------------------------------------ the rest of its life


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
    sleeping(lock, 2)
    waiting = set(lock._sleepers)
    lock.release()
    assert second.get(timeout=TIME_LIMIT) is True
    assert not waiting & sleepers._in_loops


def test_after_a_fork_it_is_free(lock: SharedLock) -> None:
    """The child has neither the holder nor those who wait."""
    lock.acquire()
    waiting = gevent.spawn(lock.acquire)
    sleeping(lock, 1)
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
