"""TaskStore: the tasks that are remembered, and for how long."""

from __future__ import annotations

import gc
import weakref
from datetime import UTC, datetime

import gevent
import pytest

from app.errors import InvalidOperationException, NotFound
from app.tasks.run.lifecycle import TaskStep
from app.tasks.run.outcome import TaskOutcome
from app.tasks.run.record import TaskRecord
from app.tasks.run.store import StoreLimits, TaskStore
from tests.app.tasks.task_support import Clock, Gate
from tests.support.timing import wait_until

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def added(store: TaskStore, task_id: str, clock: Clock, *, finished: bool) -> TaskRecord:
    """Add a task to the store."""
    record = TaskRecord(task_id, Gate(), {}, NOW)
    store.add(record)
    if finished:
        record.end(TaskOutcome.cancelled(), NOW, clock())
        store.finished(record)
    return record


def test_finished_tasks_go_when_their_time_is_up() -> None:
    """A finished task is forgotten when its time is over, and an unfinished task never is."""
    clock = Clock()
    store = TaskStore(StoreLimits(10.0), clock)
    running = added(store, "running", clock, finished=False)
    first = added(store, "first", clock, finished=True)
    clock.now += 5.0
    second = added(store, "second", clock, finished=True)
    assert store.all() == [running, first, second]
    clock.now += 5.0
    with pytest.raises(NotFound, match=r"^There is no task first; .* forgotten after 10 s,"):
        store.find("first")
    assert store.find("second") is second
    clock.now += 5.0
    assert store.all() == [running]
    store.close()


def test_removing_is_for_finished_tasks() -> None:
    """Only a finished task can be removed."""
    clock = Clock()
    store = TaskStore(StoreLimits(10.0), clock)
    added(store, "running", clock, finished=False)
    added(store, "done", clock, finished=True)
    with pytest.raises(InvalidOperationException, match=r"^Task running is pending; cancel it"):
        store.remove("running")
    store.remove("done")
    with pytest.raises(NotFound):
        store.remove("done")
    clock.now += 20.0
    assert [record.task_id for record in store.all()] == ["running"]
    store.close()


def test_memory_is_freed_by_a_timer() -> None:
    """A timer forgets each finished task in turn, and then stops."""
    clock = Clock()
    store = TaskStore(StoreLimits(0.02), clock)
    references = [weakref.ref(added(store, str(n), clock, finished=True).task) for n in range(2)]
    late = added(store, "late", clock, finished=False)
    clock.now += 1.0
    late.end(TaskOutcome.cancelled(), NOW, clock())
    store.finished(late)
    references.append(weakref.ref(late.task))
    del late

    def alive() -> list[bool]:
        gc.collect()
        return [reference() is not None for reference in references]

    wait_until(lambda: alive() == [False, False, True], "the first two to be forgotten")
    clock.now += 1.0
    wait_until(lambda: alive() == [False] * 3, "the last to be forgotten")
    assert store._sweeper is None


@pytest.mark.parametrize("early", [84e-6, 1800.0])
def test_a_sweep_that_comes_early_comes_again_in_time(early: float) -> None:
    """After a timer that fired too early, only the rest of the time is waited for."""
    clock = Clock()
    store = TaskStore(StoreLimits(3600.0), clock)
    added(store, "done", clock, finished=True)
    assert store._sweeper is not None
    store._sweeper.kill()
    clock.now += 3600.0 - early
    pauses = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gevent, "spawn_later", lambda seconds, _: pauses.append(seconds))
        store._sweep()
    assert pauses == [pytest.approx(max(early, 0.001))]
    store.close()


def test_a_closed_store_has_no_timer() -> None:
    """A closed store stops its timer and starts no other one."""
    clock = Clock()
    store = TaskStore(StoreLimits(10.0), clock)
    added(store, "one", clock, finished=True)
    timer = store._sweeper
    assert timer is not None
    store.close()
    store.close()
    gevent.sleep(0)
    assert timer.dead
    added(store, "two", clock, finished=True)
    assert store._sweeper is None


def completed(store: TaskStore, task_id: str, result: bytes) -> None:
    """Add a completed task to the store."""
    record = TaskRecord(task_id, Gate(), {}, NOW)
    store.add(record)
    record.begin(NOW, 1000.0)
    record.end(TaskOutcome(TaskStep.RETURN, result_json=result), NOW, 1000.0)
    store.finished(record)


def ids_of(store: TaskStore) -> list[str]:
    """Return the IDs of all tasks, oldest first."""
    return [record.task_id for record in store.all()]


def test_the_number_of_finished_tasks_is_bounded() -> None:
    """Beyond the limit, the task that ended first is forgotten; unfinished tasks do not count."""
    clock = Clock()
    store = TaskStore(StoreLimits(finished=2), clock)
    early = added(store, "early", clock, finished=False)
    for name in "abc":
        added(store, name, clock, finished=True)
    assert ids_of(store) == ["early", "b", "c"]
    early.end(TaskOutcome.cancelled(), NOW, clock())
    store.finished(early)
    assert ids_of(store) == ["early", "c"]
    store.remove("early")
    added(store, "d", clock, finished=True)
    assert ids_of(store) == ["c", "d"]
    store.close()


def test_the_bytes_of_results_are_bounded() -> None:
    """The last task is remembered whatever the size of its result."""
    store = TaskStore(StoreLimits(finished_bytes=100), Clock())
    completed(store, "a", b"x" * 60)
    completed(store, "b", b"x" * 40)
    assert ids_of(store) == ["a", "b"]
    completed(store, "c", b"x")
    assert ids_of(store) == ["b", "c"]
    store.remove("b")
    completed(store, "d", b"x" * 99)
    assert ids_of(store) == ["c", "d"]
    completed(store, "e", b"x" * 500)
    assert ids_of(store) == ["e"]
    completed(store, "f", b"")
    assert ids_of(store) == ["f"]
    store.close()


def test_the_newest_come_in_pages() -> None:
    """Pages begin with the newest task, and no task is in two pages."""
    clock = Clock()
    store = TaskStore(StoreLimits(), clock)
    for number in range(5):
        record = added(store, str(number), clock, finished=True)
        record.number = 10 * number
    ids = [record.task_id for record in store.newest(2)]
    assert ids == ["4", "3"]
    store.remove("3")
    assert [record.task_id for record in store.newest(2, before=30)] == ["2", "1"]
    assert [record.task_id for record in store.newest(2, before=10)] == ["0"]
    assert store.newest(2, before=0) == []
    store.close()


def test_adopted_tasks_take_their_places() -> None:
    """They are listed in the order of starts, and are forgotten in the order of ends."""
    clock = Clock()
    store = TaskStore(StoreLimits(10.0, finished=3), clock)

    def ended(number: int, seconds_ago: float) -> TaskRecord:
        record = TaskRecord(f"t{number}", Gate(), {}, NOW, number)
        record.end(TaskOutcome.cancelled(), NOW, clock() - seconds_ago)
        return record

    own = ended(4, 2.0)
    store.add(own)
    store.finished(own)
    store.adopt([ended(number, ago) for number, ago in ((1, 1.0), (2, 9.0), (3, 11.0), (5, 3.0))])
    # Task 3 has expired, and task 2 is one too many.
    assert [record.task_id for record in store.all()] == ["t1", "t4", "t5"]
    assert [record.task_id for record in store.newest(9, 5)] == ["t4", "t1"]
    clock.now += 7.5
    assert [record.task_id for record in store.all()] == ["t1", "t4"]
    store.close()
