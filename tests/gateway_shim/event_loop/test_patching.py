"""What the patched process locks with; most tests run in a process of their own."""

from __future__ import annotations

import _thread
import concurrent.futures
import functools
import importlib
import logging
import logging.handlers
import queue
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import prometheus_client
import pytest
from gevent import monkey
from gevent.threadpool import ThreadPool

from gateway_shim.event_loop.patching import support_native_threads
from gateway_shim.event_loop.shared_lock import SharedLock
from tests.support.timing import TIME_LIMIT, wait_until

native_sleep = monkey.get_original("time", "sleep")


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    """Native threads."""
    made = ThreadPool(3)
    yield made
    made.kill()


def run(script: str) -> str:
    """The output of a Python process; fails if it fails."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        timeout=TIME_LIMIT * 2,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


IS_SHARED = """
    import concurrent.futures.thread, functools, logging, queue, threading, _thread
    from gevent import monkey
    from gateway_shim.event_loop.shared_lock import SharedLock

    def shared(lock):
        return isinstance(getattr(lock, "_block", lock), SharedLock)

    def all_shared():
        handlers = [reference() for reference in logging._handlerList]
        return (
            shared(threading.Lock()) and shared(threading.RLock())
            and shared(_thread.allocate_lock()) and shared(functools.RLock())
            and shared(threading.Condition()._lock) and shared(threading.Semaphore()._cond._lock)
            and shared(threading.Event()._cond._lock) and shared(threading.Barrier(2)._cond._lock)
            and all(shared(kind().mutex) for kind in (queue.Queue, queue.LifoQueue,
                                                      queue.PriorityQueue))
            and shared(queue.SimpleQueue()._count._cond._lock)
            and shared(logging._lock)
            and all(shared(handler.lock) for handler in handlers if handler.lock is not None)
            and shared(threading._active_limbo_lock)
            and shared(concurrent.futures.thread._global_shutdown_lock)
            and shared(concurrent.futures.Future()._condition._lock)
        )
"""


@pytest.mark.parametrize(
    "patch",
    [
        "from gateway_shim.event_loop.patching import patch_process; patch_process()",
        # Twice, and by somebody else later.
        """
from gateway_shim.event_loop.patching import patch_process, support_native_threads
patch_process(); support_native_threads(); patch_process()
import warnings; warnings.simplefilter("ignore")
from gevent import monkey
monkey.patch_thread(); monkey.patch_queue(); monkey.patch_all(subprocess=False)
""",
    ],
)
def test_everything_that_locks_is_built_on_the_shared_lock(patch: str) -> None:
    """The locks that are made from now on, and those that logging and threading have."""
    before = "import logging\nhandler = logging.StreamHandler()\n"
    script = textwrap.dedent(IS_SHARED) + "print(all_shared())"
    assert run(before + textwrap.dedent(patch) + script) == "True"


def test_the_tests_process_and_a_worker_are_patched_so() -> None:
    """conftest.py patches like the worker; the live tests show the worker."""
    assert isinstance(threading.Lock(), SharedLock)
    assert isinstance(_thread.allocate_lock(), SharedLock)


def test_a_process_that_is_not_patched_stays_so() -> None:
    """Somebody who runs no event loop keeps Python's own locks, also with an application."""
    script = """
        import threading
        from gateway_shim.event_loop.patching import support_native_threads
        lock = threading.Lock
        support_native_threads()
        from app import create_app
        create_app()
        print(threading.Lock is lock)
    """
    assert run(script) == "True"


def test_an_application_patches_a_process_that_others_have_patched() -> None:
    """Such as a user's tests, whose conftest.py knows only gevent. Metrics are made right, too."""
    before = (
        "from gevent import monkey; monkey.patch_all(); from prometheus_client import metrics\n"
    )
    make = "from app import create_app; create_app()\n"
    ask = "print(all_shared(), shared(metrics.Lock()))"
    assert run(before + make + textwrap.dedent(IS_SHARED) + ask) == "True True"


