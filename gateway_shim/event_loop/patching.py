"""Patches the process for gevent so that native threads and the event loop can share locks.

gevent's own locks lose wake-ups between a native thread, such as that of a ``cpu_bound`` task,
and the event loop. So what gevent has patched is patched once more: everything in the standard
library that locks is built on :class:`~gateway_shim.event_loop.shared_lock.SharedLock`. What is
made later is right on both sides, whoever makes it: logging handlers, metrics, queues, connection
pools, and what a user's code makes.

docs/architecture.md lists every kind of lock and what was decided for it.
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
from typing import Any

import gevent.os
import gevent.signal
import gevent.subprocess
from gevent import events, monkey
from gevent.monkey.api import patch_item

from gateway_shim.event_loop.child_watcher import use_child_watchers
from gateway_shim.event_loop.imported_locks import replace_imported_locks
from gateway_shim.event_loop.native_threads import (
    let_native_threads_be,
    start_native_threads_natively,
)
from gateway_shim.event_loop.shared_condition import Condition
from gateway_shim.event_loop.shared_lock import Lock, SharedLock
from gateway_shim.event_loop.shared_sockets import share_sockets
from gateway_shim.event_loop.sleepers import let_loops_end

__all__ = ["patch_arbiter", "patch_child_handling", "patch_process", "support_native_threads"]

_PYTHON = sys.version_info[:2]

# What is replaced is not part of their public interfaces.
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
    """Patch the process for gevent, locks included. Call it before other imports."""
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
    monkey.patch_os()
    monkey.patch_signal()
    monkey.patch_subprocess()


def support_native_threads() -> None:
    """Replace what gevent has patched by what native threads can use, too.

    Does nothing in a process whose threads gevent has not patched, and nothing the second time.
    When something patches the process for gevent again, this is repeated.
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
    # The import system takes its locks from _thread, and must not let other greenlets run in the
    # middle of its own bookkeeping: so these are the kind that does not do so.
    for name in ("allocate_lock", "allocate", "LockType", "lock"):
        if hasattr(_thread, name):
            patch_item(_thread, name, SharedLock)
    patch_item(threading, "_allocate_lock", SharedLock)
    if _PYTHON < (3, 13):
        patch_item(threading, "_set_sentinel", Lock)
    patch_item(threading, "Lock", Lock)
    patch_item(threading, "Condition", Condition)
    # threading.RLock is Python's own one, over _allocate_lock: gevent has arranged that. In
    # Python 3.11 each functools.cached_property holds one while it computes.
    patch_item(functools, "RLock", threading.RLock)
    start_native_threads_natively()
    share_sockets()


def _share_existing_locks() -> None:
    """Replace the locks that threading and concurrent.futures made when they were imported."""
    # Reentrant, as in the standard library: a finalizer may need it while it is held.
    _threading._active_limbo_lock = threading.RLock()
    _futures._global_shutdown_lock = threading.Lock()
    main: Any = threading.main_thread()
    if _PYTHON < (3, 13) and main._tstate_lock is not None and main._tstate_lock.locked():
        # Held as long as the thread runs; gevent releases it at the end.
        main._tstate_lock = Lock()
        main._tstate_lock.acquire()


def _share_queues() -> None:
    for name in ("Queue", "LifoQueue", "PriorityQueue"):
        patch_item(queue, name, monkey.get_original("queue", name))
    # The one in C blocks the event loop.
    patch_item(queue, "SimpleQueue", _queue._PySimpleQueue)


def _share_logging() -> None:
    patch_item(logging, "_lock", threading.RLock())
    for reference in list(_logging._handlerList):
        handler = reference()
        if handler is not None and handler.lock is not None:
            handler.createLock()


def _is_shared(lock: Any) -> bool:
    """Return whether a reentrant lock of the standard library is built on a shared one."""
    return isinstance(getattr(lock, "_block", None), SharedLock)


def _end_loops_at_shutdown() -> None:
    shutdown = _threading._shutdown

    def end() -> None:
        let_native_threads_be()
        let_loops_end()
        shutdown()

    _threading._shutdown = end
