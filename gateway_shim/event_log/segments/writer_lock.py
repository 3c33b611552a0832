"""The lock that one process at a time holds while it appends."""

from __future__ import annotations

import contextlib
import fcntl
import time
from pathlib import Path

import gevent

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.segments import files
from gateway_shim.event_loop.descriptors import close_now

__all__ = ["LOCK_SECONDS", "WriterLock"]

LOCK_SECONDS = 2.0
"""The time for which an append waits for the lock. An append holds it for some microseconds, so a
lock that is held for longer belongs to a process that is stopped."""

_NAME = "lock"
_PAUSE = 0.0005


class WriterLock:
    """The lock of a log's directory, for one process. Make it after the fork.

    A greenlet that holds the lock must release it before it lets another greenlet run: the lock is
    the process's, so the others would be let in.

    Args:
        directory: the log's directory.

    Raises:
        LogUnavailable: the file cannot be opened.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / _NAME
        # A forked process would share the lock of an inherited descriptor.
        self._descriptor = files.open_or_create(self._path)

    def reopen(self) -> None:
        """Open the file again, which another program may have removed, with its directories.

        Raises:
            LogUnavailable: the file cannot be opened.
        """
        self._check_open()
        directory = self._path.parent
        with contextlib.suppress(OSError):  # prepare_directory says what is wrong
            directory.parent.mkdir(mode=0o700, exist_ok=True)
        files.prepare_directory(directory)
        descriptor = files.open_or_create(self._path)
        close_now(self._descriptor)
        self._descriptor = descriptor

    def try_to_acquire(self) -> bool:
        """Take the lock if no other process holds it.

        Raises:
            LogUnavailable: the lock was closed.
        """
        self._check_open()
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def acquire(self, seconds: float | None = None) -> None:
        """Take the lock. May let other greenlets run before it returns.

        A blocking flock would stop the whole event loop while the lock's holder is stopped.

        Args:
            seconds: how long to wait; None: :data:`LOCK_SECONDS`.

        Raises:
            LogUnavailable: another process has held the lock for all that time.
        """
        if self.try_to_acquire():
            return
        limit = LOCK_SECONDS if seconds is None else seconds
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            gevent.sleep(_PAUSE)
            if self.try_to_acquire():
                return
        raise LogUnavailable(
            f"another process has held the log's lock for {limit:g} seconds; if it is stopped,"
            f" continue or end it (to find it: fuser {self._path})"
        )

    def _check_open(self) -> None:
        if self._descriptor < 0:
            raise LogUnavailable("the log was closed")

    def release(self) -> None:
        """Release the lock."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the descriptor, and so release the lock."""
        if self._descriptor >= 0:
            close_now(self._descriptor)
            self._descriptor = -1