def test_a_thread_that_nobody_can_wake_does_not_keep_the_process() -> None:
    """As with gevent's locks: the loop has nothing left to do, so the process ends."""
    script = """
        from gateway_shim.event_loop.patching import patch_process
        patch_process()
        import queue, threading, time
        threading.Thread(target=queue.Queue().get).start()
        threading.Thread(target=threading.Event().wait).start()
        time.sleep(0.01)
        print("end")
    """
    if sys.version_info >= (3, 13):
        pytest.skip("from Python 3.13 on, gevent itself waits for such a thread for ever")
    assert run(script) == "end"


def test_the_end_waits_for_a_thread_that_is_writing_a_log_line() -> None:
    """Else ``logging.shutdown`` fails, and leaves the handlers after that one unflushed."""
    script = """
        from gateway_shim.event_loop.patching import patch_process
        patch_process()
        import logging, threading
        from gevent.monkey import get_original
        from gevent.threadpool import ThreadPool
        writing = threading.Event()
        class Slow(logging.Handler):
            def emit(self, record):
                writing.set()
                get_original("time", "sleep")(0.3)
                print("written")
            def flush(self):
                print("flushed")
        logger = logging.getLogger()
        logger.addHandler(Slow())
        def start():
            threading.Thread(target=logger.warning, args=("line",)).start()
        ThreadPool(1).spawn(start).get()
        writing.wait()
    """
    assert run(script) == "written\nflushed"


def test_an_executor_that_computes_for_ever_does_not_keep_the_process() -> None:
    """Even while a native thread waits for it: both were told to end, or had their time."""
    script = """
        from gateway_shim.event_loop.patching import patch_process
        patch_process()
        import threading
        from concurrent.futures import ThreadPoolExecutor
        from gevent.monkey import get_original
        from gevent.threadpool import ThreadPool
        begun = threading.Event()
        def compute():
            begun.set()
            while True:
                get_original("time", "sleep")(0.01)
        pool = ThreadPool(1)
        pool.spawn(lambda: ThreadPoolExecutor(1).submit(compute).result())
        begun.wait()
        print("end")
    """
    assert run(script) == "end"


# ------------------------------------------------------------------ the kinds, on both sides


def both(pool: ThreadPool, work: Callable[[], object]) -> list[object]:
    """Run a function on two native threads and in two greenlets at once; what they returned."""
    threads = [pool.spawn(work) for _ in range(2)]
    greenlets = [gevent.spawn(work) for _ in range(2)]
    return [task.get(timeout=TIME_LIMIT * 2) for task in [*greenlets, *threads]]


def test_a_handler_is_entered_by_one_at_a_time(pool: ThreadPool) -> None:
    """Also one whose emit lets other greenlets run, such as one that writes to a socket."""
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
    """It waits for a thread that is writing a line; it does not fail, and loses no line."""
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
    """New loggers, new handlers, and modules that both sides import at the same time."""
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
    """No increment is lost."""
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
    """What one side puts, the other gets, once."""
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
    """Back-pressure works from either side."""
    small: queue.Queue[int] = queue.Queue(2)
    thread = pool.spawn(lambda: [small.put(number) for number in range(300)])
    assert [small.get(timeout=TIME_LIMIT) for _ in range(300)] == list(range(300))
    thread.get(timeout=TIME_LIMIT)
    reader = pool.spawn(lambda: [small.get(timeout=TIME_LIMIT) for _ in range(300)])
    for number in range(300):
        small.put(number)
    assert reader.get(timeout=TIME_LIMIT) == list(range(300))


def test_events_semaphores_and_barriers(pool: ThreadPool) -> None:
    """What waits on one side is woken by the other."""
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
    """Each greenlet and each native thread has its own."""
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
    """In Python 3.11 a lock is held while it computes, which a thread may do for long."""
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


def test_it_is_done_once() -> None:
    """A second application in the process changes nothing."""
    before = (logging._lock, threading._active_limbo_lock, threading._shutdown)  # type: ignore[attr-defined]
    support_native_threads()
    after = (logging._lock, threading._active_limbo_lock, threading._shutdown)  # type: ignore[attr-defined]
    assert before == after
