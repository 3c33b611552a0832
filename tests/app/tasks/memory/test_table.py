"""TaskTable: own tasks are saved, and the tasks of others are found and taken over."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from app.schemas.task_schema import TaskProgress, TaskStatus
from app.tasks.memory import table as table_module
from app.tasks.memory.table import TaskTable
from app.tasks.run.lifecycle import TaskStep
from app.tasks.run.outcome import LOST_PENDING, LOST_RUNNING, ResultLimits, TaskOutcome
from app.tasks.run.record import TaskRecord
from tests.app.state.memory_support import Server, server
from tests.app.tasks.memory.table_support import NOW, Process, completed, pending, running

__all__ = ["server"]


def test_another_process_sees_a_task_in_each_status(server: Server) -> None:
    """A copy of the task has everything that answers contain; the own process finds none."""
    here, there = Process(server), Process(server)
    for record in (pending(1), running(2), completed(3)):
        here.table.save(record)
        copy = there.table.find(record.task_id)
        assert copy is not None
        assert (copy.full(), copy.full_json()) == (record.full(), record.full_json())
        assert (copy.is_elsewhere, copy.number) == (True, record.number)
        assert here.table.find(record.task_id) is None
    assert there.table.find("missing") is None
    assert there.table.find("\ud800") is None


def test_each_change_of_status_is_saved(server: Server) -> None:
    """The same task is found as it is at each time."""
    here, there = Process(server), Process(server)
    record, seen = pending(1), []
    here.table.save(record)
    for change in (
        lambda: record.begin(NOW, 1.0),
        lambda: record.end(TaskOutcome(TaskStep.RETURN, result_json=b"{}"), NOW, 2.0),
    ):
        seen.append(there.table.find("t1"))
        change()
        here.table.save(record)
    seen.append(there.table.find("t1"))
    assert [copy.status for copy in seen if copy] == ["pending", "running", "completed"]


def test_texts_of_every_kind_survive(server: Server) -> None:
    """An error may contain anything, such as half a surrogate pair."""
    record = running(1)
    record.end(TaskOutcome(TaskStep.RAISE, error='\ud800 \x00 "ü"'), NOW, 1000.0)
    Process(server).table.save(record)
    copy = Process(server).table.find("t1")
    assert copy is not None
    assert copy.summary() == record.summary()


def test_a_list_of_the_tasks_of_others(server: Server) -> None:
    """The newest come first, below a number, and without their results."""
    here, there = Process(server), Process(server)
    for number in range(1, 6):
        here.table.save(completed(number))
    there.table.save(completed(9))
    assert [record.task_id for record in there.table.newest(3, None)] == ["t5", "t4", "t3"]
    assert [record.task_id for record in there.table.newest(9, 3)] == ["t2", "t1"]
    assert [record.task_id for record in here.table.newest(9, 10**25)] == ["t9"]
    assert there.table.newest(1, None)[0].summary() == completed(5).summary()


def test_a_forgotten_task_is_gone(server: Server) -> None:
    """A task is removed by its own process or another, written or not."""
    here, there = Process(server), Process(server)
    here.table.save(completed(1))
    here.table.save(completed(2))
    here.table.forget("t1")
    there.table.forget("t2")
    with server.writing():
        here.table.save(completed(3))
        here.table.forget("t3")
    here.end()
    there.end()
    assert server.rows("SELECT task_id FROM tasks") == []


def test_unfinished_tasks_of_an_ended_process_are_failed(server: Server) -> None:
    """Their errors say what happened, and the process that looked has saved them as its own."""
    here, there, third = (Process(server) for _ in range(3))
    for record in (pending(1), running(2)):
        here.table.save(record)
    assert there.take_over() == []  # the process still runs
    here.end()
    there.pass_seconds(3.0)
    taken = there.take_over()
    assert [(task.status, task.error) for task in (record.summary() for record in taken)] == [
        (TaskStatus.FAILED, LOST_PENDING),
        (TaskStatus.FAILED, LOST_RUNNING),
    ]
    assert [record.finished_at for record in taken] == [NOW + timedelta(seconds=3)] * 2
    assert [record.seconds for record in taken] == [0.0, 3.0]
    assert third.take_over() == []
    copies = [third.table.find(record.task_id) for record in taken]
    assert [copy.summary() for copy in copies if copy] == [record.summary() for record in taken]


def test_finished_tasks_of_an_ended_process_are_kept(server: Server) -> None:
    """They keep their results and the rest of their time, and say whether their end was told."""
    here = Process(server)
    for record in (completed(1), completed(2)):
        here.table.save(record)
    here.table.told(completed(1))
    here.end()
    there = Process(server)
    there.pass_seconds(100.0)
    (name,) = there.table.ended_processes()
    taken = there.table.take_over(name)
    assert [(task.record.task_id, task.is_told) for task in taken] == [("t1", True), ("t2", False)]
    assert [task.record.full() for task in taken] == [completed(1).full(), completed(2).full()]
    assert taken[0].record.outcome is not None
    assert taken[0].record.outcome.event_data == {"a": 1}
    assert taken[0].record.finished_clock == there.clock() - 100.0
    assert not taken[0].record.is_elsewhere


def test_a_clock_that_was_set_back(server: Server) -> None:
    """A task that ended in the future counts as one that has just ended."""
    here = Process(server)
    here.table.save(completed(1))
    here.end()
    there = Process(server)
    there.now -= timedelta(days=1)
    (record,) = there.take_over()
    assert record.finished_clock == there.clock()


def test_many_tasks_are_taken_over_in_parts(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each transaction is short, and in the end all tasks have changed hands."""
    monkeypatch.setattr(table_module, "ROWS_AT_ONCE", 3)
    here = Process(server)
    for number in range(1, 9):
        here.table.save(completed(number))
    here.end()
    there = Process(server)
    (name,) = there.table.ended_processes()
    parts = [len(there.table.take_over(name)) for _ in range(4)]
    assert parts == [3, 3, 2, 0]


