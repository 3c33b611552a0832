"""A folder that confines its readers: no path and no change of files leads out of it.

A path is checked twice. It is checked when a caller asks for it, so that the caller gets the error
at once. It is checked again when it is opened: component by component, below the descriptor of the
folder, and without following symbolic links. So no file that was moved or linked in the meantime
leads out of the folder.
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
# O_NONBLOCK: if a FIFO has just replaced the file, open() must not wait for a writer.
# O_NOCTTY: if a terminal has, it must not become our controlling terminal.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

# The original close() is used. gevent's close() keeps a descriptor that is not a regular file open
# until the next turn of the thread's event loop, and the loop of a native thread never turns. No
# loop watches the descriptors of this module.
_close = get_original("os", "close")


class NotConfined(ValueError):
    """A path that must not be read; the message says why, and which paths are allowed."""


class NotRegular(OSError):
    """A file that is not a regular file."""


class ConfinedFolder:
    """A folder and all files below it.

    Args:
        root: the folder. Symbolic links in this path are followed once, by this call.

    Raises:
        NotConfined: there is no such folder.
    """

    def __init__(self, root: str) -> None:
        self.path = os.path.realpath(root)
        if not os.path.isdir(self.path):
            raise NotConfined(f"{root!r} is not a directory")

    def directory(self, relative: str) -> tuple[str, ...]:
        """Check the path of a directory that a caller asks for.

        Args:
            relative: the path relative to the folder; ``.`` is the folder itself. The path may
                contain symbolic links that do not lead out of the folder.

        Returns:
            The names of the directories on the way from the folder, with all links resolved.

        Raises:
            NotConfined: the path is absolute, contains ``..``, leads out of the folder, or is not
                a directory.
        """
        if "\0" in relative or not relative.strip():
            raise NotConfined("the path must be the name of a directory; '.' is the folder itself")
        path = PurePosixPath(relative)
        if path.is_absolute():
            raise NotConfined("the path must be relative to the folder, not absolute")
        if ".." in path.parts:
            raise NotConfined("the path must not contain '..'")
        try:
            real = os.path.realpath(os.path.join(self.path, relative), strict=True)
        except (OSError, ValueError) as exc:
            # ValueError: the path contains a lone surrogate, which no file name can contain.
            raise self._no_directory(relative) from exc
        if os.path.commonpath([self.path, real]) != self.path:
            raise NotConfined("the path leads out of the folder through a symbolic link")
        if not os.path.isdir(real):
            raise self._no_directory(relative)
        return PurePosixPath(real).relative_to(self.path).parts

    @contextmanager
    def open_directory(self, names: tuple[str, ...]) -> Iterator[int]:
        """Open a directory for the duration of a ``with`` statement.

        Args:
            names: the names of the directories on the way from the folder.

        Yields:
            The descriptor of the directory.

        Raises:
            OSError: one of the directories is missing, is not a directory, or is a symbolic link.
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
        """Open a regular file for the duration of a ``with`` statement.

        Args:
            names: the names of the directories on the way from the folder, and the file's name.

        Yields:
            The descriptor of the file, for reading.

        Raises:
            NotRegular: the file is a directory, FIFO, socket or device.
            OSError: the file is missing or unreadable, or there is a symbolic link on the way.
        """
        *directories, name = names
        with self.open_directory(tuple(directories)) as parent:
            # The type is checked before the file is opened, because opening a device can have
            # an effect.
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


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotRegular("not a regular file")
