"""StateDatabase: its tables, its transactions, and its errors."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.state.database import StateBusy, StateDamaged, StateDatabase, StateUnavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file that does not exist yet."""
    return tmp_path / "state"


def insert(name: str) -> Callable[[sqlite3.Connection], Any]:
    """Return a function that writes a row."""
    return lambda connection: connection.execute(
        "INSERT INTO numbers (name, value) VALUES (?, 1)", (name,)
    )


def names(database: StateDatabase) -> list[str]:
    """Return the names of the rows."""
    return [name for (name,) in database.read("SELECT name FROM numbers ORDER BY name")]


@pytest.mark.parametrize("durable", [False, True])
def test_what_was_written_is_there_for_others_and_later(path: Path, durable: bool) -> None:
    """Another process reads a row at once, and a later one finds it."""
    first, second = (StateDatabase(path, durable=durable) for _ in range(2))
    first.write(insert("a"))
    assert names(second) == ["a"]
    first.close()
    second.close()
    later = StateDatabase(path, durable=durable)
    assert names(later) == ["a"]
    later.close()


def test_only_the_own_user_may_read_it(path: Path) -> None:
    """The file and SQLite's helper files are private."""
    database = StateDatabase(path, durable=False)
    database.write(insert("a"))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"state": 0o600, "state-wal": 0o600, "state-shm": 0o600}
    database.close()


def test_a_transaction_that_fails_changes_nothing(path: Path) -> None:
    """An exception takes back what was written before it, and the next transaction works."""
    database = StateDatabase(path, durable=False)

    def fails(connection: sqlite3.Connection) -> None:
        insert("a")(connection)
        raise LookupError

    with pytest.raises(LookupError):
        database.write(fails)
    database.write(insert("b"))
    assert names(database) == ["b"]
    database.close()


def test_another_writer_is_not_waited_for(path: Path) -> None:
    """While another process writes, a transaction is refused, and reading works."""
    database, other = (StateDatabase(path, durable=False) for _ in range(2))

    def while_writing(connection: sqlite3.Connection) -> None:
        insert("a")(connection)
        with pytest.raises(StateBusy):
            database.write(insert("b"))
        assert names(database) == []

    other.write(while_writing)
    database.write(insert("b"))
    assert names(database) == ["a", "b"]
    database.close()
    other.close()


def test_news_are_what_others_have_written(path: Path) -> None:
    """Each transaction of another process is news once; own ones are not."""
    database, other = (StateDatabase(path, durable=False) for _ in range(2))
    database.has_news()
    database.write(insert("own"))
    assert not database.has_news()
    other.write(insert("other"))
    assert [database.has_news(), database.has_news()] == [True, False]
    database.close()
    other.close()


def _garbage(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)


def _other_program(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()


def _other_tables(path: Path) -> None:
    StateDatabase(path, durable=False).close()
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE versions")
    connection.close()


def _torn(path: Path) -> None:
    StateDatabase(path, durable=False).close()
    path.write_bytes(path.read_bytes()[:-4096])


@pytest.mark.parametrize("spoil", [_garbage, _other_program, _other_tables, _torn])
def test_a_file_that_is_not_ours_is_damaged(path: Path, spoil: Callable[[Path], None]) -> None:
    """Anything but a whole file of this program is refused, and is not changed."""
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(StateDamaged):
        StateDatabase(path, durable=False)
    assert len(path.read_bytes()) == len(before)


def test_a_newer_version_is_left_alone(path: Path) -> None:
    """The message says what to do with a file of a newer version."""
    StateDatabase(path, durable=False).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(StateUnavailable, match=r"newer version .*; start that version, or move"):
        StateDatabase(path, durable=False)


def test_an_empty_file_becomes_a_database(path: Path) -> None:
    """A process that was killed before its first transaction leaves an empty file."""
    path.touch()
    database = StateDatabase(path, durable=False)
    database.write(insert("a"))
    assert names(database) == ["a"]
    database.close()


@pytest.mark.parametrize("name", ["missing/state", "x" * 300])
def test_a_path_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    """The message has the path and the reason."""
    with pytest.raises(StateUnavailable, match=rf"{name}: "):
        StateDatabase(tmp_path / name, durable=False)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A link in the place of the file is refused, so no other file is written."""
    (tmp_path / "target").touch()
    (tmp_path / "state").symlink_to(tmp_path / "target")
    with pytest.raises(StateUnavailable):
        StateDatabase(tmp_path / "state", durable=False)
    assert (tmp_path / "target").read_bytes() == b""


def test_a_full_disk_changes_nothing(path: Path) -> None:
    """Without space a transaction is refused, and works again when there is space."""
    database = StateDatabase(path, durable=False)
    pages = database.read("PRAGMA page_count")[0][0]
    database.read(f"PRAGMA max_page_count = {pages}")

    def large(connection: sqlite3.Connection) -> None:
        insert("a")(connection)
        connection.execute("INSERT INTO versions VALUES (x'00', 1, 1, zeroblob(100000))")

    with pytest.raises(StateUnavailable, match="full"):
        database.write(large)
    assert names(database) == []
    database.read("PRAGMA max_page_count = 1000000")
    database.write(large)
    assert names(database) == ["a"]
    database.close()


def test_mistakes_of_this_program_stay_what_they_are(path: Path) -> None:
    """A value that SQLite cannot store is not a fault of the file."""
    database = StateDatabase(path, durable=False)
    with pytest.raises(OverflowError):
        database.write(
            lambda connection: connection.execute("INSERT INTO numbers VALUES ('a', ?)", (2**70,))
        )
    database.write(insert("a"))
    with pytest.raises(sqlite3.IntegrityError):
        database.write(insert("a"))
    database.close()


def test_a_directory_that_cannot_be_written() -> None:
    """A directory in which nothing can be written makes the file unavailable, for root, too."""
    with pytest.raises(StateUnavailable, match=r"^/proc/self/state: "):
        StateDatabase(Path("/proc/self/state"), durable=False)
