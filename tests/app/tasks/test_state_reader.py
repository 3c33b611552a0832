"""The state of tasks, with the cursor from which a browser must follow the events."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from app.tasks.state_reader import TaskStateReader
from tests.app.tasks.task_support import Call, Done, RecordedTasks


class FakeGateway:
    """A gateway with the cursor that a test has set."""

    last_event_id: str | None = "epoch-7"


def read_page(reader: TaskStateReader) -> str | None:
    """Return the cursor of a page."""
    cursor, page = reader.list_tasks(100, None)
    assert [task.task_id for task in page.tasks] == ["t1"]
    return cursor


def read_status(reader: TaskStateReader) -> str | None:
    """Return the cursor of a status."""
    status = json.loads(reader.get_task_status_json("t1"))
    assert (status["task_id"], status["result"]) == ("t1", {"number": 1})
    cursor = status["last_event_id"]
    assert cursor is None or isinstance(cursor, str)
    return cursor


@pytest.mark.parametrize(
    ("read", "method"), [(read_page, "list_tasks"), (read_status, "get_task_status_json")]
)
def test_the_cursor_is_older_than_the_state(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[TaskStateReader], str | None], method: str
) -> None:
    """An event that comes while the state is read follows the cursor, so it is not missed."""
    tasks, gateway = RecordedTasks(), FakeGateway()
    tasks.run(Call(lambda handle: Done()))
    call = getattr(tasks.service, method)

    def call_during_an_event(*args: object) -> object:
        gateway.last_event_id = "epoch-8"
        return call(*args)

    monkeypatch.setattr(tasks.service, method, call_during_an_event)
    reader = TaskStateReader(tasks.service, gateway)
    assert read(reader) == "epoch-7"
    assert read(reader) == "epoch-8"
    tasks.end()


def test_without_a_log_there_is_no_cursor() -> None:
    """The field is null if events are not replayed."""
    tasks, gateway = RecordedTasks(), FakeGateway()
    gateway.last_event_id = None
    tasks.run(Call(lambda handle: Done()))
    reader = TaskStateReader(tasks.service, gateway)
    assert (read_page(reader), read_status(reader)) == (None, None)
    assert reader.get_task_status_json("t1").startswith(b'{"last_event_id":null,"task_id":"t1",')
    tasks.end()
