"""Helpers of the tests of the memory: several processes of one server, in one process."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.state.place import StatePlace
from app.state.server_memory import ServerMemory

__all__ = ["Server", "log_messages", "server", "write_version"]


class Server:
    """The processes of one server, which share a directory.

    Args:
        directory: the directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.memories: list[ServerMemory] = []

    @property
    def file(self) -> Path:
        """The first database of the server."""
        return self.directory / "backend" / "state-1.sqlite3"

    def memory(self, *, durable: bool = False) -> ServerMemory:
        """Return the memory of another process, not yet started."""
        memory = ServerMemory(lambda: StatePlace(self.directory, durable))
        self.memories.append(memory)
        return memory

    def started(self, *, durable: bool = False) -> ServerMemory:
        """Return the memory of another process, started."""
        memory = self.memory(durable=durable)
        memory.start()
        return memory

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the right to write, as another process does for a moment."""
        connection = sqlite3.connect(self.file, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        finally:
            connection.execute("ROLLBACK")
            connection.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query, as another process reads them."""
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Make a server. The memories of its processes are closed at the end."""
    made = Server(tmp_path)
    yield made
    for memory in made.memories:
        memory.close()


def write_version(memory: ServerMemory, name: str, *, soon: bool = True) -> None:
    """Save a small row."""
    memory.save(
        name,
        lambda connection: connection.execute(
            "INSERT OR REPLACE INTO versions VALUES (?, 1, 0, ?)", (name, b"{}")
        ),
        soon=soon,
    )


def log_messages(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """Return the messages of a level or above."""
    return [record.message for record in caplog.records if record.levelno >= level]
