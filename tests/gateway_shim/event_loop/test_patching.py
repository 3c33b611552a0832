"""A process whose locks native threads can use. Most tests start a process of their own."""

from __future__ import annotations

import _thread
import logging
import sys
import threading
from importlib import metadata

import pytest

from gateway_shim.event_loop.locks.shared_lock import SharedLock
from gateway_shim.event_loop.patching import entry_points_read_once, support_native_threads
from tests.gateway_shim.event_loop.python_process import run_python

pytestmark = pytest.mark.slow

IS_SHARED = """
    import concurrent.futures.thread, functools, logging, queue, threading, _thread
    from gevent import monkey
    from gateway_shim.event_loop.locks.shared_lock import SharedLock

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
        # Twice, and later once more by other code.
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
    """New locks, and the locks that logging and threading already have, are shared."""
    before = "import logging\nhandler = logging.StreamHandler()\n"
    assert run_python(before, patch, IS_SHARED, "print(all_shared())") == "True"


def test_the_tests_process_and_a_worker_are_patched_so() -> None:
    """tests/conftest.py patches the process of the tests as the worker does."""
    assert isinstance(threading.Lock(), SharedLock)
    assert isinstance(_thread.allocate_lock(), SharedLock)


def test_a_process_that_is_not_patched_stays_so() -> None:
    """A process without an event loop keeps Python's own locks, also with an application."""
    script = """
        import threading
        from gateway_shim.event_loop.patching import support_native_threads
        lock = threading.Lock
        support_native_threads()
        from app import create_app
        create_app()
        print(threading.Lock is lock)
    """
    assert run_python(script) == "True"


def test_an_application_patches_a_process_that_others_have_patched() -> None:
    """create_app completes the patching of a process that only gevent has patched."""
    before = (
        "from gevent import monkey; monkey.patch_all(); from prometheus_client import metrics\n"
    )
    make = "from app import create_app; create_app()\n"
    ask = "print(all_shared(), shared(metrics.Lock()))"
    assert run_python(before, make, IS_SHARED, ask) == "True True"


def test_a_thread_that_nobody_can_wake_does_not_keep_the_process() -> None:
    """The process ends although a thread waits for a lock that will never be released."""
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
    assert run_python(script) == "end"


def test_the_end_waits_for_a_thread_that_is_writing_a_log_line() -> None:
    """The process waits for a log line that is being written, and flushes every handler."""
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
    assert run_python(script) == "written\nflushed"


def test_an_executor_that_computes_for_ever_does_not_keep_the_process() -> None:
    """The process ends although an executor computes and a native thread waits for it."""
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
    assert run_python(script) == "end"


def test_it_is_done_once() -> None:
    """A second call of support_native_threads changes nothing."""
    before = (logging._lock, threading._active_limbo_lock, threading._shutdown)  # type: ignore[attr-defined]
    support_native_threads()
    after = (logging._lock, threading._active_limbo_lock, threading._shutdown)  # type: ignore[attr-defined]
    assert before == after


def test_the_packages_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All questions inside the context are answered from one reading, as they were before."""
    original, groups = metadata.entry_points, ("console_scripts", "pytest11", "no.such.group")
    expected = [list(original(group=group)) for group in groups]
    readings = []

    def read(**params: str) -> object:
        readings.append(params)
        return original(**params)

    monkeypatch.setattr(metadata, "entry_points", read)
    with entry_points_read_once():
        found = [list(metadata.entry_points(group=group)) for group in groups]
    assert (found, readings) == (expected, [{}])
    assert expected[0] != []


def test_the_function_is_given_back_after_an_error() -> None:
    """An error inside the context passes, and the function of the library is in its place again."""
    original = metadata.entry_points
    with pytest.raises(ValueError, match="no"), entry_points_read_once():
        raise ValueError("no")
    assert metadata.entry_points is original
