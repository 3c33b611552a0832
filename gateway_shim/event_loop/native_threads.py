"""Makes threads native if a native thread starts them.

After gevent's patching, a ``threading.Thread`` is a greenlet of the thread that starts it. This is
right for the event loop's thread. In a native thread, such as that of a ``cpu_bound`` task, the
greenlet would run only while the thread waits, and never again after the task has ended: work that
a shared executor has submitted to it would never be done.

At the end of the process, such threads are not waited for, not even those of an executor. The tasks
that started them had time to finish, and a thread that computes forever would keep the process
alive.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from gevent import sleep
from gevent import thread as gevent_thread
from gevent._hub_local import get_hub_if_exists
from gevent.hub import getcurrent
from gevent.monkey import get_original
from gevent.monkey.api import patch_item
from greenlet import greenlet

from gateway_shim.event_loop.locks.shared_lock import SharedLock

__all__ = ["let_native_threads_be", "start_native_threads_natively"]

_PYTHON = sys.version_info[:2]
_LOOK_SECONDS = 0.01

_loop_threads: set[int] = set()
"""The native identity of the thread that runs the event loop."""

_get_native_ident = get_original("_thread", "get_ident")
_start_native_thread = get_original("_thread", "start_new_thread")


_awaited: set[_NativeThread] = set()
"""The running threads, whose end other threads may wait for."""


def let_native_threads_be() -> None:
    """Wake everything that waits for native threads. Called at the end of the process."""
    for thread in list(_awaited):
        thread.tell_end()


class _NativeThread(greenlet):
    """The greenlet in which a native thread runs. ``threading`` treats it as the thread.

    Args:
        function: the function that the thread runs.
        args: the positional arguments of the function.
        kwargs: the keyword arguments of the function.
    """

    def __init__(
        self, function: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        super().__init__(lambda: function(*args, **kwargs))
        self._ended = SharedLock()
        self._ended.acquire()
        self._links: list[Callable[[object], object]] = []

    def start(self) -> None:
        """Start the native thread.

        Raises:
            RuntimeError: the system cannot start another thread.
        """
        _awaited.add(self)
        try:
            _start_native_thread(self._begin, ())
        except BaseException:
            _awaited.discard(self)
            raise

    def rawlink(self, callback: Callable[[object], object]) -> None:
        """Call a function when this thread ends, or now if it has ended."""
        if self in _awaited:
            self._links.append(callback)
        else:
            callback(self)

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended, at most ``timeout`` seconds."""
        if self._ended.acquire(timeout=timeout):
            self._ended.release()

    def _begin(self) -> None:
        self.parent = getcurrent()
        try:
            self.switch()
        finally:
            hub = get_hub_if_exists()
            if hub is not None:  # the function has used gevent in this thread
                hub.destroy(True)
            self.tell_end()

    def tell_end(self) -> None:
        """Wake everything that waits for this thread's end. Only the first call has an effect."""
        try:
            _awaited.remove(self)
        except KeyError:
            return
        for callback in self._links:
            callback(self)
        self._ended.release()


def start_native_threads_natively() -> None:
    """Patch ``threading`` and ``_thread`` in a process that gevent has patched.

    Threads that the calling thread starts remain greenlets. The first call must therefore be made
    in the thread that runs the event loop.
    """
    if not _loop_threads:
        _note_loop_thread()
        os.register_at_fork(after_in_child=_note_loop_thread)
        if _PYTHON >= (3, 13):
            handle = gevent_thread._ThreadHandle
            handle.join = _join_from_anywhere(handle.join)
    patch_item(_thread, "start_new_thread", _start_new_thread)
    if _PYTHON >= (3, 13):
        patch_item(_thread, "start_joinable_thread", _start_joinable_thread)
        patch_item(threading, "_start_joinable_thread", _start_joinable_thread)
    else:
        patch_item(threading, "_start_new_thread", _start_new_thread)
        threading.Thread._set_tstate_lock = _hold_until_end  # type: ignore[attr-defined]  # Python's


def _note_loop_thread() -> None:
    # In a child process, the thread that called fork is the only one.
    _loop_threads.clear()
    _loop_threads.add(_get_native_ident())


def _start_new_thread(
    function: Callable[..., object],
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> int:
    if _get_native_ident() in _loop_threads:
        ident: int = gevent_thread.start_new_thread(function, args, kwargs)
        return ident
    thread = _NativeThread(function, args, kwargs or {})
    thread.start()
    return id(thread)  # the value that get_ident returns in that thread


def _start_joinable_thread(
    function: Callable[[], object], handle: Any = None, daemon: bool = True
) -> Any:
    if _get_native_ident() in _loop_threads:
        return gevent_thread.start_joinable_thread(function, handle, daemon)
    if handle is None:
        handle = gevent_thread._ThreadHandle()
    elif handle._had_greenlet:
        raise RuntimeError("thread already started")
    thread = _NativeThread(function, (), {})
    handle._set_greenlet(thread)
    thread.start()
    return handle


def _hold_until_end(thread: Any) -> None:
    """Create the lock that ``join`` waits for. It is released when the thread ends."""
    get_original("threading", "Thread")._set_tstate_lock(thread)
    lock = thread._tstate_lock
    # gevent's link would also mark the thread as ended, and asserts that the lock is free. But a
    # native thread in join() may hold the lock at that moment. join() marks the thread itself.
    current: Any = getcurrent()
    current.rawlink(lambda _: lock.release())


def _join_from_anywhere(join: Callable[..., None]) -> Callable[..., None]:
    """Return a ``join`` that can also wait for a greenlet of another thread's loop."""

    def join_from_anywhere(handle: Any, timeout: float | None = -1) -> None:
        thread = handle._get_greenlet()
        if thread is None or isinstance(thread, _NativeThread) or _is_ours(thread):
            join(handle, timeout)
            return
        waited = 0.0
        limit = None if timeout is None or timeout < 0 else timeout
        while not handle.is_done() and (limit is None or waited < limit):
            sleep(_LOOK_SECONDS)
            waited += _LOOK_SECONDS

    return join_from_anywhere


def _is_ours(thread: Any) -> bool:
    """Return whether a greenlet belongs to the calling thread."""
    hub = get_hub_if_exists()
    return thread is getcurrent() or thread.parent is None or thread.parent is hub
