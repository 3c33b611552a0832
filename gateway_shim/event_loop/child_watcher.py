"""Waiting for child processes: each by its own id, on the loop of any thread.

libev waits for all children of the process at once (``waitpid(-1)``), and on the main loop only.
So a native thread cannot use gevent's child watchers, and whatever that thread waits for itself,
also ``os.system`` and C libraries, may find that libev has taken the exit status. The watchers of
this module wait for one child each: a pidfd (Linux 5.3 or later) becomes readable when the child
ends; without a pidfd they look every few milliseconds.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from typing import Any, Self
from weakref import WeakValueDictionary

import gevent
from gevent.hub import _get_hub, get_hub  # type: ignore[attr-defined]
from gevent.monkey import get_original

from gateway_shim.errors import NotAllowedHere

__all__ = ["ChildWatcher", "use_child_watchers", "wait_for_child"]

_READABLE = 1
_LOOK_SECONDS = 0.02
_UNKNOWN_STATUS = 255 << 8
"""Reported for a child whose real status somebody else has taken; it is not success."""

_waitpid = get_original("os", "waitpid")
_getsignal = get_original("signal", "getsignal")
_signal = get_original("signal", "signal")
_allocate_native_lock = get_original("_thread", "allocate_lock")


def use_child_watchers() -> None:
    """Make gevent use the watchers of this module, on every loop that is made from now on.

    The calling thread's loop is replaced if it has one of gevent's already. Call this when nothing
    waits in that loop: at the start of a process.
    """
    base: Any = gevent.config.loop
    if hasattr(base, "watches_each_child"):
        return

    class Loop(base):  # type: ignore[misc] # known when it runs
        """gevent's loop, with other child watchers."""

        __slots__ = ()
        watches_each_child = True

        def child(self, pid: int, trace: int = 0, ref: bool = True) -> ChildWatcher:
            """Make a watcher of a child process."""
            return ChildWatcher(self, pid, ref=ref)

        def install_sigchld(self) -> None:
            """Leave SIGCHLD alone: with libev's handler for it, libev waits for every child."""

    gevent.config.loop = Loop
    hub = _get_hub()
    if hub is not None:
        hub.destroy(destroy_loop=True)
        # gevent takes libev's handler of SIGCHLD away only when the first main loop is made.
        handler = _getsignal(signal.SIGCHLD)
        get_hub()
        _signal(signal.SIGCHLD, signal.SIG_DFL if handler is None else handler)


def wait_for_child(pid: int) -> tuple[int, int]:
    """Wait until a child process has ended; lets the other greenlets of this thread run.

    Returns:
        Its process id and its wait status, as ``os.waitpid`` does.

    Raises:
        ChildProcessError: the calling process has no such child, or not any more.
    """
    found: tuple[int, int] = _waitpid(pid, os.WNOHANG)
    if found[0]:
        return found
    hub = get_hub()
    with ChildWatcher(hub.loop, pid) as watcher:
        hub.wait(watcher)  # type: ignore[arg-type]
    if watcher.lost:
        raise ChildProcessError(errno.ECHILD, os.strerror(errno.ECHILD))
    return watcher.rpid, watcher.rstatus


class ChildWatcher:
    """Watches one child process, with the interface of gevent's own child watchers.

    The end of the child is collected when the watcher sees it; several watchers of one child
    share what they collect.

    Args:
        loop: whose callbacks to use; of any thread.
        pid: the child's process id.
        ref: whether the watcher keeps the loop going.

    Attributes:
        pid: as above.
        rpid: the same once it has ended, before that 0.
        rstatus: its wait status; that of exit status 255 if it is lost.
        lost: whether somebody else has taken the wait status.
    """

    def __init__(self, loop: Any, pid: int, *, ref: bool = True) -> None:
        if pid <= 0:
            raise NotAllowedHere("a watcher of any child would take what others wait for")
        self.loop = loop
        self.pid = pid
        self.rpid = self.rstatus = 0
        self.lost = False
        self._end = _end_of(pid)
        self._fd = -1
        try:
            self._fd = os.pidfd_open(pid)
        except (AttributeError, OSError):  # not Linux, an old one, or no descriptor is left
            self._watcher = loop.timer(_LOOK_SECONDS, _LOOK_SECONDS, ref=ref)
        else:
            self._watcher = loop.io(self._fd, _READABLE, ref=ref)

    def start(self, callback: Callable[..., object], *args: Any) -> None:
        """Call a function once, in the loop, when the child has ended."""
        self._watcher.start(self._look, callback, args)

    def stop(self) -> None:
        """Call nothing any more."""
        self._watcher.stop()

    def close(self) -> None:
        """Release the descriptor and the watcher. A second call changes nothing."""
        self._watcher.stop()
        self._watcher.close()
        if self._fd != -1:
            # Not os.close, which gevent makes wait for the loop.
            get_original("os", "close")(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        """Close it at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _look(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        status = self._end.collect()
        if status is None:
            return
        self._watcher.stop()
        self.rpid, self.rstatus, self.lost = self.pid, status, self._end.lost
        callback(*args)


class _End:
    """The end of one child, collected once for all who watch it, in whatever threads."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._lock = _allocate_native_lock()
        self._status: int | None = None
        self.lost = False

    def collect(self) -> int | None:
        """The wait status; None while the child runs."""
        with self._lock:
            if self._status is None:
                try:
                    pid, status = _waitpid(self._pid, os.WNOHANG)
                except ChildProcessError:
                    pid, status, self.lost = self._pid, _UNKNOWN_STATUS, True
                if pid:
                    self._status = status
                    # The process id may be another child's from now on.
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
