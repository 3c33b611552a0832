"""ServerMemory: what is kept for other processes and later ones, and what happens on failures."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from pathlib import Path

import gevent
import pytest

from app.state import saves, server_memory
from app.state.server_memory import ServerMemory
from tests.app.state.memory_support import Server, log_messages, server, write_version
from tests.support.timing import TIME_LIMIT, wait_until

__all__ = ["server"]

GIVEN_UP = "tasks and versions are not saved, and are lost when this process ends"
FAILING = "tasks and versions cannot be saved at the moment"
DAMAGED = "the file of remembered tasks and versions is damaged, and a new one begins"

REMOVED = "the file of remembered tasks and versions was removed, and a new one begins"

NAMES = "SELECT request_id FROM versions ORDER BY request_id"


def names(memory: ServerMemory) -> list[str]:
    """Return the names of the saved rows."""
    return [name for (name,) in memory.read(NAMES)]


@pytest.mark.parametrize("durable", [False, True])
def test_a_later_process_reads_what_was_saved(server: Server, durable: bool) -> None:
    """The saves of one process are there after its end."""
    first = server.started(durable=durable)
    write_version(first, "a")
    write_version(first, "b", soon=False)
    first.close()
    assert names(server.started(durable=durable)) == ["a", "b"]


def test_without_a_place_nothing_is_kept() -> None:
    """All calls work, and do nothing."""
    memory = ServerMemory()
    memory.when_open(lambda: pytest.fail("it is not open"))
    memory.start()
    write_version(memory, "a")
    memory.discard("a")
    assert (memory.is_open, memory.process, memory.has_news()) == (False, "", False)
    assert (names(memory), memory.change(lambda connection: 1)) == ([], None)
    memory.close()


def test_functions_are_called_once_the_memory_is_open(server: Server) -> None:
    """They can read what earlier processes have saved."""
    write_version(server.started(), "a")
    memory = server.memory()
    found: list[list[str]] = []
    memory.when_open(lambda: found.append(names(memory)))
    assert found == []
    memory.start()
    assert found == [["a"]]


def test_processes_know_which_of_them_have_ended(server: Server) -> None:
    """A process counts as running until its memory is closed or it ends."""
    first, second = server.started(), server.started()
    processes = [first.process, second.process]
    assert second.ended(processes) == []
    first.close()
    assert second.ended(processes) == processes[:1]


def test_a_save_never_waits(server: Server) -> None:
    """While another process writes, saves wait in a line, and reading works."""
    memory = server.started()
    with server.writing():
        write_version(memory, "a")
        assert names(memory) == []
    wait_until(lambda: names(memory) == ["a"], "the save")


def test_the_end_waits_for_the_last_saves(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A save that waits for another process is written before the file is closed."""
    monkeypatch.setattr(server_memory, "LAST_SECONDS", TIME_LIMIT)
    memory = server.started()

    def other() -> None:
        with server.writing():
            gevent.sleep(0.02)

    writer = gevent.spawn(other)
    gevent.sleep(0)
    write_version(memory, "a")
    memory.close()
    writer.join(TIME_LIMIT)
    assert names(server.started()) == ["a"]


