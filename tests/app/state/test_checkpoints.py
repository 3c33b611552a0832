"""Checkpoints: the log of a database is copied into its file, in another thread."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from app.state import checkpoints
from app.state.checkpoints import Checkpoints
from app.state.database import StateDatabase
from tests.support.timing import wait_until


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StateDatabase]:
    """Open a database that copies nothing by itself."""
    monkeypatch.setattr(checkpoints, "PAUSE_SECONDS", 0.01)
    opened = StateDatabase(tmp_path / "state", durable=True)
    opened.read("PRAGMA wal_checkpoint(TRUNCATE)")
    yield opened
    opened.close()


def write(database: StateDatabase, size: int) -> None:
    """Write a row of a size."""
    database.write(
        lambda connection: connection.execute(
            "INSERT OR REPLACE INTO versions VALUES (x'00', 1, 0, zeroblob(?))", (size,)
        )
    )


def test_a_long_log_is_copied(database: StateDatabase) -> None:
    """The file gets what was written, while the connection stays open, and writing goes on."""
    made = Checkpoints(database.path)
    write(database, 2_000_000)
    before = os.stat(database.path).st_size
    made.wrote()
    wait_until(lambda: os.stat(database.path).st_size > before + 1_900_000, "the copy")
    write(database, 10)
    assert database.read("SELECT length(data) FROM versions") == [(10,)]
    wait_until(lambda: made._timer is None, "the end of the look")
    made.close()


@pytest.mark.parametrize("closes", [False, True])
def test_what_is_not_copied(database: StateDatabase, closes: bool) -> None:
    """A short log is left alone, and so is everything after the end."""
    made = Checkpoints(database.path)
    write(database, 2_000_000 if closes else 50_000)
    before = os.stat(database.path).st_size
    made.wrote()
    if closes:
        made.close()
    gevent.sleep(0.05)
    assert os.stat(database.path).st_size == before
    made.close()


def test_a_file_that_is_gone_is_not_made_again(
    database: StateDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is raised, and no empty file appears in the place of a removed one."""
    monkeypatch.setattr(checkpoints, "LEAST_BYTES", 0)
    made = Checkpoints(database.path)
    write(database, 10)
    database.path.unlink()
    made.wrote()
    wait_until(lambda: made._timer is None, "the look")
    assert not database.path.exists()
