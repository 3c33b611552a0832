"""Patches the process for gevent so that native threads and the event loop can share locks.

After gevent's own patching, a lock belongs to one event loop. When a native thread, such as the
thread of a ``cpu_bound`` task, and the event loop wait for the same lock, a wake-up can be lost,
and a request then hangs for ever. So this module patches once more: everything in the standard
library that locks is built on :class:`~gateway_shim.event_loop.locks.shared_lock.SharedLock`, which
belongs to no loop. A greenlet that waits for a shared lock lets others run; a thread without a
loop blocks. An uncontended shared lock costs as much as gevent's lock. Locks that are made later
work on both sides too, whoever makes them: logging handlers, metrics, queues, connection pools,
and the code of users.

Every kind of lock, and what was decided for it:

``threading.Lock``, ``RLock``, ``Semaphore``, ``Barrier``
    Shared. All except ``Lock`` are Python's own classes over a shared lock.
``threading.Condition``
    Python's own, with a ``wait`` that loses no notification when a greenlet is killed
    (``locks.shared_condition``).
``threading.Event``
    Python's own, over a shared lock. gevent's ``Event`` refuses a second thread.
``queue.Queue``, ``LifoQueue``, ``PriorityQueue``, ``SimpleQueue``
    Python's own, over a shared lock. The ``SimpleQueue`` written in C would block the loop.
``concurrent.futures``
    Shared, because it is made of these. The lock of its module is replaced.
the import system
    Shared, from ``_thread.allocate_lock``. These locks never let other greenlets run after a
    failed attempt. The interpreter's lock around its table of modules stays native, because
    nothing waits while it is held.
``logging``: the lock of the module and of every handler, also of handlers made later
    Shared, and reentrant for a greenlet. Native locks would let two greenlets into one handler,
    because a native lock sees the whole loop as one thread.
prometheus-client, urllib3, requests, dependency-injector, pydantic
    Shared, because they use ``threading``.
locks, and names of lock types, in modules imported before the patching (``tempfile``, ``asyncio``)
    Replaced if no thread holds the lock (``locks.imported_locks``).
``functools.cached_property``: Python 3.11 holds a lock while it computes
    Replaced.
``threading``'s own: its table of threads, and the lock that ``join`` waits for
    Shared. ``threading._shutdown_locks_lock`` stays native, because nothing waits while it is held.
``threading.local``
    gevent's: one for each greenlet and each native thread. It has no lock.
a ``threading.Thread`` that a native thread starts
    A native thread. A greenlet would stop when its starter is done, and with it a shared
    ``ThreadPoolExecutor``. A job of a shared executor may run on either side. The process waits
    for no native thread at its end: a task waits for the threads that it starts
    (``native_threads``).
sockets in a pool of connections that both sides use
    A socket moves to the loop of the thread that uses it (``shared_sockets``).
ConnectionManager, TaskService, VersionService, MetricsService
    ``threading.Lock``, so shared. None is held while other greenlets run.
the progress mailbox, and the log stream of the testing API
    A deque and an async watcher, without a lock. A log line notifies and never waits.
gevent's own ``Event``, ``Semaphore`` and ``Queue`` inside the gateway
    gevent's. Only the loop's thread uses them.
gevent's thread pools
    Native, from gevent.

A callback that runs in the hub itself cannot switch. If another thread holds the lock, the
callback waits natively for at most a second. If a greenlet of the callback's own loop holds it,
the callback gets gevent's ``BlockingSwitchOutError``. So a callback may log.

``tests/faults`` has both sides use all of this for ten seconds (``test_shared_locks.py``): nothing
hangs, and the counts of both sides are equal.

Code that patches a process itself, such as a ``conftest.py``, calls :func:`patch_process` instead
of ``gevent.monkey.patch_all``. ``create_app`` calls :func:`support_native_threads` if only gevent
has patched the process.
"""

from __future__ import annotations

import _thread
import concurrent.futures.thread
import functools
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import gevent.os
import gevent.signal
import gevent.subprocess
from gevent import events, monkey
from gevent.monkey.api import patch_item

from gateway_shim.event_loop.child_watcher import use_child_watchers
from gateway_shim.event_loop.locks.imported_locks import replace_imported_locks
from gateway_shim.event_loop.locks.shared_condition import Condition
from gateway_shim.event_loop.locks.shared_lock import Lock, SharedLock
from gateway_shim.event_loop.locks.sleepers import let_loops_end
from gateway_shim.event_loop.native_threads import (
    let_native_threads_be,
    start_native_threads_natively,
)
from gateway_shim.event_loop.shared_sockets import share_sockets

__all__ = [
    "entry_points_read_once",
    "patch_arbiter",
    "patch_child_handling",
    "patch_process",
    "support_native_threads",
]

_PYTHON = sys.version_info[:2]

# The names that are replaced are not public, so these modules are typed as Any.
_futures: Any = concurrent.futures.thread
_logging: Any = logging
_queue: Any = queue
_threading: Any = threading

_CHILD_HANDLING: tuple[tuple[Any, Any], ...] = (
    (os, gevent.os),
    (signal, gevent.signal),
    (subprocess, gevent.subprocess),
)
"""The modules that fork, wait for children and handle SIGCHLD, and gevent's versions of them."""


