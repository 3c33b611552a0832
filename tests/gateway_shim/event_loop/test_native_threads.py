"""Threads that a native thread starts."""

from __future__ import annotations

import _thread
import concurrent.futures
import threading
import time

import gevent
import pytest
from gevent.hub import get_hub
from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

from tests.support.timing import TIME_LIMIT, wait_until

native_ident = get_original("_thread", "get_ident")


def test_a_thread_of_the_loop_is_a_greenlet() -> None:
    """A thread that the loop's thread starts runs in the loop's thread."""
    idents: list[int] = []
    thread = threading.Thread(target=lambda: idents.append(native_ident()))
    thread.start()
    thread.join(TIME_LIMIT)
    assert idents == [native_ident()]


def test_asking_whether_it_lives_lets_it_run() -> None:
    """A loop of calls of is_alive ends, as with gevent alone."""
    thread = threading.Thread(target=gevent.sleep)
    thread.start()
    asked = 0
    while thread.is_alive() and asked < 1000:
        asked += 1
    assert asked < 1000


def test_a_thread_of_a_native_thread_outlives_its_starter(pool: ThreadPool) -> None:
    """A thread that a task has started goes on after the task has ended."""
    go_on, idents = threading.Event(), []

    def work() -> None:
        assert go_on.wait(TIME_LIMIT)
        time.sleep(0.001)  # it gets a hub of its own, which must not be left behind
        idents.append(native_ident())

    def start() -> threading.Thread:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    thread = pool.spawn(start).get(timeout=TIME_LIMIT)
    assert thread.is_alive()
    assert thread in threading.enumerate()
    go_on.set()
    thread.join(TIME_LIMIT)
    assert (thread.is_alive(), len(idents)) == (False, 1)
    assert thread not in threading.enumerate()
    assert idents[0] != native_ident()


def test_it_knows_itself_and_keeps_its_own_values(pool: ThreadPool) -> None:
    """current_thread, the name and thread-local values are right in such a thread."""
    local, found = threading.local(), []

    def work() -> None:
        local.value = 1
        current = threading.current_thread()
        found.append((current.name, current.ident == threading.get_ident(), local.value))

    def start() -> None:
        local.value = 2
        thread = threading.Thread(target=work, name="worker-7")
        thread.start()
        thread.join(TIME_LIMIT)
        found.append((not thread.is_alive(), local.value))

    pool.spawn(start).get(timeout=TIME_LIMIT)
    assert found == [("worker-7", True, 1), (True, 2)]


def test_many_start_and_join_on_both_sides(pool: ThreadPool) -> None:
    """Each side joins its own threads and the threads of the other side."""
    done: list[int] = []

    def start_some() -> list[threading.Thread]:
        threads = [threading.Thread(target=done.append, args=(n,)) for n in range(50)]
        for thread in threads:
            thread.start()
        return threads

    def join(threads: list[threading.Thread]) -> int:
        for thread in threads:
            thread.join(TIME_LIMIT)
        return sum(thread.is_alive() for thread in threads)

    native = pool.spawn(start_some)
    green = start_some()
    assert pool.spawn(join, green).get(timeout=TIME_LIMIT) == 0
    assert join(native.get(timeout=TIME_LIMIT)) == 0
    assert len(done) == 100


def test_an_executor_that_both_sides_share_does_all_its_work(pool: ThreadPool) -> None:
    """The worker of a shared executor still works after the task that started it has ended."""
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        ask = lambda: [executor.submit(pow, 2, n).result(TIME_LIMIT) for n in range(20)]  # noqa: E731
        expected = [2**n for n in range(20)]
        assert pool.spawn(ask).get(timeout=TIME_LIMIT) == expected
        assert ask() == expected
        thread = pool.spawn(ask)
        assert gevent.spawn(ask).get(timeout=TIME_LIMIT) == expected
        assert thread.get(timeout=TIME_LIMIT) == expected


def test_an_error_is_reported_and_the_thread_is_over(
    pool: ThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error reaches threading.excepthook, and join returns."""
    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_type))

    def start() -> None:
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join(TIME_LIMIT)
        told.append(thread.is_alive())

    pool.spawn(start).get(timeout=TIME_LIMIT)
    assert told == [ZeroDivisionError, False]


def test_the_low_level_way_is_native_too(pool: ThreadPool) -> None:
    """_thread.start_new_thread returns the value of get_ident in the new thread."""
    found: list[tuple[int, int]] = []

    def start() -> int:
        return _thread.start_new_thread(
            lambda *, shift: found.append((threading.get_ident() + shift, native_ident())),
            (),
            {"shift": 0},
        )

    ident = pool.spawn(start).get(timeout=TIME_LIMIT)
    wait_until(lambda: found, "the thread to run")
    assert found[0][0] == ident
    assert found[0][1] != native_ident()


def test_its_event_loop_goes_with_it(pool: ThreadPool) -> None:
    """A thread that has waited cooperatively leaves no loop and no descriptor behind."""
    loops: list[object] = []

    def start() -> None:
        def work() -> None:
            time.sleep(0)
            loops.append(get_hub())

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(TIME_LIMIT)

    pool.spawn(start).get(timeout=TIME_LIMIT)
    (hub,) = loops
    assert hub.loop is None  # type: ignore[attr-defined]
