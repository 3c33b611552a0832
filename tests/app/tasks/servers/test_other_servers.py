"""``TaskService`` on several servers: the same answers from each."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import InvalidOperationException, NotFound, Unavailable
from app.schemas.task_schema import TaskStatus
from app.tasks.params.remembered import RememberedParams
from app.tasks.run.record import TaskOrigin
from tests.app.tasks.servers.server_support import Servers, finished
from tests.app.tasks.task_support import Call, Done, Gate


def outcome(call: Any, task_id: str) -> str:
    """Return the status that a call answers, or its error."""
    try:
        return str(call(task_id).status.value)
    except (InvalidOperationException, NotFound, Unavailable) as exc:
        return f"{exc.status:d} {exc.message}"


def test_each_server_has_all_tasks(servers: Servers) -> None:
    """Lists, statuses and results are the same on each server, and on each worker of it."""
    here, there, beside = (servers.process(*name) for name in ("ax", "by", "cy"))
    for process in (here, there, beside):
        finished(process)
        process.service.start_task(Gate())
    expected = {
        "c2": "running",
        "c1": "completed",
        "b2": "running",
        "b1": "completed",
        "a2": "running",
        "a1": "completed",
    }
    for process in (here, there, beside):
        assert process.listed == expected
        for task_id in expected:
            body = process.service.get_task_status_json(task_id)
            assert body == here.service.get_task_status_json(task_id)
            assert process.service.get_task_status(task_id) == here.service.get_task_status(task_id)
    assert here.service.get_task_status("c1").result == {"number": 1}


def test_pages_of_several_servers(servers: Servers) -> None:
    """Each task is on one page, newest first."""
    processes = [servers.process(*name) for name in ("ax", "by", "cz", "dz")]
    for number in range(12):
        processes[number * 7 % 4].service.start_task(Gate())
    whole = list(processes[0].listed)
    assert len(whole) == 12
    for process in processes:
        seen: list[str] = []
        before = None
        while True:
            page = process.service.list_tasks(5, before)
            seen += [task.task_id for task in page.tasks]
            if (before := page.next) is None:
                break
        assert seen == whole


def test_a_task_is_cancelled_from_any_server(servers: Servers) -> None:
    """Running or waiting, with the answers of the task's own process; every server sees it."""
    here, there = servers.process("a", "x"), servers.process("b", "y", max_workers=1)
    running, waiting = (there.service.start_task(Gate()).task_id for _ in range(2))
    for task_id in (waiting, running):
        assert outcome(here.service.cancel_task, task_id) == "cancelled"
        assert here.listed[task_id] == there.listed[task_id] == "cancelled"
        refused = outcome(there.service.cancel_task, task_id)
        assert refused.startswith(f"409 Task {task_id} is cancelled already")
        assert outcome(here.service.cancel_task, task_id) == refused
    assert there.sender.types(waiting) == ["task_cancelled"]
    assert here.sender.sent == []


def test_a_task_is_removed_from_any_server(servers: Servers) -> None:
    """Only if it is over; it is then gone on all of them."""
    here, there, beside = (servers.process(*name) for name in ("ax", "by", "cy"))
    done, running = finished(there), there.service.start_task(Gate()).task_id
    assert outcome(here.service.remove_completed_task, running).startswith(
        f"409 Task {running} is running; cancel it"
    )
    here.service.remove_completed_task(done)
    for process in (here, there, beside):
        assert list(process.listed) == [running]
        assert outcome(process.service.get_task_status, done).startswith("404 There is no task")
        assert outcome(process.service.remove_completed_task, done).startswith("404")


def test_the_params_of_a_task_of_another_server(servers: Servers) -> None:
    """A person who starts the task again gets them, on any server, whatever their size."""
    here, there = servers.process("a", "x"), servers.process("b", "y")
    params = RememberedParams('{"text":"' + "ü" * 100_000 + '"}', ("password",))
    task_id = there.service.start_task_for(TaskOrigin(params=params), Gate()).task_id
    assert here.service.get_start(task_id) == ("gate", params)


def test_a_large_result_of_another_server(servers: Servers) -> None:
    """The owner is asked for it only if the status is; the size is bounded before."""
    here, there = servers.process("a", "x"), servers.process("b", "y")
    task_id = finished(there, 10**4000)
    assert here.service.result_bytes(task_id) >= there.service.result_bytes(task_id)
    assert here.service.get_task_status(task_id).result == {"number": 10**4000}


def test_a_server_that_does_not_answer(servers: Servers) -> None:
    """The list says that tasks are missing; a task that may be there is not called unknown."""
    here, there, third = (servers.process(*name) for name in ("ax", "by", "cz"))
    hidden, seen = finished(there), finished(third)
    servers.group.silent.add("b@y")
    page = here.service.list_tasks()
    assert [task.task_id for task in page.tasks] == [seen]
    assert not page.is_complete
    assert outcome(here.service.get_task_status, hidden) == (
        "503 The task may be on a server that does not answer at the moment; try again in some"
        " seconds"
    )
    assert here.service.get_task_status(seen).status is TaskStatus.COMPLETED
    # Another process of the same server answers in its place.
    servers.process("d", "y")
    page = here.service.list_tasks()
    assert {task.task_id for task in page.tasks} == {hidden, seen}
    assert page.is_complete


def test_a_server_that_is_gone(servers: Servers) -> None:
    """Its tasks are gone with it, and nobody waits for it."""
    here, there = servers.process("a", "x"), servers.process("b", "y")
    task_id = finished(there)
    there.kill()
    assert here.listed == {}
    assert here.service.list_tasks().is_complete
    assert outcome(here.service.get_task_status, task_id).startswith("404")


def test_a_server_that_ends_while_it_is_asked(servers: Servers) -> None:
    """The process of a task ends after it was found: then there is no such task any more."""
    here, there = servers.process("a", "x"), servers.process("b", "y")
    task_id = there.service.start_task(Gate()).task_id
    find = here.service._servers.lookup.find

    def find_and_kill(task_id: str) -> Any:
        record = find(task_id)
        there.kill()
        return record

    here.service._servers.lookup.find = find_and_kill  # type: ignore[method-assign]
    with pytest.raises(NotFound):
        here.service.cancel_task(task_id)


def test_workers_of_one_server_ask_nobody(servers: Servers) -> None:
    """Without other servers no list and no unknown task is asked for, and nothing is told."""
    here, beside = servers.process("a", "x"), servers.process("b", "x")
    finished(beside)
    assert list(here.listed) == ["b1"]
    with pytest.raises(NotFound):
        here.service.get_task_status("unknown")
    beside.run(Call(lambda handle: Done()))
    for process in (here, beside):
        assert process.peers.asked == process.peers.told == []
