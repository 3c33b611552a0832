"""A folder that its readers cannot leave, whatever they are asked for and whatever moves.

A path is checked twice. When it is asked for, so that the caller learns at once that it is not
allowed. And when it is opened, component by component below the folder's own descriptor and
through no symbolic link, so that nothing that was moved or linked in the meantime leads out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from gevent.monkey import get_original

__all__ = ["ConfinedFolder", "NotConfined", "NotRegular"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: should a FIFO stand where a file stood a moment ago, open() must not wait for a
# writer. O_NOCTTY: nor may a terminal become ours.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

# gevent's close() leaves descriptors that are no regular files open until the thread's event loop
# next turns. A native thread's loop never does, and nothing here is watched by one.
_close = get_original("os", "close")


class NotConfined(ValueError):
    """A path that may not be read; the message says why and what is allowed."""


class NotRegular(OSError):
    """What was to be opened is no regular file."""


class ConfinedFolder:
    """A folder and what is below it.

    Args:
        root: the folder; links in its own path are followed, once, now.

    Raises:
        NotConfined: there is no such folder.
    """

    def __init__(self, root: str) -> None:
        self.path = os.path.realpath(root)
        if not os.path.isdir(self.path):
            raise NotConfined(f"{root!r} is not a directory")

    def directory(self, relative: str) -> tuple[str, ...]:
        """Check a path that a caller asks for.

        Args:
            relative: of a directory, relative to the folder; ``.`` is the folder itself. It may
                lead through symbolic links as long as they stay inside.

        Returns:
            The names of the directories to pass, from the folder on, no link among them.

        Raises:
            NotConfined: it is absolute, holds ``..``, leads out, or is no directory.
        """
        if "\0" in relative or not relative.strip():
            raise NotConfined("the path must be the name of a directory; '.' is the folder itself")
        path = PurePosixPath(relative)
        if path.is_absolute():
            raise NotConfined("the path must be relative to the folder, not absolute")
        if ".." in path.parts:
            raise NotConfined("the path must not hold '..'")
        try:
            real = os.path.realpath(os.path.join(self.path, relative), strict=True)
        except (OSError, ValueError) as exc:
            # ValueError: a lone surrogate, which no file name can hold.
            raise self._no_directory(relative) from exc
        if os.path.commonpath([self.path, real]) != self.path:
            raise NotConfined("the path leads out of the folder through a symbolic link")
        if not os.path.isdir(real):
            raise self._no_directory(relative)
        return PurePosixPath(real).relative_to(self.path).parts

    @contextmanager
    def open_directory(self, names: tuple[str, ...]) -> Iterator[int]:
        """Open a directory for the duration of a ``with``.

        Args:
            names: the directories to pass, from the folder on.

        Yields:
            Its descriptor.

        Raises:
            OSError: one of them is missing, no directory, or a symbolic link.
        """
        descriptor = os.open(self.path, _DIRECTORY)
        try:
            for name in names:
                parent, descriptor = descriptor, os.open(name, _DIRECTORY, dir_fd=descriptor)
                _close(parent)
            yield descriptor
        finally:
            _close(descriptor)

    @contextmanager
    def open_file(self, names: tuple[str, ...]) -> Iterator[int]:
        """Open a regular file for the duration of a ``with``.

        Args:
            names: the directories to pass, from the folder on, and last the file.

        Yields:
            Its descriptor, for reading.

        Raises:
            NotRegular: it is something else: a directory, FIFO, socket or device.
            OSError: it is missing, unreadable, or there is a symbolic link on the way.
        """
        *directories, name = names
        with self.open_directory(tuple(directories)) as parent:
            # Looked at before it is opened: merely opening a device can do something.
            _require_regular(os.stat(name, dir_fd=parent, follow_symlinks=False))
            descriptor = os.open(name, _FILE, dir_fd=parent)
        try:
            _require_regular(os.fstat(descriptor))
            yield descriptor
        finally:
            _close(descriptor)

    @staticmethod
    def _no_directory(relative: str) -> NotConfined:
        return NotConfined(f"there is no directory {relative!r} in the folder")


def _require_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotRegular("not a regular file")