def patch_process() -> None:
    """Patch the process for gevent, locks included. Call this before other imports."""
    with entry_points_read_once():
        monkey.patch_all()
    support_native_threads()


def patch_arbiter() -> None:
    """Patch the process that forks the serving process. Call it before other imports.

    The serving process inherits every module that the arbiter has imported, so these modules must
    be patched before they are imported. ``os``, ``signal`` and ``subprocess`` stay as they were:
    the arbiter forks workers, waits for any child and handles SIGCHLD, and it runs no event loop
    that could tell it of the end of a child. The serving process calls
    :func:`patch_child_handling` to patch these three as well.

    Does nothing in a process that is patched already: the first caller has decided.
    """
    if monkey.is_module_patched("threading"):
        return
    use_child_watchers()
    patch_process()
    for module, patched in _CHILD_HANDLING:
        for name in patched.__implements__:
            setattr(module, name, monkey.get_original(module.__name__, name))


def patch_child_handling() -> None:
    """Patch ``os``, ``signal`` and ``subprocess``, which :func:`patch_arbiter` leaves as they are.

    Call it in a serving process that was forked from a patched arbiter.
    """
    with entry_points_read_once():
        monkey.patch_os()
        monkey.patch_signal()
        monkey.patch_subprocess()


@contextmanager
def entry_points_read_once() -> Iterator[None]:
    """Make ``importlib.metadata.entry_points`` read the installed packages once in a context.

    gevent looks for plugins at each event of its patching, and each time all packages are read: 25
    times in ``patch_all``, which takes 60 ms with 66 packages. Plugins are found as before.
    """
    original: Any = metadata.entry_points
    patched: Any = metadata
    patched.entry_points = original().select
    try:
        yield
    finally:
        patched.entry_points = original


def support_native_threads() -> None:
    """Replace what gevent has patched by versions that native threads can use too.

    Does nothing in a process whose threads gevent has not patched. A second call does nothing.
    When something patches the process for gevent again, the replacement is repeated.
    """
    if not monkey.is_module_patched("threading"):
        return
    if _share_after_patching not in events.subscribers:
        events.subscribers.append(_share_after_patching)
        _end_loops_at_shutdown()
    if _threading._allocate_lock is not SharedLock:
        _share_lock_types()
        _share_existing_locks()
        replace_imported_locks()
    if threading.Event is not monkey.get_original("threading", "Event"):
        patch_item(threading, "Event", monkey.get_original("threading", "Event"))
    if queue.SimpleQueue is not _queue._PySimpleQueue:
        _share_queues()
    if not _is_shared(_logging._lock):
        _share_logging()


def _share_after_patching(event: object) -> None:
    if isinstance(event, events.GeventDidPatchModuleEvent):
        support_native_threads()


def _share_lock_types() -> None:
    # The import system takes its locks from _thread. It must not let other greenlets run in the
    # middle of its bookkeeping, so it gets SharedLock, whose failed attempts do not yield.
    for name in ("allocate_lock", "allocate", "LockType", "lock"):
        if hasattr(_thread, name):
            patch_item(_thread, name, SharedLock)
    patch_item(threading, "_allocate_lock", SharedLock)
    if _PYTHON < (3, 13):
        patch_item(threading, "_set_sentinel", Lock)
    patch_item(threading, "Lock", Lock)
    patch_item(threading, "Condition", Condition)
    # gevent has made threading.RLock Python's own class, over _allocate_lock. In Python 3.11 each
    # functools.cached_property holds an RLock while it computes.
    patch_item(functools, "RLock", threading.RLock)
    start_native_threads_natively()
    share_sockets()


def _share_existing_locks() -> None:
    """Replace the locks that threading and concurrent.futures made when they were imported."""
    # Reentrant, as in the standard library: a finalizer may need this lock while it is held.
    _threading._active_limbo_lock = threading.RLock()
    _futures._global_shutdown_lock = threading.Lock()
    main: Any = threading.main_thread()
    if _PYTHON < (3, 13) and main._tstate_lock is not None and main._tstate_lock.locked():
        # This lock is held as long as the thread runs; gevent releases it at the end.
        main._tstate_lock = Lock()
        main._tstate_lock.acquire()


def _share_queues() -> None:
    for name in ("Queue", "LifoQueue", "PriorityQueue"):
        patch_item(queue, name, monkey.get_original("queue", name))
    # The SimpleQueue written in C blocks the event loop.
    patch_item(queue, "SimpleQueue", _queue._PySimpleQueue)


def _share_logging() -> None:
    patch_item(logging, "_lock", threading.RLock())
    for reference in list(_logging._handlerList):
        handler = reference()
        if handler is not None and handler.lock is not None:
            handler.createLock()


def _is_shared(lock: Any) -> bool:
    """Return whether a reentrant lock of the standard library is built on a shared lock."""
    return isinstance(getattr(lock, "_block", None), SharedLock)


def _end_loops_at_shutdown() -> None:
    shutdown = _threading._shutdown

    def end() -> None:
        let_native_threads_be()
        let_loops_end()
        shutdown()

    _threading._shutdown = end
