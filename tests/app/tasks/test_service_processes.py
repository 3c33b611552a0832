"""``TaskService`` in several processes of one server, and over their ends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app.errors import InvalidOperationException, NotFound
from app.tasks.memory import takeover
from app.tasks.run.outcome import LOST_RUNNING
from tests.app.state.memory_support import Server, server
from tests.app.tasks.task_support import Call, Clock, Done, Gate, RecordedTasks
from tests.support.timing import wait_until

__all__ = ["server"]


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover, "LOOK_SECONDS", 0.01)


class Process(RecordedTasks):
    """A task service in a process of a server.

    Args:
        server: the server.
        name: the first part of the IDs of the process's tasks.
    """

    def __init__(self, server: Server, name: str, **options: Any) -> None:
        ids = iter(range(1, 100))
        self.memory = server.memory()
        options.setdefault("now", lambda: datetime.now(UTC))
        super().__init__(memory=self.memory, new_id=lambda: f"{name}{next(ids)}", **options)
        self.memory.start()

    def kill(self) -> None:
        """End the process without its shutdown. What it holds in its memory does not matter."""
        self.memory.close()

    @property
    def listed(self) -> dict[str, str]:
        """The statuses of all tasks, newest first."""
        return {task.task_id: task.status.value for task in self.service.list_tasks().tasks}


def test_each_process_lists_all_tasks(server: Server) -> None:
    """During a reload, the new process knows the tasks of the old one in each status."""
    old, new = Process(server, "a", max_workers=1), Process(server, "b")
    old.run(Call(lambda handle: Done(number=7)))
    old.service.start_task(Gate())
    old.service.start_task(Gate())
    new.service.start_task(Gate())
    expected = {"b1": "running", "a3": "pending", "a2": "running", "a1": "completed"}
    assert old.listed == new.listed == expected
    assert new.service.get_task_status("a1").result == {"number": 7}
    assert new.service.get_task_status_json("a1") == old.service.get_task_status_json("a1")
    assert new.service.result_bytes("a1") == len(b'{"number":7}')
    first = new.service.list_tasks(2)
    second = new.service.list_tasks(2, first.next)
    found = [task.task_id for page in (first, second) for task in page.tasks]
    assert (found, second.next) == (list(expected), None)
    old.end()
    new.end()


def test_a_task_that_has_waited_is_seen_to_run(server: Server) -> None:
    """Another process sees when a waiting task gets its slot."""
    old, new = Process(server, "a", max_workers=1), Process(server, "b")
    gate = Gate()
    old.service.start_task(gate)
    old.service.start_task(Gate())
    assert new.listed == {"a2": "pending", "a1": "running"}
    gate.opened.set()
    old.sent("task_started", "a2")
    assert new.listed == {"a2": "running", "a1": "completed"}
    old.end()
    new.end()


def test_only_its_own_process_can_end_a_task(server: Server) -> None:
    """A cancel or a removal elsewhere is refused with the reason, and changes nothing."""
    old, new = Process(server, "a"), Process(server, "b")
    old.service.start_task(Gate())
    for call in (new.service.cancel_task, new.service.remove_completed_task):
        with pytest.raises(
            InvalidOperationException,
            match=r"^Task a1 is running in another process of this server, and only that process"
            r" can end it; wait until the task is over$",
        ):
            call("a1")
    assert old.listed == {"a1": "running"}
    old.service.cancel_task("a1")
    old.settle()
    with pytest.raises(InvalidOperationException, match=r"^Task a1 is cancelled already"):
        new.service.cancel_task("a1")
    new.service.remove_completed_task("a1")
    assert new.listed == {}
    with pytest.raises(NotFound):
        new.service.get_task_status("a1")
    old.end()
    new.end()


def test_the_tasks_of_a_killed_process_are_failed(server: Server) -> None:
    """Each gets one event with the reason, is counted, and stays for its time."""
    old, new = Process(server, "a"), Process(server, "b")
    done = old.run(Call(lambda handle: Done()))
    lost = old.service.start_task(Gate()).task_id
    old.kill()
    wait_until(lambda: new.sender.types(lost), "the event")
    assert new.listed == {lost: "failed", done: "completed"}
    assert new.service.get_task_status(lost).error == LOST_RUNNING
    assert [(event["event_type"], event["data"]) for event in new.sender.sent] == [
        ("task_failed", {"error": LOST_RUNNING})
    ]
    assert [finished[:2] for finished in new.metrics.finished] == [("gate", "failed")]
    new.service.remove_completed_task(lost)
    assert new.listed == {done: "completed"}
    old.end()
    new.end()


def test_an_end_that_was_not_told_is_told(server: Server) -> None:
    """A process is killed between the end of a task and its event; another one sends the event."""
    old, new = Process(server, "a"), Process(server, "b")

    record_id = old.service.start_task(Gate()).task_id
    record = old.service._store.find(record_id)
    wait_until(lambda: record.body, "the task")
    old.service.cancel_task(record_id)  # its event is sent by a greenlet that does not run yet
    old.kill()
    wait_until(lambda: new.sender.types(record_id), "the event")
    assert new.sender.types(record_id) == ["task_cancelled"]
    assert new.metrics.finished == []  # the ended process has counted it
    old.end()
    new.end()


def test_a_restart_with_the_clock_set_back(server: Server) -> None:
    """Tasks that start later are listed first, and a page goes on where it was."""
    before = Process(server, "a", now=lambda: datetime(2026, 6, 1, tzinfo=UTC))
    for _ in range(3):
        before.run(Call(lambda handle: Done()))
    first = before.service.list_tasks(2)
    before.end()
    before.memory.close()
    after = Process(server, "b", now=lambda: datetime(2026, 5, 1, tzinfo=UTC))
    after.run(Call(lambda handle: Done()))
    assert list(after.listed) == ["b1", "a3", "a2", "a1"]
    assert [task.task_id for task in after.service.list_tasks(2, first.next).tasks] == ["a1"]
    after.end()


def test_the_limits_hold_over_restarts(server: Server) -> None:
    """Tasks that are taken over count, and those that ended first are forgotten."""
    for name in "abc":
        process = Process(server, name, max_finished=3)
        for _ in range(2):
            process.run(Call(lambda handle: Done()))
        assert len(process.listed) == min(2 * (ord(name) - ord("a") + 1), 3)
        process.end()
        process.memory.close()
    assert list(Process(server, "d").listed) == ["c2", "c1", "b2"]
    assert server.rows("SELECT count(*) FROM tasks") == [(3,)]


def test_tasks_that_are_taken_over_expire(server: Server) -> None:
    """The time of a finished task goes on while no process runs."""
    times = [datetime(2026, 1, 1, tzinfo=UTC)]
    # The second process has one second left for its look. So its clock must stand still.
    options: dict[str, Any] = {"keep_seconds": 600, "now": lambda: times[0], "clock": Clock()}
    first = Process(server, "a", **options)
    first.run(Call(lambda handle: Done()))
    first.end()
    first.memory.close()
    times[0] = datetime(2026, 1, 1, 0, 9, 59, tzinfo=UTC)
    second = Process(server, "b", **options)
    assert second.listed == {"a1": "completed"}
    second.end()
    second.memory.close()
    times[0] = datetime(2026, 1, 1, 0, 10, 1, tzinfo=UTC)
    assert Process(server, "c", **options).listed == {}
