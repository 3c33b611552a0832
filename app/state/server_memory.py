"""The memory of a server: its processes share it, and it outlives each of them.

Theory of operation
-------------------
Each process keeps what it needs in its own memory, and works without any file. A *save* writes a
copy into the database of the server (:mod:`app.state.database`), where other processes and later
ones find it:

* A save never waits and never switches greenlets. If another process is writing at that moment, or
  the disk is full, the save waits in a line (:mod:`app.state.saves`). A save of the same thing
  replaces the one that waits, so the line is as long as what there is to remember.
* Saves are written in their order, each batch in one transaction.
* Every process has a mark (:class:`ProcessMark`), which the kernel releases when the process ends,
  however it ends. What a process has saved carries the name of its mark, so others can see whether
  the process still runs.

Failures never reach the callers. Without a place, without space, or with a file that cannot be
used, the server works as without this module, and one warning says what is lost.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import gevent

from app.state.checkpoints import Checkpoints
from app.state.database import (
    StateBusy,
    StateDamaged,
    StateDatabase,
    StateError,
    StateUnavailable,
)
from app.state.files import StateFiles
from app.state.place import StatePlace
from app.state.saves import BUSY_SECONDS, Save, SaveLine
from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.processes import ProcessMark, is_running, remove_dead

__all__ = ["ServerMemory"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_FOLDER = "backend"
"""The folder of this module in the directory of the server."""

CHANGE_SECONDS = 5.0
"""The longest wait of a change for other processes that write, or for the file to open."""

LAST_SECONDS = 1.0
"""The longest wait for saves that wait: the last ones of a process, and those others look for."""


class ServerMemory:
    """The common memory of the processes of a server. Call it in the hub's thread only.

    Args:
        place: returns the directory, or None if the processes share none. Called at the start, in
            the process that serves.
    """

    def __init__(self, place: Callable[[], StatePlace | None] = lambda: None) -> None:
        self._place = place
        self._database: StateDatabase | None = None  # None: nothing is remembered
        self._directory = Path()
        self._mark: ProcessMark | None = None
        self._checkpoints: Checkpoints | None = None  # None: SQLite makes them
        self._line = SaveLine(self._write, self._succeeded, self._failed)
        self._is_failing = False  # the last transaction failed, and this was logged
        self._when_open: list[Callable[[], None]] = []  # called at the start
        self.is_durable = False  # whether the place survives a restart
        self.workers = 1  # the number of processes that serve at the same time

    # ---------------------------------------------------------------- the life of the memory

    def when_open(self, callback: Callable[[], None]) -> None:
        """Add a function that is called at the start, once the memory is open.

        Args:
            callback: reads what other processes have saved. It may switch greenlets.
        """
        self._when_open.append(callback)

    def start(self) -> None:
        """Open the database and mark this process. If that fails, log why, and go on without.

        This may switch greenlets.
        """
        if (place := self._place()) is None:
            return
        self._directory, self.is_durable, self.workers = place
        try:
            # A program that cleans folders may have removed what the arbiter has made.
            self._directory.mkdir(mode=0o700, exist_ok=True)
            self._database = self._open()
            remove_dead(self._directory)
            self._mark = ProcessMark(self._directory)
            self._checkpoints = Checkpoints(self._database.path) if self.is_durable else None
        except (StateError, LogUnavailable, OSError, sqlite3.Error) as exc:
            self._give_up(_reason(exc))
            return
        for callback in self._when_open:
            callback()

    def close(self) -> None:
        """Write what waits, close the file, and remove the mark of this process."""
        deadline = time.monotonic() + LAST_SECONDS
        while self.is_open and len(self._line) and not self._is_failing:
            self._line.flush()
            if time.monotonic() >= deadline:
                break
            gevent.sleep(BUSY_SECONDS)
        self._stop()
        mark, self._mark = self._mark, None
        if mark is not None:
            mark.close()

    def look(self) -> None:
        """Begin a new file if another program has removed the one in use. May switch greenlets.

        A task is saved again when its status changes. Without a new mark, the next process would
        take this one for ended, and its tasks for failed.
        """
        database = self._database
        if database is None or database.path.exists():
            return
        logger.warning(
            "the file of remembered tasks and versions was removed, and a new one begins",
            extra={"path": str(database.path)},
        )
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            new, mark = self._open(), ProcessMark(self._directory)
        except (StateError, LogUnavailable, OSError, sqlite3.Error) as exc:
            self._give_up(_reason(exc))
            return
        if self._database is not database:  # closed meanwhile
            new.close()
            mark.close()
            return
        old_mark, self._mark, self._database = self._mark, mark, new
        database.close()
        if old_mark is not None:
            old_mark.close()

    @property
    def is_open(self) -> bool:
        """True while things are remembered."""
        return self._database is not None

    @property
    def process(self) -> str:
        """The name of this process in what it saves; empty if nothing is remembered."""
        return "" if self._mark is None else self._mark.name

    def ended(self, processes: Iterable[str]) -> list[str]:
        """Return those of some processes that have ended."""
        return [name for name in processes if not is_running(self._directory, name)]

    # ---------------------------------------------------------------- saves and reads

    def save(self, key: Hashable, save: Save, *, soon: bool = True) -> None:
        """Write something now, or as soon as that is possible. Never waits, never raises.

        Args:
            key: what is saved. A save that still waits under this key is replaced.
            save: writes it. Called in a transaction, perhaps later and more than once.
            soon: False if it is enough to write it within a second.
        """
        if self.is_open:
            self._line.add(key, save, soon=soon)

    def wait_until_saved(self, *keys: Hashable) -> None:
        """Wait while saves have to wait for other processes, so that these find what was saved.

        Returns at once in most cases, and does not wait for a file that cannot be written.
        """
        deadline = time.monotonic() + LAST_SECONDS
        while self._line.has(keys) and not self._is_failing and time.monotonic() < deadline:
            gevent.sleep(BUSY_SECONDS)

    def discard(self, *keys: Hashable) -> None:
        """Drop saves that still wait."""
        self._line.discard(*keys)

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none if they cannot be read, or nothing is remembered."""
        if self._database is not None:
            try:
                return self._database.read(query, values)
            except StateBusy:
                pass  # another process begins or ends to use the file at this moment
            except StateError as exc:
                self._failed(exc)
        return []

    def has_news(self) -> bool:
        """Return whether another process has written since the last call. This takes 2 µs."""
        return self._database is not None and self._database.has_news()

    def change(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Run a function in one transaction, and wait for other processes. May switch greenlets.

        Args:
            work: gets the connection. It may be called more than once, but takes effect once.

        Returns:
            What the function has returned; None if nothing could be changed.
        """
        deadline = time.monotonic() + CHANGE_SECONDS
        while self._database is not None:
            try:
                result = self._database.write(work)
            except StateBusy:
                if time.monotonic() >= deadline:
                    return None
                gevent.sleep(BUSY_SECONDS)
            except StateError as exc:
                self._failed(exc)
                return None
            else:
                self._succeeded()
                return result
        return None

    # ---------------------------------------------------------------- private

    def _open(self) -> StateDatabase:
        files = StateFiles(self._directory / _FOLDER)
        with files.locked():
            path = files.current()
            try:
                return self._open_file(path)
            except StateDamaged as exc:
                path = files.set_aside()
                logger.warning(
                    "the file of remembered tasks and versions is damaged, and a new one begins",
                    extra={"reason": str(exc), "new_file": str(path)},
                )
                return self._open_file(path)

    def _open_file(self, path: Path) -> StateDatabase:
        deadline = time.monotonic() + CHANGE_SECONDS
        while True:
            try:
                return StateDatabase(path, durable=self.is_durable)
            except StateBusy as exc:
                if time.monotonic() >= deadline:
                    raise StateUnavailable(f"{path} is used by another process: {exc}") from exc
                gevent.sleep(BUSY_SECONDS)

    def _write(self, save: Save) -> None:
        if self._database is not None:
            self._database.write(save)

    def _succeeded(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.wrote()
        if self._is_failing:
            self._is_failing = False
            logger.info("tasks and versions are saved again")

    def _failed(self, exc: StateError) -> None:
        if isinstance(exc, StateDamaged):
            self._give_up(str(exc))
        elif not self._is_failing:
            self._is_failing = True
            logger.warning(
                "tasks and versions cannot be saved at the moment",
                extra={"reason": str(exc), "directory": str(self._directory)},
            )

    def _give_up(self, reason: str) -> None:
        logger.warning(
            "tasks and versions are not saved, and are lost when this process ends",
            extra={"reason": reason, "directory": str(self._directory)},
        )
        # The mark stays: others must not think that the tasks of this process have ended.
        self._stop()

    def _stop(self) -> None:
        self._line.close()
        if self._checkpoints is not None:
            self._checkpoints.close()
        database, self._database = self._database, None
        if database is not None:
            database.close()


def _reason(exc: Exception) -> str:
    return f"{exc.filename}: {exc.strerror}" if isinstance(exc, OSError) else str(exc)
