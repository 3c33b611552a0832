"""NativeRunner: work on native threads, and threads that are abandoned."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
import threading

import gevent
import pytest
from gevent.monkey import get_original

from app.tasks.run.native import NativeRunner
from tests.app.tasks.task_support import Clock
from tests.support.timing import TIME_LIMIT, wait_until

native_sleep = get_original("time", "sleep")
native_ident = get_original("_thread", "get_ident")


def test_work_runs_on_a_thread_of_its_own() -> None:
    """The work runs on another thread, its result is returned, and its end is reported once."""
    ends = []
    runner = NativeRunner(slots=1)
    assert runner.run(native_ident, lambda: ends.append("end")) != native_ident()
    wait_until(lambda: ends == ["end"], "the end")
    assert runner.abandoned == 0


def test_a_killed_waiter_abandons_its_thread(caplog: pytest.LogCaptureFixture) -> None:
    """A killed greenlet ends at once, and the end of its thread is reported and logged later."""
    caplog.set_level("INFO")
    clock = Clock()
    runner = NativeRunner(slots=1, clock=clock)
    ends: list[str] = []
    go_on: list[bool] = []
    begun: list[bool] = []

    def work() -> None:
        begun.append(True)
        while not go_on:
            native_sleep(0.001)

    waiter = gevent.spawn(runner.run, work, lambda: ends.append("end"))
    wait_until(lambda: begun, "the work")
    waiter.kill(timeout=TIME_LIMIT)
    assert (runner.abandoned, ends) == (1, [])
    clock.now += 2.0
    go_on.append(True)
    wait_until(lambda: runner.abandoned == 0, "the thread's end")
    assert ends == ["end"]
    assert [(r.getMessage(), vars(r)["abandoned"]) for r in caplog.records] == [
        ("a native thread was abandoned", 1),
        ("an abandoned native thread has ended", 0),
    ]
    assert vars(caplog.records[1])["seconds"] == 2.0


def test_greenlets_that_work_leaves_behind_take_no_wake_up() -> None:
    """A lock goes to a greenlet of the main loop, not to one that the work left behind."""
    runner = NativeRunner(slots=1)
    lock = threading.Lock()
    left = []

    def work() -> None:
        left.append(gevent.spawn(lock.acquire))
        gevent.sleep(0)

    with lock:
        runner.run(work, lambda: None)
        waiter = gevent.spawn(lock.acquire)
        gevent.sleep(0)
    assert waiter.get(timeout=TIME_LIMIT)
    assert not left[0].ready()


def test_a_waiter_killed_before_it_got_a_thread_leaves_nothing() -> None:
    """Work that never got a thread is never begun, and its end is reported."""
    runner = NativeRunner(slots=1)
    go_on: list[bool] = []
    worked: list[bool] = []
    ends: list[str] = []

    def runaway() -> None:
        while not go_on:
            native_sleep(0.001)

    holders = [gevent.spawn(runner.run, runaway, lambda: None) for _ in range(3)]
    gevent.sleep(0)
    late = gevent.spawn(runner.run, lambda: worked.append(True), lambda: ends.append("end"))
    gevent.sleep(0)
    assert not late.ready()
    late.kill(timeout=TIME_LIMIT)
    go_on.append(True)
    gevent.joinall(holders, timeout=TIME_LIMIT, raise_error=True)
    assert (worked, ends, runner.abandoned) == ([], ["end"], 0)


@pytest.mark.parametrize("ending", ["sys.exit(0)", "pass"])
def test_a_runaway_thread_does_not_keep_the_process(ending: str) -> None:
    """The interpreter exits with status 0 although a thread computes forever."""
    script = textwrap.dedent(
        f"""
        from gevent import monkey; monkey.patch_all()
        import gevent, sys
        from app.tasks.run.native import NativeRunner
        def runaway():
            while True: pass
        waiter = gevent.spawn(NativeRunner(1).run, runaway, lambda: None)
        gevent.sleep(0.05)
        waiter.kill()
        {ending}
        """
    )
    result = subprocess.run(
        [sys.executable, "-c", script], timeout=TIME_LIMIT, capture_output=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, b"")


def test_its_log_lines_are_not_written_in_the_hub() -> None:
    """The hub writes no log lines, because it could not wait for the lock of a handler."""
    seen = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((record.getMessage(), gevent.getcurrent() is gevent.get_hub()))

    logger, handler = logging.getLogger("app.tasks.run.native"), Handler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        runner = NativeRunner(slots=1)
        go_on: list[bool] = []

        def runaway() -> None:
            while not go_on:
                native_sleep(0.001)

        waiter = gevent.spawn(runner.run, runaway, lambda: None)
        gevent.sleep(0.01)
        waiter.kill()
        go_on.append(True)
        wait_until(lambda: runner.abandoned == 0, "the thread to end")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert seen == [
        ("a native thread was abandoned", False),
        ("an abandoned native thread has ended", False),
    ]
