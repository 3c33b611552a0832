"""One SQLite file that several processes use: its tables, its transactions, and its errors.

Errors::

    StateError
    ├── StateBusy         another process is writing; try again after some milliseconds
    ├── StateUnavailable  the file cannot be used now: no space, no permission, too new
    └── StateDamaged      the file is not a database of this program

No call ever waits. A wait inside SQLite would stop the whole event loop until another process has
finished, or for ever if that process is stopped.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["StateBusy", "StateDamaged", "StateDatabase", "StateError", "StateUnavailable"]

T = TypeVar("T")

_APPLICATION = 0x5353454D  # "SSEM": says which program a file belongs to
_VERSION = 1  # a version of this program that changes the tables raises it

_SMALLEST = 512  # bytes: SQLite's smallest page

_TABLES = """
CREATE TABLE tasks (
    task_id TEXT PRIMARY KEY, number INTEGER NOT NULL, process TEXT NOT NULL,
    told INTEGER NOT NULL, checksum INTEGER NOT NULL, summary BLOB NOT NULL, result BLOB);
CREATE INDEX tasks_by_number ON tasks (number);
CREATE INDEX tasks_by_process ON tasks (process);
CREATE TABLE versions (
    request_id BLOB PRIMARY KEY, used INTEGER NOT NULL, checksum INTEGER NOT NULL,
    data BLOB NOT NULL);
CREATE INDEX versions_by_use ON versions (used);
CREATE TABLE numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""

_STATEMENTS = tuple(text.strip() for text in _TABLES.split(";") if text.strip())

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
_NO_CODE = 0xFF  # of errors of the module sqlite3 itself
_MISTAKES = frozenset(
    {
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_MISUSE,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_TOOBIG,
    }
)


class StateError(Exception):
    """The root of this package's errors. The message says what happened."""


class StateBusy(StateError):
    """Another process is writing. Nothing was changed."""


class StateUnavailable(StateError):
    """The file cannot be used at the moment. Nothing was changed."""


class StateDamaged(StateError):
    """The file is not a database of this program, or parts of it are lost."""


class StateDatabase:
    """One open file. Call the methods in the hub's thread only.

    Args:
        path: the file. It is made if it does not exist.
        durable: whether the file must stay whole if the machine loses its power.

    Raises:
        StateError: the file cannot be used; see the head of this module.
    """

    def __init__(self, path: Path, *, durable: bool) -> None:
        self.path = path
        self._data_version = 0
        with _translated():
            try:
                # Made here, because SQLite would let others read it. Its other files get the same
                # mode.
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                os.close(os.open(path, flags, 0o600))
                size = path.stat().st_size
            except OSError as exc:
                raise StateUnavailable(f"{path}: {exc.strerror}") from exc
            if 0 < size < _SMALLEST:  # SQLite takes such a file for a new one
                raise StateDamaged(f"{path} has only {size} bytes")
            self._connection = sqlite3.connect(
                path, timeout=0.0, isolation_level=None, check_same_thread=False
            )
        # A damaged text must not be an error where it is read; a checksum finds it.
        self._connection.text_factory = lambda text: text.decode(errors="replace")
        try:
            with _translated():
                self._prepare(durable=durable)
        except BaseException:
            self._connection.close()
            raise

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function in one transaction, without a greenlet switch.

        Args:
            work: gets the connection. If it raises, nothing is changed.

        Raises:
            StateError: nothing was changed.
        """
        connection = self._connection
        with _translated():
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite has rolled back on some errors already
                    connection.execute("ROLLBACK")
                raise
        return result

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query.

        Raises:
            StateError: the rows cannot be read.
        """
        with _translated():
            return self._connection.execute(query, values).fetchall()

    def has_news(self) -> bool:
        """Return whether another process has written since the last call of this method."""
        try:
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            return False  # the next read or write finds out what is wrong
        before, self._data_version = self._data_version, version
        return bool(version != before)

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def _prepare(self, *, durable: bool) -> None:
        run = self._connection.execute
        run("PRAGMA temp_store = MEMORY")
        run("PRAGMA cache_size = -1024")  # KiB
        # Otherwise a large result would be written several times: 36 ms for 1 MB, and not 2 ms.
        run("PRAGMA cache_spill = OFF")
        run("PRAGMA journal_size_limit = 1048576")
        # If the machine is waited for, another thread makes the checkpoints; this is the limit if
        # very much is written within a second.
        run(f"PRAGMA wal_autocheckpoint = {4000 if durable else 1000}")  # pages of 4 KiB
        # With NORMAL, a power cut may lose the last transactions, but it never damages the file.
        # With OFF, a process that is killed loses nothing, and nobody waits for a disk.
        run(f"PRAGMA synchronous = {'NORMAL' if durable else 'OFF'}")
        application = run("PRAGMA application_id").fetchone()[0]
        version = run("PRAGMA user_version").fetchone()[0]
        if application == _APPLICATION and version > _VERSION:
            raise StateUnavailable(
                f"{self.path} was written by a newer version of this program;"
                " start that version, or move the file away"
            )
        if run("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise StateUnavailable(f"{self.path} is on a file system that cannot share memory")
        if (application, version) != (_APPLICATION, _VERSION):
            self._make_tables()
        tables = run("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
        if sorted(text for (text,) in tables) != sorted(_STATEMENTS):
            raise StateDamaged(f"{self.path} has other tables")
        # Everything is read, including the indexes: about 1 ms for each MB.
        if (fault := run("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
            raise StateDamaged(f"{self.path} is damaged: {fault}")

    def _make_tables(self) -> None:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            # Another process may have made the tables since the version was read.
            if run("PRAGMA application_id").fetchone()[0] != _APPLICATION:
                if run("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                    raise StateDamaged(f"{self.path} belongs to another program")
                for statement in _STATEMENTS:
                    run(statement)
                run(f"PRAGMA application_id = {_APPLICATION}")
                run(f"PRAGMA user_version = {_VERSION}")
            run("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                run("ROLLBACK")
            raise


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn SQLite's errors into those of this module; mistakes of this program stay as they are."""
    try:
        yield
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorcode", _NO_CODE) & 0xFF
        if code in _BUSY:
            raise StateBusy(str(exc)) from exc
        if code in _UNAVAILABLE:
            raise StateUnavailable(str(exc)) from exc
        if code in _MISTAKES or code == _NO_CODE:
            raise
        raise StateDamaged(str(exc)) from exc
