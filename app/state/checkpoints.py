"""Checkpoints in another thread, so that the event loop does not wait for the disk.

SQLite first appends what is written to a log beside the file, and copies it into the file when the
log is long. If the copy must survive a power cut, SQLite waits for the disk meanwhile: on a cloud
server 6 to 22 ms, on a busy disk much longer.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import gevent

__all__ = ["Checkpoints"]

PAUSE_SECONDS = 1.0
"""The time from a write to the look at the length of the log."""

LEAST_BYTES = 1024 * 1024
"""The length of the log below which nothing is copied."""


class Checkpoints:
    """The checkpoints of one database. Call it in the hub's thread only.

    Args:
        path: the database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = Path(f"{path}-wal")
        self._timer: gevent.Greenlet[..., None] | None = None

    def wrote(self) -> None:
        """Look at the log soon, because something was written. Does not switch greenlets."""
        if self._timer is None:
            self._timer = gevent.spawn_later(PAUSE_SECONDS, self._look)

    def close(self) -> None:
        """Do nothing more. A checkpoint that has begun ends in its own time."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.kill(block=False)

    def _look(self) -> None:
        try:
            if os.stat(self._log).st_size >= LEAST_BYTES:
                gevent.get_hub().threadpool.apply(_copy, (self._path,))
        except OSError:
            pass  # the file was removed; the next write finds out
        finally:
            self._timer = None


def _copy(path: Path) -> None:
    # A connection of its own: a connection that runs a checkpoint cannot write meanwhile.
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_connect(path)) as connection:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=0.0, isolation_level=None)
