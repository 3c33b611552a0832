"""TaskTakeover: the tasks of ended processes are remembered, and their ends are told once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import gevent
import pytest

from app.state.server_memory import ServerMemory
from app.tasks.memory import takeover as takeover_module
from app.tasks.memory.numbers import TaskNumbers
from app.tasks.memory.table import TaskTable
from app.tasks.memory.takeover import TaskTakeover
from app.tasks.run.record import TaskRecord
from app.tasks.run.store import StoreLimits, TaskStore
from tests.app.state.memory_support import Server, log_messages, server
from tests.app.tasks.memory.table_support import NOW, completed, pending, running
from tests.support.timing import wait_until

__all__ = ["server"]


class Heir:
    """A process that looks for the tasks of others.

    Args:
        memory: its memory, not yet started.
        told_by_others: returns which tasks other servers have told.
    """

    def __init__(
        self,
        memory: ServerMemory,
        told_by_others: Callable[[Iterable[str]], set[Any]] = lambda _: set(),
    ) -> None:
        self.memory = memory
        self.table = TaskTable(memory, now=lambda: NOW)
        self.store = TaskStore(StoreLimits(), self.table_clock, self.table)
        self.numbers = TaskNumbers()
        self.told: list[str] = []
        self.takeover = TaskTakeover(
            memory, self.table, self.store, self.numbers, self.tell, told_by_others
        )

    def table_clock(self) -> float:
        """Return monotonic seconds."""
        return 1000.0

    def tell(self, record: TaskRecord) -> None:
        """Keep the task's ID; sending lets other greenlets run."""
        self.table.told(record)
        gevent.sleep(0)
        self.told.append(record.task_id)

    @property
    def known(self) -> list[str]:
        """The IDs of the tasks in the store."""
        return [record.task_id for record in self.store.all()]


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover_module, "LOOK_SECONDS", 0.01)


def leave(server: Server, *records: TaskRecord) -> ServerMemory:
    """Return the memory of a process that has these tasks and never tells their ends."""
    memory = server.started()
    for record in records:
        TaskTable(memory).save(record)
    return memory


def test_a_start_takes_over_what_an_ended_process_has_left(server: Server) -> None:
    """All tasks are known at once; the ends that were not told are told, each once."""
    earlier = leave(server, completed(1), completed(2), running(3), pending(4))
    TaskTable(earlier).told(completed(1))
    earlier.close()
    heir = Heir(server.memory())
    heir.memory.start()
    assert heir.known == ["t1", "t2", "t3", "t4"]
    wait_until(lambda: len(heir.told) == 3, "the ends")
    assert heir.told == ["t2", "t3", "t4"]
    assert heir.numbers.next(NOW) > 4
    later = Heir(server.memory())
    heir.memory.close()
    later.memory.start()
    wait_until(lambda: later.known == heir.known, "the tasks")
    assert later.told == []


def test_the_tasks_of_a_running_process_stay_its_own(server: Server) -> None:
    """During a reload the old process goes on; its tasks are taken over when it ends."""
    old = leave(server, running(1))
    heir = Heir(server.memory())
    heir.memory.start()
    gevent.sleep(0.05)  # some looks
    assert (heir.known, heir.told) == ([], [])
    assert [record.task_id for record in heir.store.newest(9)] == ["t1"]
    old.close()
    wait_until(lambda: heir.told == ["t1"], "the end")
    assert heir.known == ["t1"]


def test_of_several_processes_that_look_one_tells(server: Server) -> None:
    """However the looks of three processes interleave, each end is told once."""
    heirs = [Heir(server.memory()) for _ in range(3)]
    for heir in heirs:
        heir.memory.start()
    victim = leave(server, *(running(number) for number in range(1, 51)))
    victim.close()
    gevent.joinall([gevent.spawn(heir.takeover.look) for heir in heirs], raise_error=True)
    wait_until(lambda: sum(len(heir.told) for heir in heirs) >= 50, "the ends")
    told = [task for heir in heirs for task in heir.told]
    assert sorted(told) == sorted(f"t{number}" for number in range(1, 51))
    assert [heir.known for heir in heirs] == [heir.told for heir in heirs]


def test_a_process_that_ends_while_it_tells(server: Server) -> None:
    """The ends that it has not told yet are told by the next process."""
    leave(server, running(1), running(2)).close()

    class Killed(Heir):
        def tell(self, record: TaskRecord) -> None:
            super().tell(record)
            self.memory.close()
            raise gevent.GreenletExit

    first, second = Killed(server.memory()), Heir(server.memory())
    first.memory.start()
    wait_until(lambda: first.told == ["t1"], "the first end")
    second.memory.start()
    wait_until(lambda: second.told == ["t2"], "the second end")
    assert second.known == ["t1", "t2"]


def test_a_look_that_fails_is_not_the_last(
    server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake is logged, and the next look works."""
    heir = Heir(server.memory())
    heir.memory.start()
    monkeypatch.setattr(heir.table, "ended_processes", lambda: 1 / 0)
    wait_until(lambda: log_messages(caplog, logging.ERROR), "the failure")
    monkeypatch.undo()
    leave(server, running(1)).close()
    wait_until(lambda: heir.told == ["t1"], "the end")


def test_the_others_cannot_say_what_they_have_told(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """The ends are told nevertheless, those at the start and those of later looks."""
    leave(server, running(1)).close()
    heir = Heir(server.memory(), lambda _: {1 / 0})
    heir.memory.start()
    wait_until(lambda: heir.told == ["t1"], "the end at the start")
    leave(server, running(2)).close()
    wait_until(lambda: heir.told == ["t1", "t2"], "the end of a later look")
    assert "the other servers could not be asked which ends they have told" in caplog.text


def test_an_end_that_cannot_be_told(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the ends of other tasks are told."""

    class Failing(Heir):
        def tell(self, record: TaskRecord) -> None:
            assert record.task_id != "t1"
            super().tell(record)

    leave(server, running(1), running(2)).close()
    heir = Failing(server.memory())
    heir.memory.start()
    wait_until(lambda: heir.told == ["t2"], "the end of the other task")
    leave(server, running(3)).close()
    wait_until(lambda: heir.told == ["t2", "t3"], "the end of a later look")
    assert "the end of a task of an ended process could not be told" in caplog.text


def test_nobody_looks_after_the_stop(server: Server) -> None:
    """After the stop, tasks stay for other processes."""
    heir = Heir(server.memory())
    heir.memory.start()
    heir.takeover.stop()
    gevent.sleep(0.02)
    leave(server, running(1)).close()
    gevent.sleep(0.05)
    assert heir.told == []