def test_a_damaged_row_is_removed(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """A row whose checksum is wrong is not shown and not taken over; the others are."""
    here, there = Process(server), Process(server)
    for number in range(1, 4):
        here.table.save(completed(number))
    here.memory.change(
        lambda connection: connection.execute(
            "UPDATE tasks SET summary = replace(summary, 'half', 'full') WHERE task_id = 't2'"
        )
    )
    here.memory.change(
        lambda connection: connection.execute(
            "UPDATE tasks SET result = ? WHERE task_id = 't3'", (b'{"a":2}',)
        )
    )
    assert [record.task_id for record in there.table.newest(9, None)] == ["t3", "t1"]
    assert there.table.find("t2") is None
    here.end()
    taken = there.take_over()
    assert [record.task_id for record in taken] == ["t1", "t3"]
    assert json.loads(taken[1].full_json())["omitted"] == ["result"]
    assert [record.message for record in caplog.records] == [
        "a damaged record of a task was removed"
    ]


def test_results_in_ram_are_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result that does not fit is not saved, and its task says so; a forgotten one makes room."""
    monkeypatch.setattr(table_module, "RESULTS_BYTES_IN_RAM", 20)
    here, there = Process(server, durable=False), Process(server, durable=False)
    large = b'{"a":"123456"}'

    def omitted(record: TaskRecord) -> object:
        here.table.save(record)
        copy = there.table.find(record.task_id)
        assert copy is not None
        assert copy.status is TaskStatus.COMPLETED
        return json.loads(copy.full_json()).get("omitted")

    assert omitted(completed(1, large)) is None
    assert omitted(completed(2, large)) == ["result"]
    here.table.forget("t1")
    assert omitted(completed(3, large)) is None


def test_a_large_result_is_shortened_for_the_event(server: Server) -> None:
    """The event of a task that is taken over has the limit of every event."""
    here = Process(server)
    here.table.save(completed(1, b'{"a":"%s","b":1}' % (b"x" * 100)))
    here.end()
    (record,) = Process(server, limits=ResultLimits(event_bytes=50)).take_over()
    assert record.outcome is not None
    assert (record.outcome.event_data, record.outcome.omitted) == ({"b": 1}, ["a"])


def test_a_result_is_written_once(server: Server) -> None:
    """Telling the end of a task does not write its result again."""
    here = Process(server)
    record = completed(1, b'{"a":"%s"}' % (b"x" * 100_000))
    here.table.save(record)
    before = here.memory.read("SELECT total_changes()")
    here.memory.read("PRAGMA wal_checkpoint(TRUNCATE)")
    here.table.told(record)
    log = server.file.with_name("state-1.sqlite3-wal")
    assert log.stat().st_size < 20_000
    assert before != here.memory.read("SELECT total_changes()")


def test_the_last_progress_is_saved_with_the_end(server: Server) -> None:
    """It is sent after the end of the task and before its event, and its result stays."""
    here, there = Process(server), Process(server)
    record = completed(1)
    here.table.save(record)
    record.progress = TaskProgress(text="whole", value=1.0)
    here.table.told(record)
    copy = there.table.find("t1")
    assert copy is not None
    assert (copy.progress, copy.full()) == (record.progress, record.full())


def test_the_largest_number_is_known_even_if_its_task_is_forgotten(server: Server) -> None:
    """A restart goes on after all numbers that were ever given out."""
    here = Process(server)
    assert here.table.last_number() == 0
    for number in (5, 7, 6):
        here.table.save(completed(number))
        here.table.forget(f"t{number}")
    here.end()
    assert Process(server).table.last_number() == 7


def test_without_a_memory_nothing_is_kept() -> None:
    """All calls work, and do nothing."""
    table = TaskTable()
    table.save(completed(1))
    table.told(completed(1))
    table.forget("t1")
    assert (table.find("t1"), table.newest(9, None), table.last_number()) == (None, [], 0)
    assert (table.ended_processes(), table.take_over("p")) == ([], [])


def test_the_workers_share_the_room_for_results(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two workers, each saves half as much; a copy without its result says so."""
    monkeypatch.setattr(table_module, "RESULTS_BYTES_IN_RAM", 30)
    here, there = Process(server, durable=False), Process(server, durable=False)
    here.memory.workers = 2
    found = []
    for record in (completed(1, b'{"a":"123456"}'), completed(2, b'{"a":"123456"}')):
        here.table.save(record)
        copy = there.table.find(record.task_id)
        assert copy is not None
        found.append((copy.result_bytes, copy.lacks_result))
    assert found == [(14, False), (2, True)]
