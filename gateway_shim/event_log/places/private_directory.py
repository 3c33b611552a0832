"""A private directory in memory, for a log that need not survive a restart of the server.

The arbiter makes the directory, and removes it at its end. After SIGKILL the directory stays until
the next start of a server of the same user, which removes every directory that no process uses.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.event_log.places.directory_lock import DirectoryLock
from gateway_shim.event_log.places.owner import Owner
from gateway_shim.event_log.places.place import LOG_FOLDER
from gateway_shim.event_log.places.space import free_bytes
from gateway_shim.event_log.processes import running_processes
from gateway_shim.event_loop.descriptors import close_now

__all__ = ["PrivateDirectory", "private_folders", "remove_unused"]

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the directory in it gets a random name, and mode 0700

_ATTEMPTS = 16
"""The attempts to make a directory that other servers do not take for an unused one."""


def private_folders() -> list[Path]:
    """Return the folders that can hold a private directory, the best one first.

    They are ``/dev/shm``, which is memory, and the folder for temporary files.
    """
    folders = [_SHARED_MEMORY]
    with contextlib.suppress(OSError):  # no folder for temporary files can be written to
        folders.append(Path(tempfile.gettempdir()))
    return folders


class PrivateDirectory:
    """A directory that only one server uses, and that is removed at the end of this process.

    Args:
        folder: the folder to make the directory in.
        size: the bytes that must be free.
        owner: the user of the workers.

    Attributes:
        path: the directory.

    Raises:
        OSError: the directory could not be made, or there is too little space.
    """

    def __init__(self, folder: Path, size: int, owner: Owner) -> None:
        free = free_bytes(folder)
        if free < size:
            raise OSError(None, f"{free} bytes are free, and the log needs {size}", str(folder))
        self.path, self._lock = _make(folder, owner)
        # systemd-tmpfiles removes no directory that is locked.
        self._guard: int | None = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            fcntl.flock(self._guard, fcntl.LOCK_SH | fcntl.LOCK_NB)
        self._pid = os.getpid()
        atexit.register(self.remove)

    def remove(self) -> None:
        """Remove the directory. Does nothing in a process that was forked from this one."""
        if os.getpid() != self._pid or self._guard is None:
            return
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()
        close_now(self._guard)
        self._guard = None
        atexit.unregister(self.remove)


def remove_unused(folders: Iterable[Path], owner: Owner) -> None:
    """Remove the private directories of a user that no process uses.

    A directory is in use while its arbiter or any of its workers runs. So the worker of a killed
    arbiter, which ends its streams in its own time, keeps its directory.

    Args:
        folders: the folders to look in.
        owner: the user.
    """
    for folder in folders:
        with contextlib.suppress(OSError):  # a folder that cannot be read holds none of ours
            for path in sorted(folder.glob(f"{_prefix(owner)}*")):
                _remove_if_unused(path, owner)


def _prefix(owner: Owner) -> str:
    return f"sse-monolith-{owner.uid}-"


def _make(folder: Path, owner: Owner) -> tuple[Path, DirectoryLock]:
    """Make a directory and lock it."""
    for _ in range(_ATTEMPTS):
        path = folder / f"{_prefix(owner)}{os.getpid()}-{secrets.token_hex(4)}"
        path.mkdir(mode=0o700)
        try:
            owner.own(path)
            return path, DirectoryLock(path)
        except (InvalidConfiguration, FileNotFoundError):
            # Another server starts now, and took the directory for an unused one.
            continue
        except OSError:
            shutil.rmtree(path, ignore_errors=True)
            raise
    raise OSError(None, "other servers remove the directory again and again", str(folder))


def _remove_if_unused(path: Path, owner: Owner) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner.uid:
        return
    try:
        lock = DirectoryLock(path)
    except (InvalidConfiguration, OSError):
        return
    try:
        if not any(running_processes(place) for place in (path, path / LOG_FOLDER)):
            shutil.rmtree(path, ignore_errors=True)
    finally:
        lock.close()
