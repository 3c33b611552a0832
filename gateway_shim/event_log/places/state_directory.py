"""The state directory: a directory of the operator, for a log that survives a restart.

What the operator must correct is found before the server listens. The messages say what is wrong
and what to do; the caller puts the name of its setting in front.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from gateway_shim.errors import InvalidConfiguration, LogDamaged, LogUnavailable
from gateway_shim.event_log.places.directory_lock import LOCK_FILE, DirectoryLock
from gateway_shim.event_log.places.owner import Owner
from gateway_shim.event_log.places.place import LOG_FOLDER
from gateway_shim.event_log.segments.files import prepare_directory
from gateway_shim.event_log.segments.head import Head
from gateway_shim.event_log.segments.layout import Identity

__all__ = ["check_state_directory", "open_state_directory"]

_OWN_FOLDERS = frozenset({LOG_FOLDER, "backend", "processes", "workers"})
"""The folders that a server makes in its directory."""

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_state_directory(directory: Path) -> None:
    """Check that a server could use a directory. Changes nothing, and takes no lock.

    A running server's own directory can be checked, for example before a reload. If this process
    has the rights of root, the directory may belong to any user, because the workers may run as
    that user.

    Args:
        directory: the directory, which may be missing.

    Raises:
        InvalidConfiguration: a server cannot use the directory.
    """
    owner = None if os.geteuid() == 0 else Owner.of_this_process()
    try:
        if not directory.exists():
            _check_parent(directory)
            return
        _check(directory, owner)
    except OSError as exc:
        raise _unusable(directory, exc) from exc
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise InvalidConfiguration(
            f"{directory} cannot be written to by user id {os.geteuid()}; give this user the rights"
            " to read, write and enter it"
        )


def open_state_directory(directory: Path, owner: Owner) -> DirectoryLock:
    """Lock a directory for this server. A missing directory is made, with mode 0700.

    Args:
        directory: the directory.
        owner: the user of the workers.

    Returns:
        The lock. It is held until it is closed or this process ends.

    Raises:
        InvalidConfiguration: the directory cannot be used.
        DirectoryInUse: another server uses the directory.
    """
    try:
        if not directory.exists():
            _check_parent(directory)
            directory.mkdir(mode=0o700)
            owner.own(directory)
        _check(directory, owner)
        if directory.stat().st_mode & _OPEN_TO_OTHERS:
            directory.chmod(0o700)  # the events are no business of other users
        return DirectoryLock(directory)
    except OSError as exc:
        raise _unusable(directory, exc) from exc


def _check(directory: Path, owner: Owner | None) -> None:
    """Check a directory that exists.

    Args:
        directory: the directory. It may be a symbolic link, as with systemd's ``DynamicUser=``.
        owner: the user who must own the directory; None: any user.
    """
    found = directory.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise InvalidConfiguration(f"{directory} is not a directory; name a directory")
    if owner is not None and found.st_uid != owner.uid:
        raise InvalidConfiguration(
            f"{directory} belongs to user id {found.st_uid}, but the server runs as user id"
            f" {owner.uid}; change the owner, or name a directory that does not exist yet"
        )
    if found.st_mode & _WRITABLE_BY_OTHERS:
        raise InvalidConfiguration(
            f"other users can write to {directory} (mode {stat.S_IMODE(found.st_mode):04o});"
            " run chmod 700 on it, or name a directory in it that does not exist yet"
        )
    _check_not_read_only(directory)
    names = set(os.listdir(directory))
    # If the directory is emptied while a server runs, the server makes its folders again.
    foreign = names - _OWN_FOLDERS
    if foreign and LOCK_FILE not in names:
        raise InvalidConfiguration(
            f"{directory} holds files of another program, such as {min(foreign)!r}; name an empty"
            " directory, or one that does not exist yet"
        )
    if found.st_uid == os.geteuid():  # otherwise root looks at the files of the workers' user
        _check_log(directory / LOG_FOLDER)


def _check_log(directory: Path) -> None:
    """Check that the log of an earlier run can be continued, or be replaced by a new one."""
    if not directory.exists():
        return
    try:
        prepare_directory(directory)
        Head.open(directory, Identity(epoch="", signature="", boot_id=""))
    except (FileNotFoundError, LogDamaged):
        pass  # there is none, or the worker begins a new one
    except LogUnavailable as exc:
        raise InvalidConfiguration(f"the log in {directory} cannot be used: {exc}") from exc


def _check_parent(directory: Path) -> None:
    """Check that a missing directory can be made."""
    parent = directory.parent
    if directory.is_symlink():
        raise InvalidConfiguration(
            f"{directory} is a link to a directory that does not exist; make that directory, or"
            " remove the link"
        )
    if not parent.is_dir():
        raise InvalidConfiguration(f"there is no directory {parent}; make it")
    _check_not_read_only(parent)
    if not os.access(parent, os.W_OK | os.X_OK, effective_ids=True):
        raise InvalidConfiguration(
            f"{directory} does not exist and cannot be made, because user id {os.geteuid()} cannot"
            f" write to {parent}; make {directory}, with this user as its owner"
        )


def _check_not_read_only(directory: Path) -> None:
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        raise InvalidConfiguration(
            f"{directory} is on a read-only file system; name a directory that can be written to."
            " With systemd's ProtectSystem=, this is the one of StateDirectory="
        )


def _unusable(directory: Path, exc: OSError) -> InvalidConfiguration:
    return InvalidConfiguration(
        f"{directory} cannot be used: {exc.strerror}; name a directory that the server can read"
        " and write"
    )
