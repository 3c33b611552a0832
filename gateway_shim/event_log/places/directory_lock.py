"""The lock of a directory: one server at a time uses it.

The lock belongs to the arbiter. The kernel releases the lock when the arbiter ends, however it
ends. A worker inherits the descriptor and closes it at once. So a worker that has outlived its
arbiter does not block the next start.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.event_loop.descriptors import close_now

__all__ = ["LOCK_FILE", "DirectoryInUse", "DirectoryLock"]

LOCK_FILE = "sse-monolith.lock"
"""The file that is locked. Its presence also says that a directory belongs to this program."""


class DirectoryInUse(InvalidConfiguration):
    """A directory that another server uses.

    Args:
        directory: the directory.
        pid: the process id that the other server has written down; None if it has not yet.
    """

    def __init__(self, directory: Path, pid: int | None) -> None:
        who = "another server" if pid is None else f"the server with process id {pid}"
        super().__init__(
            f"{directory} is used by {who}; stop that server, or give this one another directory"
        )
        self.directory = directory
        self.pid = pid


class DirectoryLock:
    """The lock of a directory, held until :meth:`close` or until this process ends.

    Args:
        directory: a directory that exists and that this process can write to.

    Raises:
        DirectoryInUse: another server holds the lock.
        OSError: the file could not be made, or was removed meanwhile.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / LOCK_FILE
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self._descriptor = os.open(path, flags, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Fails if another process has removed the file between its opening and its locking.
            if not os.path.samestat(os.stat(path), os.fstat(self._descriptor)):
                raise FileNotFoundError(None, "the lock was replaced", str(path))
            os.ftruncate(self._descriptor, 0)
            with contextlib.suppress(OSError):  # on a full disk the lock is held without a name
                os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)
        except BlockingIOError:
            pid = self._holder()
            self.close()
            raise DirectoryInUse(directory, pid) from None
        except BaseException:
            self.close()
            raise
        os.register_at_fork(after_in_child=self.close)

    def close(self) -> None:
        """Release the lock; in a forked process: close the copy, and the parent keeps the lock."""
        if self._descriptor >= 0:
            close_now(self._descriptor)
            self._descriptor = -1

    def _holder(self) -> int | None:
        text = os.pread(self._descriptor, 32, 0).strip()
        return int(text) if text.isdigit() else None
