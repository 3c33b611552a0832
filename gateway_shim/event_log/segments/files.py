"""The files of the log: made, opened and mapped, and what the system's errors mean."""

from __future__ import annotations

import errno
import mmap
import os
import stat
from pathlib import Path

from gateway_shim.errors import LogDamaged, LogUnavailable
from gateway_shim.event_loop.descriptors import close_now

__all__ = [
    "create_mapped",
    "is_out_of_space",
    "open_mapped",
    "open_or_create",
    "prepare_directory",
    "unavailable",
]

_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

_REMEDIES = {
    errno.EACCES: "give the server's user the right to write it",
    errno.EPERM: "give the server's user the right to write it",
    errno.EROFS: "choose a directory that can be written",
    errno.ENOSPC: "free some space, or let the log keep fewer bytes",
    errno.EDQUOT: "free some space, or let the log keep fewer bytes",
    errno.EMFILE: "allow the server more open files",
    errno.ELOOP: "remove the symbolic link",
    errno.EISDIR: "remove it, or choose another directory",
    errno.ENOTDIR: "remove it, or choose another directory",
    errno.ENXIO: "remove it, or choose another directory",
}


def unavailable(error: OSError, path: Path) -> LogUnavailable:
    """Return the error for an operating system's error, with a remedy."""
    remedy = _REMEDIES.get(error.errno or 0, "choose another directory")
    return LogUnavailable(f"cannot use {path} for the log: {error.strerror}; {remedy}")


def is_out_of_space(error: OSError) -> bool:
    """Return True if a file could not be made because there is no room for it."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def prepare_directory(directory: Path) -> None:
    """Make the directory if it is missing, and check that it is ours alone.

    Raises:
        LogUnavailable: the directory cannot be used; the message says why.
    """
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.stat()
    except OSError as error:
        raise unavailable(error, directory) from error
    _check_owner(found, directory)
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise LogUnavailable(
            f"{directory} can be written by other users, who could forge events;"
            f" run: chmod go-w {directory}"
        )


def create_mapped(path: Path, size: int) -> mmap.mmap:
    """Make a file whose space is reserved, and map it.

    Without the reservation, a write to the memory would kill the process when the file system is
    full (SIGBUS).

    Raises:
        OSError: the file could not be made; nothing is left of it.
    """
    descriptor = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
        return mmap.mmap(descriptor, size)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        close_now(descriptor)


def open_mapped(path: Path, least: int) -> mmap.mmap:
    """Map a file that exists, and reserve the space of its holes.

    Args:
        path: the file.
        least: the size that it has at least, bytes.

    Raises:
        FileNotFoundError: there is no such file.
        LogDamaged: the file is too short, or there is no space for its holes.
        LogUnavailable: the file is not one of ours, or cannot be opened.
    """
    descriptor = _open(path, _FLAGS)
    try:
        size = os.fstat(descriptor).st_size
        if size < max(least, 1):
            raise LogDamaged("a file of the log is too short")
        os.posix_fallocate(descriptor, 0, size)
        return mmap.mmap(descriptor, size)
    except OSError as error:
        if is_out_of_space(error):
            raise LogDamaged("a file of the log has holes, and there is no space left") from error
        raise unavailable(error, path) from error
    finally:
        close_now(descriptor)


def open_or_create(path: Path) -> int:
    """Open a file for reading and writing; an empty one is made if there is none.

    Raises:
        LogUnavailable: the file is not one of ours, or cannot be opened.
    """
    return _open(path, _FLAGS | os.O_CREAT)


def _open(path: Path, flags: int) -> int:
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unavailable(error, path) from error
    found = os.fstat(descriptor)
    try:
        _check_owner(found, path)
        if not stat.S_ISREG(found.st_mode):
            raise LogUnavailable(f"{path} is not a regular file; remove it")
    except BaseException:
        close_now(descriptor)
        raise
    return descriptor


def _check_owner(found: os.stat_result, path: Path) -> None:
    if found.st_uid != os.geteuid():
        raise LogUnavailable(
            f"{path} belongs to the user {found.st_uid}, and the server runs as {os.geteuid()};"
            " choose another directory, or change the owner"
        )
