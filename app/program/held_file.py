"""A file that stays readable after its name is gone, or names another file."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

__all__ = ["HeldFile"]


class HeldFile:
    """An open file that is read at positions, by any number of threads and forked processes.

    A file that is replaced with ``mv`` or removed keeps its contents for as long as a process has
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
        """Return a reader of its own; stands for the built-in ``open``.

        Args:
            path: ignored: the file is the one that is held.
            mode: ignored: the file is read as bytes.
        """
        return _Reader(self.descriptor)

    def path(self) -> str:
        """Return a path that names this very file, even if its own name is gone.

        Where there is no ``/proc``, this is the path that the file was opened with.
        """
        # With the number of the process: a program that a task starts can open the path, too.
        path = f"/proc/{os.getpid()}/fd/{self.descriptor}"
        try:
            same = os.path.samestat(os.stat(path), os.fstat(self.descriptor))
        except OSError:
            same = False
        return path if same else self._path


class _Reader:
    """The part of a binary file's methods that the archive's reader uses."""

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
        """The descriptor stays open."""

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position, in bytes from the beginning."""
        if whence != os.SEEK_SET:
            raise ValueError(f"only os.SEEK_SET is supported, not {whence}")
        self._position = position
        return position

    def read(self, size: int) -> bytes:
        """Read that many bytes, fewer at the end of the file."""
        found = bytearray()
        while len(found) < size:
            # pread, because a position would be shared with every forked process.
            part = os.pread(self._descriptor, size - len(found), self._position)
            if not part:
                break
            found += part
            self._position += len(part)
        return bytes(found)
