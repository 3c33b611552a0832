"""Marks of running processes: files that are locked for as long as their process lives.

The kernel releases the lock of a process that ends, however it ends. So a mark says without any
clock whether its process still runs, and a process id that was used again deceives nobody.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from pathlib import Path

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_loop.descriptors import close_now

__all__ = ["ProcessMark", "is_running", "remove_dead", "running_processes"]

_FOLDER = "processes"
_NAME = re.compile(r"p-[0-9]{1,10}-[0-9a-f]{12}", re.ASCII)


class ProcessMark:
    """The mark of this process in a directory. Make it after the fork.

    Args:
        directory: the directory. The mark is a file in its folder ``processes``.

    Attributes:
        name: the name of the mark, which other processes use to ask whether this one runs.

    Raises:
        LogUnavailable: the file could not be made.
    """

    def __init__(self, directory: Path) -> None:
        self._folder = directory / _FOLDER
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            marked = None
            while marked is None:
                marked = _try_to_mark(self._folder)
        except OSError as error:
            raise LogUnavailable(
                f"cannot mark this process in {self._folder}: {error.strerror};"
                " make the directory writable for the server's user, with free space"
            ) from error
        self.name, self._descriptor = marked

    @property
    def path(self) -> Path:
        """The path of the mark's file."""
        return self._folder / self.name

    def reserve(self, size: int) -> None:
        """Give the mark's file a size, for what the process tells the others by the file's bytes.

        Raises:
            OSError: there is no space.
        """
        os.posix_fallocate(self._descriptor, 0, size)

    def close(self) -> None:
        """Remove the mark. The process counts as ended."""
        if self._descriptor >= 0:
            self.path.unlink(missing_ok=True)
            close_now(self._descriptor)
            self._descriptor = -1


def is_running(directory: Path, name: str) -> bool:
    """Return True if the process of a mark still runs.

    Args:
        directory: the directory that the mark was made in.
        name: the name of the mark. A name that no mark has is not running.
    """
    if _NAME.fullmatch(name) is None:
        return False
    descriptor = _lock(directory / _FOLDER / name, fcntl.LOCK_SH)
    if descriptor is None:
        return False
    if descriptor < 0:
        return True
    close_now(descriptor)
    return False


def running_processes(directory: Path) -> list[str]:
    """Return the names of all marks whose processes run, in alphabetical order."""
    return [name for name in _names(directory) if is_running(directory, name)]


def remove_dead(directory: Path) -> list[str]:
    """Remove the marks of processes that have ended.

    Returns:
        The names of the removed marks.
    """
    removed = []
    for name in _names(directory):
        path = directory / _FOLDER / name
        # The lock is held while the file is removed, so the mark is not one that is being made.
        descriptor = _lock(path, fcntl.LOCK_EX)
        if descriptor is None or descriptor < 0:
            continue
        path.unlink(missing_ok=True)
        close_now(descriptor)
        removed.append(name)
    return removed


def _names(directory: Path) -> list[str]:
    try:
        found = os.listdir(directory / _FOLDER)
    except FileNotFoundError:
        return []
    return sorted(name for name in found if _NAME.fullmatch(name))


def _try_to_mark(folder: Path) -> tuple[str, int] | None:
    """Make and lock a file; None if another process has removed the file in between."""
    name = f"p-{os.getpid()}-{secrets.token_hex(6)}"
    path = folder / name
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink > 0:
            return name, descriptor
    except BlockingIOError:
        # remove_dead() or is_running() of another process holds the lock for a moment. The first
        # removes the file, the second leaves it behind.
        path.unlink(missing_ok=True)
    except BaseException:
        path.unlink(missing_ok=True)
        close_now(descriptor)
        raise
    close_now(descriptor)
    return None


def _lock(path: Path, kind: int) -> int | None:
    """Lock a mark's file without waiting.

    Returns:
        The descriptor, which holds the lock; -1 if the mark's process holds it; None if there is no
        file.
    """
    try:
        # Not for writing: a mark can be read by a process that may not write it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        close_now(descriptor)
        return -1
    return descriptor
