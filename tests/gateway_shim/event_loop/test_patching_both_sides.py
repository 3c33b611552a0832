"""Every kind of lock, used by greenlets and native threads at the same time."""

from __future__ import annotations

import concurrent.futures
import functools
import importlib
import logging
import logging.handlers
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import gevent
import prometheus_client
import pytest
from gevent import monkey
from gevent.threadpool import ThreadPool

from tests.support.timing import TIME_LIMIT, wait_until

native_sleep = monkey.get_original("time", "sleep")


def both(pool: ThreadPool, work: Callable[[], object]) -> list[object]:
    """Run a function on two native threads and in two greenlets at once; return the results."""
    threads = [pool.spawn(work) for _ in range(2)]
    greenlets = [gevent.spawn(work) for _ in range(2)]
    return [task.get(timeout=TIME_LIMIT * 2) for task in [*greenlets, *threads]]


def test_a_handler_is_entered_by_one_at_a_time(pool: ThreadPool) -> None:
    """Only one caller is in a log handler, even if its emit lets other greenlets run."""
    inside, lines = [], []

    class Switching(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            inside.append(record)
            gevent.sleep(0)
            lines.append(len(inside))
            inside.remove(record)

    logger, handler = logging.getLogger("tests.switching"), Switching()
    logger.addHandler(handler)
    logger.propagate = False
    try:
        both(pool, lambda: [logger.error("%d", number) for number in range(50)])
    finally:
        logger.removeHandler(handler)
    assert lines == [1] * 200


def test_a_callback_of_the_loop_may_log(pool: ThreadPool) -> None:
    """A callback that logs waits for a thread that is writing a line, and no line is lost."""
    lines: list[str] = []

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            native_sleep(0.001)
            lines.append(record.getMessage())

    logger, handler = logging.getLogger("tests.slow"), Slow()
    logger.addHandler(handler)
    logger.propagate = False
    try:
        thread = pool.spawn(lambda: [logger.error("thread") for _ in range(50)])
        wait_until(lambda: lines, "the thread to log")
        loop = gevent.get_hub().loop
        for _ in range(20):
            loop.run_callback(logger.error, "hub")
            gevent.sleep(0)
        thread.get(timeout=TIME_LIMIT)
        wait_until(lambda: len(lines) == 70, "all lines")
    finally:
        logger.removeHandler(handler)
    assert (lines.count("thread"), lines.count("hub")) == (50, 20)


def test_get_logger_and_imports(
    pool: ThreadPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides make loggers and handlers and import the same modules at the same time."""
    monkeypatch.syspath_prepend(tmp_path)
    for number in range(100):
        (tmp_path / f"module_of_both_{number}.py").write_text("import time; time.sleep(0)\nN = 1\n")

    def work() -> int:
        found = 0
        for number in range(100):
            logger = logging.getLogger(f"tests.patching.{number % 7}.{number}")
            logging.NullHandler().close()
            assert logger.getEffectiveLevel()
            found += importlib.import_module(f"module_of_both_{number}").N
        return found

    try:
        assert both(pool, work) == [100] * 4
    finally:
        for number in range(100):
            sys.modules.pop(f"module_of_both_{number}", None)


def test_a_counter_of_prometheus(pool: ThreadPool) -> None:
    """A counter of prometheus_client loses no increment."""
    registry = prometheus_client.CollectorRegistry()
    counter = prometheus_client.Counter("both", "Of both sides.", ["side"], registry=registry)

    def work() -> None:
        for number in range(500):
            counter.labels(str(number % 5)).inc()
            if number % 50 == 0:
                prometheus_client.generate_latest(registry)

    both(pool, work)
    values = [registry.get_sample_value("both_total", {"side": str(side)}) for side in range(5)]
    assert values == [400.0] * 5


@pytest.mark.parametrize("kind", [queue.Queue, queue.SimpleQueue, queue.LifoQueue])
def test_queues_carry_in_both_directions(pool: ThreadPool, kind: type[queue.Queue[int]]) -> None:
    """Each item that one side puts reaches the other side once."""
    there, back = kind(), kind()

    def echo() -> None:
        for _ in range(500):
            back.put(there.get(timeout=TIME_LIMIT))

    thread = pool.spawn(echo)
    got = []
    for number in range(500):
        there.put(number)
        got.append(back.get(timeout=TIME_LIMIT))
    thread.get(timeout=TIME_LIMIT)
    assert got == list(range(500))
    assert there.empty()


def test_a_full_queue_holds_its_writer_up(pool: ThreadPool) -> None:
    """A full queue makes its writer wait, on either side."""
    small: queue.Queue[int] = queue.Queue(2)
    thread = pool.spawn(lambda: [small.put(number) for number in range(300)])
    assert [small.get(timeout=TIME_LIMIT) for _ in range(300)] == list(range(300))
    thread.get(timeout=TIME_LIMIT)
    reader = pool.spawn(lambda: [small.get(timeout=TIME_LIMIT) for _ in range(300)])
    for number in range(300):
        small.put(number)
    assert reader.get(timeout=TIME_LIMIT) == list(range(300))


def test_events_semaphores_and_barriers(pool: ThreadPool) -> None:
    """A waiter on one side is woken by the other side."""
    semaphore, barrier = threading.BoundedSemaphore(2), threading.Barrier(4)
    ping, pong = threading.Event(), threading.Event()
    holders: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(50):
            barrier.wait(TIME_LIMIT)
            with semaphore:
                holders.append(1)
                most.append(len(holders))
                gevent.sleep(0)
                holders.pop()

    both(pool, work)
    assert (max(most), holders) == (2, [])

    def answer() -> None:
        for _ in range(200):
            assert ping.wait(TIME_LIMIT)
            ping.clear()
            pong.set()

    thread = pool.spawn(answer)
    for _ in range(200):
        ping.set()
        assert pong.wait(TIME_LIMIT)
        pong.clear()
    thread.get(timeout=TIME_LIMIT)


def test_futures_are_waited_for_on_the_other_side(pool: ThreadPool) -> None:
    """A future that a thread resolves wakes a greenlet, and the other way round."""
    futures = [concurrent.futures.Future[int]() for _ in range(200)]
    thread = pool.spawn(lambda: [future.set_result(n) for n, future in enumerate(futures)])
    assert [future.result(TIME_LIMIT) for future in futures] == list(range(200))
    thread.get(timeout=TIME_LIMIT)
    more = [concurrent.futures.Future[int]() for _ in range(200)]
    reader = pool.spawn(lambda: [future.result(TIME_LIMIT) for future in more])
    for number, future in enumerate(more):
        future.set_result(number)
        gevent.sleep(0)
    assert reader.get(timeout=TIME_LIMIT) == list(range(200))


def test_thread_locals_are_of_their_thread(pool: ThreadPool) -> None:
    """Each greenlet and each native thread has its own thread-local values."""
    local = threading.local()

    def work() -> int:
        local.value = mine = object()
        same = 0
        for _ in range(200):
            same += local.value is mine
            gevent.sleep(0)
        return same

    assert both(pool, work) == [200] * 4


def test_a_cached_property_does_not_block_the_loop(pool: ThreadPool) -> None:
    """A thread that computes a cached_property for long does not block the loop."""
    begun, go_on = threading.Event(), threading.Event()

    class Report:
        @functools.cached_property
        def total(self) -> int:
            begun.set()
            assert go_on.wait(TIME_LIMIT)
            return 7

    report = Report()
    thread = pool.spawn(lambda: report.total)
    assert begun.wait(TIME_LIMIT)
    other = gevent.spawn(lambda: Report().total)
    gevent.sleep(0.001)
    go_on.set()
    assert (thread.get(timeout=TIME_LIMIT), other.get(timeout=TIME_LIMIT)) == (7, 7)
