"""The files of the memory, damaged in every way: what is found is right, or there is a warning."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.schemas.task_schema import TaskStatusResponse
from app.services.frontend_version.pending import PendingVersions
from app.tasks.run.record import TaskRecord
from tests.app.state.memory_support import Server, log_messages
from tests.app.tasks.memory.table_support import Process, completed

RESULT = b'{"text":"%s"}' % (b"x" * 9000)
TASKS = 30
VERSIONS = {f"id {number}": {"version": f"{number}"} for number in range(20)}

FILE, LOG, INDEX = "state-1.sqlite3", "state-1.sqlite3-wal", "state-1.sqlite3-shm"


@dataclass(frozen=True)
class Damage:
    """A change of one file.

    Args:
        name: the file.
        place: the place of the change: an offset, or a part of the file's length.
        change: a bit pattern for one byte; 0: the file ends there; None: garbage follows.
    """

    name: str
    place: int | float
    change: int | None

    def do(self, folder: Path) -> None:
        """Change the file, if it exists."""
        path = folder / self.name
        if not path.exists() or not (data := bytearray(path.read_bytes())):
            return
        offset = self.place if isinstance(self.place, int) else int(len(data) * self.place)
        offset = min(offset, len(data) - 1)
        if self.change is None:
            data[offset:] = b"\xa5" * (len(data) - offset)
        elif self.change == 0:
            del data[offset:]
        else:
            data[offset] ^= self.change
        path.write_bytes(bytes(data))


damages = st.builds(
    Damage,
    st.sampled_from([FILE, FILE, FILE, LOG, INDEX]),
    st.one_of(st.floats(0, 1), st.integers(0, 100)),  # SQLite's header has 100 bytes
    st.one_of(st.integers(1, 255), st.just(0), st.none()),
)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make the files of a process that has ended, and of one that was killed."""
    made = {}
    for end in ("ended", "killed"):
        server = Server(tmp_path_factory.mktemp(end))
        process = Process(server)
        for number in range(1, TASKS + 1):
            process.table.save(completed(number, RESULT))
        process.memory.read("PRAGMA wal_checkpoint(TRUNCATE)")
        versions = PendingVersions(process.memory)
        for request_id, event in VERSIONS.items():
            versions.keep(request_id, event)
        made[end] = tmp_path_factory.mktemp("copy") / end
        if end == "killed":
            shutil.copytree(server.directory, made[end])
        process.end()
        if end == "ended":
            shutil.copytree(server.directory, made[end])
    return made


@pytest.mark.parametrize("end", ["ended", "killed"])
@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(damage=st.lists(damages, max_size=3))
@example(damage=[Damage(FILE, 18, 0xFF)])
@example(damage=[Damage(FILE, 63, 0x02)])
@example(damage=[Damage(FILE, 71, 0x01)])
@example(damage=[Damage(FILE, 0, None)])
@example(damage=[Damage(FILE, 0, 0)])
@example(damage=[Damage(FILE, 1, 0)])
def test_damaged_files(
    end: str,
    damage: list[Damage],
    originals: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A process starts and works, whatever the files contain.

    A task that it finds is as it was saved, perhaps without its result, which it says. If it does
    not find a task that was in the file, the log has a warning.
    """
    caplog.clear()
    server = Server(tmp_path_factory.mktemp("damaged"))
    shutil.copytree(originals[end], server.directory, dirs_exist_ok=True)
    for change in damage:
        change.do(server.file.parent)
    is_empty = server.file.stat().st_size == 0  # this is how a new file begins
    process = Process(server)
    versions = PendingVersions(process.memory)
    versions._load()
    taken = process.take_over()
    for record in taken:
        assert_right(record)
    for request_id, event in VERSIONS.items():
        assert versions.get(request_id) in (event, None)
    if len(taken) < TASKS and not is_empty:
        assert log_messages(caplog, logging.WARNING), damage
    process.table.save(completed(TASKS + 1))
    if process.memory.is_open and not log_messages(caplog, logging.WARNING):
        found = Process(server).table.find(f"t{TASKS + 1}")
        assert found is not None
    for memory in server.memories:
        memory.close()
    assert log_messages(caplog, logging.ERROR) == []
    shutil.rmtree(server.directory)


def assert_right(record: TaskRecord) -> None:
    """Check that a task is the one that was saved."""
    expected = completed(record.number, RESULT).full()
    without_result = {**dict(expected), "result": {}, "omitted": ["result"]}
    assert record.full() in (expected, TaskStatusResponse(**without_result))
