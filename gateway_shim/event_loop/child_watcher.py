"""Watchers for child processes: each watches one child by its process id, on any thread's loop.

libev waits for all children of the process at once (``waitpid(-1)``), and only on the main loop.
Therefore a native thread cannot use gevent's child watchers, and code in that thread that waits for
a child itself, such as ``os.system`` or a C library, may find that libev has already collected the
exit status. The watchers of this module wait for one child each: a pidfd (Linux 5.3 or later)
becomes readable when the child ends. Without a pidfd they check every few milliseconds.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from typing import Any, Self
from weakref import WeakValueDictionary

import gevent
from gevent.hub import _get_hub, get_hub  # type: ignore[attr-defined]  # not in its stubs
from gevent.monkey import get_original

from gateway_shim.errors import NotAllowedHere

__all__ = ["ChildWatcher", "use_child_watchers", "wait_for_child"]

_READABLE = 1
_LOOK_SECONDS = 0.02
_UNKNOWN_STATUS = 255 << 8
"""The status reported for a child whose real status was collected elsewhere; it means failure."""

_waitpid = get_original("os", "waitpid")
_getsignal = get_original("signal", "getsignal")
_signal = get_original("signal", "signal")
_allocate_native_lock = get_original("_thread", "allocate_lock")


def use_child_watchers() -> None:
    """Make gevent use the watchers of this module on every loop that is created from now on.

    If the calling thread already has a loop of gevent's, the loop is replaced. Call this function
    at the start of a process, while nothing waits in that loop.
    """
    base: Any = gevent.config.loop
    if hasattr(base, "watches_each_child"):
        return

    class Loop(base):  # type: ignore[misc] # known only at run time
        """gevent's loop with the child watchers of this module."""

        __slots__ = ()
        watches_each_child = True

        def child(self, pid: int, trace: int = 0, ref: bool = True) -> ChildWatcher:
            """Create a watcher of a child process."""
            return ChildWatcher(self, pid, ref=ref)

        def install_sigchld(self) -> None:
            """Do not install libev's handler of SIGCHLD: with it, libev waits for every child."""

    gevent.config.loop = Loop
    hub = _get_hub()
    if hub is not None:
        hub.destroy(destroy_loop=True)
        # gevent removes libev's handler of SIGCHLD only when the first main loop is created.
        handler = _getsignal(signal.SIGCHLD)
        get_hub()
        _signal(signal.SIGCHLD, signal.SIG_DFL if handler is None else handler)


def wait_for_child(pid: int) -> tuple[int, int]:
    """Wait until a child process has ended. Other greenlets of this thread can run meanwhile.

    Returns:
        The process id and the wait status, like ``os.waitpid``.

    Raises:
        ChildProcessError: the calling process has no such child, or its status was collected.
    """
    found: tuple[int, int] = _waitpid(pid, os.WNOHANG)
    if found[0]:
        return found
    hub = get_hub()
    with ChildWatcher(hub.loop, pid) as watcher:
        hub.wait(watcher)  # type: ignore[arg-type]  # it has the interface of a watcher
    if watcher.lost:
        raise ChildProcessError(errno.ECHILD, os.strerror(errno.ECHILD))
    return watcher.rpid, watcher.rstatus


class ChildWatcher:
    """Watches one child process, with the interface of gevent's child watchers.

    The watcher collects the wait status when the child has ended. Several watchers of one child
    share the status.

    Args:
        loop: the event loop; of any thread.
        pid: the process id of the child.
        ref: whether the watcher keeps the loop alive.

    Attributes:
        pid: the process id of the child.
        rpid: the process id once the child has ended, 0 before.
        rstatus: the wait status; that of exit status 255 if the real one is lost.
        lost: whether other code has collected the wait status.
    """

    def __init__(self, loop: Any, pid: int, *, ref: bool = True) -> None:
        if pid <= 0:
            raise NotAllowedHere(
                "a watcher of any child is refused: it would take the exit statuses that other"
                " code waits for; watch one child by its process id"
            )
        self.loop = loop
        self.pid = pid
        self.rpid = self.rstatus = 0
        self.lost = False
        self._end = _end_of(pid)
        self._fd = -1
        try:
            self._fd = os.pidfd_open(pid)
        except (AttributeError, OSError):  # not Linux, an old kernel, or no descriptor is left
            self._watcher = loop.timer(_LOOK_SECONDS, _LOOK_SECONDS, ref=ref)
        else:
            self._watcher = loop.io(self._fd, _READABLE, ref=ref)

    def start(self, callback: Callable[..., object], *args: Any) -> None:
        """Call a function once, in the loop, after the child has ended."""
        self._watcher.start(self._look, callback, args)

    def stop(self) -> None:
        """Stop watching: the callback will not be called."""
        self._watcher.stop()

    def close(self) -> None:
        """Release the descriptor and the watcher. A second call changes nothing."""
        self._watcher.stop()
        self._watcher.close()
        if self._fd != -1:
            # Not os.close: gevent's version waits for the loop.
            get_original("os", "close")(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        """Return the watcher; it is closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the watcher."""
        self.close()

    def _look(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        status = self._end.collect()
        if status is None:
            return
        self._watcher.stop()
        self.rpid, self.rstatus, self.lost = self.pid, status, self._end.lost
        callback(*args)


class _End:
    """The wait status of one child, collected once for all its watchers in all threads."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._lock = _allocate_native_lock()
        self._status: int | None = None
        self.lost = False

    def collect(self) -> int | None:
        """Return the wait status; None while the child runs."""
        with self._lock:
            if self._status is None:
                try:
                    pid, status = _waitpid(self._pid, os.WNOHANG)
                except ChildProcessError:
                    pid, status, self.lost = self._pid, _UNKNOWN_STATUS, True
                if pid:
                    self._status = status
                    # From now on, the system may give the process id to another child.
                    with _ends_lock:
                        if _ends.get(self._pid) is self:
                            del _ends[self._pid]
            return self._status


_ends: WeakValueDictionary[int, _End] = WeakValueDictionary()
_ends_lock = _allocate_native_lock()


def _end_of(pid: int) -> _End:
    with _ends_lock:
        end = _ends.get(pid)
        if end is None:
            end = _ends[pid] = _End(pid)
        return end
