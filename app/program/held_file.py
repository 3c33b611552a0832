"""A file that stays readable after it was removed or replaced."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

__all__ = ["HeldFile"]


class HeldFile:
    """An open file that any number of threads and forked processes can read.

    If the file is removed, or replaced with ``mv``, its contents stay for as long as a process has
    it open. Child programs do not inherit the descriptor.

    Args:
        path: the file.

    Attributes:
        descriptor: the open file.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def open(self, path: object = None, mode: str = "rb") -> _Reader:
        """Return a new reader of the file. This method can replace the built-in ``open``.

        Args:
            path: ignored; the held file is read.
            mode: ignored; the file is read as bytes.
        """
        return _Reader(self.descriptor)

    def path(self) -> str:
        """Return a path that names this file, even after it was removed or replaced.

        Without ``/proc``, the path is the one that the file was opened with.
        """
        # The path contains the process ID instead of "self", so that a program that a task starts
        # can open it, too.
        path = f"/proc/{os.getpid()}/fd/{self.descriptor}"
        try:
            same = os.path.samestat(os.stat(path), os.fstat(self.descriptor))
        except OSError:
            same = False
        return path if same else self._path


class _Reader:
    """The methods of a binary file that PyInstaller's reader of the archive uses."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do nothing: the descriptor stays open."""

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Set the position, in bytes from the beginning, and return it."""
        if whence != os.SEEK_SET:
            raise ValueError(f"only os.SEEK_SET is supported, not {whence}")
        self._position = position
        return position

    def read(self, size: int) -> bytes:
        """Read ``size`` bytes, or fewer at the end of the file."""
        found = bytearray()
        while len(found) < size:
            # pread() is used because forked processes share the position of a descriptor.
            part = os.pread(self._descriptor, size - len(found), self._position)
            if not part:
                break
            found += part
            self._position += len(part)
        return bytes(found)
