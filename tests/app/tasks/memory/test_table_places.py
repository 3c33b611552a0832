"""TaskTable: the places of processes in the numbers of tasks, and waits for saves."""

from __future__ import annotations

import gevent
import pytest

from app.tasks.memory import table as table_module
from app.tasks.memory.table import TaskTable
from tests.app.state.memory_support import Server, server
from tests.app.tasks.memory.table_support import Process, pending, running
from tests.support.timing import TIME_LIMIT

__all__ = ["server"]


def test_each_running_process_has_its_own_place(server: Server) -> None:
    """The place of a process that has ended is used again."""
    first, second, third = (Process(server) for _ in range(3))
    assert [process.table.claim_place() for process in (first, second, third)] == [0, 1, 2]
    second.end()
    fourth = Process(server)
    assert fourth.table.claim_place() == 1
    assert TaskTable().claim_place() is None


def test_places_run_out(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """More processes than places: the last one has none."""
    monkeypatch.setattr(table_module, "_PLACES", 1)
    processes = [Process(server), Process(server)]
    assert [process.table.claim_place() for process in processes] == [0, None]


def test_the_place_of_a_number_is_not_a_number_of_a_task(server: Server) -> None:
    """Places are kept beside the largest number, and do not change it."""
    process = Process(server)
    process.table.save(pending(7))
    process.table.claim_place()
    assert process.table.last_number() == 7


def test_a_wait_for_a_save(server: Server) -> None:
    """Another process writes: the wait ends once the task is saved, and not before."""
    here, there = Process(server), Process(server)
    with server.writing():
        here.table.save(running(1))
        assert there.table.find("t1") is None
        waiting = gevent.spawn(here.table.wait_until_saved, "t1")
        gevent.sleep(0.01)
        assert not waiting.ready()
    waiting.get(timeout=TIME_LIMIT)
    assert there.table.find("t1") is not None
