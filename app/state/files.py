"""The files of the state: which one is used, and what happens to a damaged one.

A file's name has a number, and the file with the highest number is used. A damaged file keeps its
name, and the next number begins. So no process that still has the damaged file open can touch the
new one: SQLite removes its helper files by their names.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import gevent

from app.state.database import StateUnavailable

__all__ = ["StateFiles"]

_NAME = re.compile(r"state-([1-9][0-9]{0,8})\.sqlite3", re.ASCII)
_HELPERS = ("", "-wal", "-shm", "-journal")  # the suffixes of SQLite's files

_LOCK_SECONDS = 5.0
"""The longest wait for another process that opens the state. Opening takes some milliseconds."""

_PAUSE_SECONDS = 0.01


class StateFiles:
    """The files in one folder.

    Args:
        folder: the folder. It is made if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from opening the state meanwhile. Lets other greenlets run.

        Raises:
            StateUnavailable: the folder cannot be used, or another process holds the lock for long.
        """
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            lock = os.fdopen(os.open(self._folder / "lock", flags, 0o600), "rb")
        except OSError as exc:
            raise StateUnavailable(f"{self._folder}: {exc.strerror}") from exc
        with lock:
            deadline = time.monotonic() + _LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as exc:
                    if time.monotonic() >= deadline:
                        raise StateUnavailable(
                            f"{self._folder} is locked by another process"
                        ) from exc
                    gevent.sleep(_PAUSE_SECONDS)
            yield

    def current(self) -> Path:
        """Return the path of the file to use. The file may not exist yet."""
        return self._path(max(self._numbers(), default=1))

    def set_aside(self) -> Path:
        """Return the path of a new file that replaces the current one, which keeps its name.

        Only the file that was set aside last is kept, and older ones are removed.
        """
        last = max(self._numbers(), default=1)
        for number in self._numbers():
            if number < last:
                for suffix in _HELPERS:
                    Path(f"{self._path(number)}{suffix}").unlink(missing_ok=True)
        return self._path(last + 1)

    def _path(self, number: int) -> Path:
        return self._folder / f"state-{number}.sqlite3"

    def _numbers(self) -> list[int]:
        found = map(_NAME.fullmatch, os.listdir(self._folder))
        return sorted(int(match[1]) for match in found if match is not None)
