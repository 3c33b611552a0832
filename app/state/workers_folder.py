"""The folder in which the workers of one server leave figures for each other.

It is in the directory of the server, in a folder with the name of this run of the server: a server
that is started again begins with nothing. Each worker has a mark there
(:class:`~gateway_shim.event_log.processes.ProcessMark`), whose name is the name of the worker's
process. A server with one worker has no such folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.places.place import LogPlace, current_place
from gateway_shim.event_log.processes import ProcessMark, remove_dead, running_processes

__all__ = ["WorkersFolder"]

logger = logging.getLogger(__name__)

FOLDER = "workers"
"""The folder of this module in the directory of the server."""

_PAUSE_SECONDS = 0.005


class WorkersFolder:
    """The folder of one process. Call it in the hub's thread only.

    Failures are logged and never raised: without the folder, each worker shows its own figures.

    Args:
        place: returns the place of the server. Called by :meth:`open`.
    """

    def __init__(self, place: Callable[[], LogPlace | None] = current_place) -> None:
        self._place = place
        self._server = ""
        self._workers = 1
        self._directory = Path()
        self._mark: ProcessMark | None = None
        self._has_failed = False  # this was logged

    @property
    def is_open(self) -> bool:
        """True while this process is one of several workers."""
        return self._mark is not None

    @property
    def server(self) -> str:
        """The name of this run of the server; empty before the start, and with one worker."""
        return self._server

    @property
    def workers(self) -> int:
        """The number of workers that the server should have."""
        return self._workers

    @property
    def directory(self) -> Path:
        """The folder, if it is open."""
        return self._directory

    @property
    def process(self) -> str:
        """The name of this process; empty if the folder is not open."""
        return "" if self._mark is None else self._mark.name

    def open(self) -> None:
        """Make the folder, and mark this process, if the server has several workers."""
        place = self._place()
        if place is None or place.workers < 2:
            return
        parent = place.directory / FOLDER
        self._server, self._workers = place.server, place.workers
        self._directory = parent / place.server
        self._enter()
        if not self.is_open:
            return
        with contextlib.suppress(OSError):
            for path in parent.iterdir():
                if path != self._directory:  # of an earlier run of the server
                    shutil.rmtree(path, ignore_errors=True)
            remove_dead(self._directory)

    def look(self) -> None:
        """Enter the folder again if another program has removed it. Takes some microseconds."""
        if self._mark is not None and not self._mark.path.exists():
            old = self._mark
            self._enter()
            old.close()

    def running(self) -> list[str]:
        """Return the names of the worker processes that run, with this one."""
        return sorted({*running_processes(self._directory), self.process})

    @contextlib.contextmanager
    def locked(self, seconds: float) -> Iterator[bool]:
        """Keep other workers from changing the common files meanwhile. Lets other greenlets run.

        Args:
            seconds: the longest wait. A worker that was stopped may hold the lock for ever.

        Yields:
            Whether this process has the lock.
        """
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            lock = os.fdopen(os.open(self._directory / "lock", flags, 0o600), "rb")
        except OSError as exc:
            self.failed(exc)
            yield False
            return
        with lock:
            yield _lock_within(lock.fileno(), seconds)

    def failed(self, exc: Exception) -> None:
        """Log an error of this folder, once until :meth:`succeeded`."""
        if not self._has_failed:
            self._has_failed = True
            logger.warning(
                "the figures of the workers cannot be kept; what ended workers have counted may be"
                " missing in the sums",
                extra={"directory": str(self._directory), "reason": str(exc)},
            )

    def succeeded(self) -> None:
        """Note that the folder can be used."""
        self._has_failed = False

    def close(self) -> None:
        """Remove the mark: this process counts as ended."""
        mark, self._mark = self._mark, None
        if mark is not None:
            mark.close()

    def _enter(self) -> None:
        self._mark = None
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._mark = ProcessMark(self._directory)
        except (OSError, LogUnavailable) as exc:
            self.failed(exc)


def _lock_within(descriptor: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            gevent.sleep(_PAUSE_SECONDS)
        else:
            return True
