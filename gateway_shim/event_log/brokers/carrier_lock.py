"""The lock of the carrier: one process copies, and another one when that one ends or hangs."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.segments import files
from gateway_shim.event_loop.descriptors import close_now

__all__ = ["CarrierLock"]

_NAME = "carrier"


class CarrierLock:
    """The lock, for one process. Make it after the fork.

    The kernel releases the lock when its process ends, however it ends. A process that is stopped
    keeps it, so another one can make it worthless (:meth:`take_away`). The stopped process finds
    that out when it goes on; until then it may believe that it has the lock.

    Args:
        directory: the directory of the log.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / _NAME
        self._descriptor = -1

    @property
    def is_held(self) -> bool:
        """True if this process has the lock, and its file is in place."""
        if self._descriptor < 0:
            return False
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        except OSError:
            return False

    def try_to_acquire(self) -> bool:
        """Take the lock if no other process holds it.

        Raises:
            LogUnavailable: the file cannot be opened.
        """
        if self.is_held:
            return True
        self.release()
        try:
            descriptor = files.open_or_create(self._path)
        except FileNotFoundError as error:  # the directory was removed; the log makes it again
            raise files.unavailable(error, self._path) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            close_now(descriptor)
            return False
        except OSError as error:
            close_now(descriptor)
            raise LogUnavailable(f"cannot lock {self._path}: {error.strerror}") from error
        self._descriptor = descriptor
        return self.is_held

    @property
    def file(self) -> int:
        """The number of the file that the lock is on; 0 if there is none."""
        try:
            return os.stat(self._path).st_ino
        except OSError:
            return 0

    def take_away(self) -> None:
        """Remove the file, so that whoever has the lock has it no more. Then try to acquire it."""
        self._path.unlink(missing_ok=True)

    def release(self) -> None:
        """Release the lock, so that another process of the server copies."""
        if self._descriptor >= 0:
            close_now(self._descriptor)
            self._descriptor = -1