def test_the_end_does_not_wait_for_ever(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process that holds the file does not keep this one from ending."""
    monkeypatch.setattr(server_memory, "LAST_SECONDS", 0.02)
    memory = server.started()
    with server.writing():
        write_version(memory, "a")
        memory.close()
    assert not memory.is_open


def test_a_change_waits_for_others(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change takes effect once, after the other process has written."""
    monkeypatch.setattr(server_memory, "CHANGE_SECONDS", TIME_LIMIT)
    memory = server.started()
    calls: list[int] = []

    def work(connection: sqlite3.Connection) -> str:
        calls.append(1)
        return "done"

    with server.writing():
        change = gevent.spawn(memory.change, work)
        gevent.sleep(0.01)
        assert calls == []
    assert change.get(timeout=TIME_LIMIT) == "done"
    assert calls == [1]


def test_a_change_gives_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some seconds nothing is changed."""
    monkeypatch.setattr(server_memory, "CHANGE_SECONDS", 0.02)
    memory = server.started()
    with server.writing():
        assert memory.change(lambda connection: "done") is None


def test_a_damaged_file_is_set_aside(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """One warning names both files; the damaged one is kept, and saves go into a new one."""
    server.file.parent.mkdir()
    server.file.write_bytes(b"x" * 5000)
    memory = server.started()
    write_version(memory, "a")
    assert log_messages(caplog, logging.WARNING) == [DAMAGED]
    assert vars(caplog.records[-1])["new_file"].endswith("backend/state-2.sqlite3")
    assert server.file.read_bytes() == b"x" * 5000
    caplog.clear()
    assert names(server.started()) == ["a"]
    assert log_messages(caplog, logging.WARNING) == []


def test_a_file_of_a_newer_version_is_left_alone(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning says what to do, and the server works without the file."""
    server.started().close()
    connection = sqlite3.connect(server.file)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = server.file.read_bytes()
    memory = server.started()
    write_version(memory, "a")
    assert (memory.is_open, server.file.read_bytes()) == (False, before)
    assert log_messages(caplog, logging.WARNING) == [GIVEN_UP]
    assert "start that version" in vars(caplog.records[-1])["reason"]


@pytest.mark.parametrize(
    ("directory", "reason"),
    [(Path("/dev/null"), "/dev/null: File exists"), (Path("/proc/self"), "No such file")],
)
def test_a_directory_that_cannot_be_used(
    directory: Path, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning has the reason, and the server works without it; root may not write either."""
    memory = Server(directory).started()
    write_version(memory, "a")
    assert not memory.is_open
    assert log_messages(caplog, logging.WARNING) == [GIVEN_UP]
    assert reason in vars(caplog.records[-1])["reason"]


def test_a_full_disk_is_one_warning(
    server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saves wait while there is no space; later they are written, and the log says so."""
    monkeypatch.setattr(saves, "FAILED_SECONDS", 0.01)
    caplog.set_level(logging.INFO, server_memory.__name__)
    memory = server.started()
    pages = memory.read("PRAGMA page_count")[0][0]
    memory.read(f"PRAGMA max_page_count = {pages}")
    for number in range(3):
        memory.save(
            number,
            lambda connection, number=number: connection.execute(  # type: ignore[misc]
                "INSERT INTO versions VALUES (?, 1, 0, zeroblob(50000))", (str(number),)
            ),
        )
    gevent.sleep(0.05)  # some more tries fail
    assert log_messages(caplog, logging.INFO) == [FAILING]
    memory.read("PRAGMA max_page_count = 1000000")
    wait_until(lambda: names(memory) == ["0", "1", "2"], "the saves")
    assert log_messages(caplog, logging.INFO) == [FAILING, "tasks and versions are saved again"]


def test_a_file_that_is_damaged_later(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """One warning, and the process goes on without; it still counts as running."""
    memory, other = server.started(), server.started()
    write_version(memory, "a")
    connection = sqlite3.connect(server.file, isolation_level=None)
    connection.execute("DROP TABLE versions")
    connection.close()
    write_version(memory, "b")
    write_version(memory, "c")
    assert (names(memory), memory.is_open) == ([], False)
    assert log_messages(caplog, logging.WARNING) == [GIVEN_UP]
    assert other.ended([memory.process]) == []


def test_a_directory_that_is_removed(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Saves and reads go on, whatever happens to the files, and nothing is raised."""
    memory = server.started()
    shutil.rmtree(server.directory)
    write_version(memory, "a")
    names(memory)
    memory.ended([memory.process, "p-1-000000000000"])
    memory.close()
    assert log_messages(caplog, logging.ERROR) == []


@pytest.mark.parametrize("durable", [False, True])
def test_a_directory_that_was_removed(
    server: Server, caplog: pytest.LogCaptureFixture, durable: bool
) -> None:
    """Saves from then on are there for others, and they see that the process runs."""
    memory = server.started(durable=durable)
    write_version(memory, "a")
    before = memory.process
    memory.look()
    assert memory.process == before
    shutil.rmtree(server.directory)
    memory.look()
    write_version(memory, "b")
    other = server.started(durable=durable)
    assert names(other) == ["b"]
    assert other.ended([memory.process]) == []
    memory.close()
    assert other.ended([memory.process, before]) == [memory.process, before]
    write_version(other, "c")
    assert names(server.started(durable=durable)) == ["b", "c"]
    assert log_messages(caplog, logging.WARNING) == [REMOVED]


def test_a_directory_that_cannot_be_made_again(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """The process goes on without the memory, and says so."""
    memory = server.started()
    shutil.rmtree(server.directory)
    server.directory.touch()
    memory.look()
    memory.look()
    assert not memory.is_open
    assert log_messages(caplog, logging.WARNING) == [REMOVED, GIVEN_UP]
    server.directory.unlink()
    server.directory.mkdir()
