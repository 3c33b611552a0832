"""TaskLine: the slots, the order of waiting tasks, the limits, and the closed line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.errors import InvalidOperationException, TooBusy
from app.tasks.run.line import LineLimits, TaskLine, TaskRefused
from app.tasks.run.outcome import TaskOutcome
from app.tasks.run.record import TaskOrigin, TaskRecord
from tests.app.tasks.task_support import Gate

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def records(count: int) -> list[TaskRecord]:
    """Make pending tasks without a client."""
    return [TaskRecord(f"t{n}", Gate(), {}, NOW) for n in range(count)]


def line(slots: int = 1, capacity: int = 10, **limits: int) -> TaskLine:
    """Make a line whose clock stands still."""
    line_limits = LineLimits(running=slots, waiting=capacity, **limits)
    return TaskLine(line_limits, lambda record: record.begin(NOW, 0.0))


def tasks_of(client: str, count: int, size: int = 0) -> list[TaskRecord]:
    """Make pending tasks of one client."""
    origin = TaskOrigin(client, size)
    return [TaskRecord(f"{client}{n}", Gate(), {}, NOW, origin=origin) for n in range(count)]


def names(records: list[TaskRecord]) -> list[str]:
    """Return the IDs of tasks."""
    return [record.task_id for record in records]


def end(line: TaskLine, record: TaskRecord) -> list[str]:
    """End a task, and return the IDs of the tasks that begin."""
    record.end(TaskOutcome.cancelled(), NOW, 0.0)
    return names(line.finished(record))


def test_free_slots() -> None:
    """A task begins if a slot is free; each end lets the next waiting task begin."""
    a, b, c = records(3)
    two = line(slots=2)
    assert [two.join(a), two.join(b), two.join(c)] == [[a], [b], []]
    assert two.running == 2
    a.end(TaskOutcome.cancelled(), NOW, 0.0)
    assert two.finished(a) == [c]
    assert two.running == 2


def test_a_task_that_leaves_the_line() -> None:
    """A task that leaves the line frees no slot, but is unfinished until its event was sent."""
    a, b, c = records(3)
    one = line()
    for record in (a, b, c):
        one.join(record)
    one.leave(b)
    b.end(TaskOutcome.cancelled(), NOW, 0.0)
    assert one.finished(b) == []
    assert one.finished(a) == [c]
    assert (one.running, one.is_empty) == (1, False)
    assert one.finished(c) == []
    assert (one.running, one.is_empty) == (0, True)


def test_a_full_line_refuses() -> None:
    """The capacity counts only waiting tasks, and may be 0."""
    a, b, c = records(3)
    assert line(capacity=0).join(c) == [c]
    (c,) = records(1)
    small = line(capacity=1)
    small.join(a)
    small.join(b)
    with pytest.raises(TooBusy):
        small.join(c)


def test_a_closed_line() -> None:
    """A closed line refuses tasks, and closing it again returns the same tasks."""
    a, b, c = records(3)
    one = line()
    one.join(a)
    one.join(b)
    assert [one.close(), one.close()] == [[b], [b]]
    with pytest.raises(InvalidOperationException):
        one.join(c)


def test_one_client_never_has_all_of_several_slots() -> None:
    """One client cannot have all of several slots; tasks without a client can."""
    four = line(slots=4, capacity=100)
    for record in tasks_of("a", 10):
        four.join(record)
    assert four.running == 3
    (other,) = tasks_of("b", 1)
    assert four.join(other) == [other]
    assert four.running == 4
    own = records(10)
    four = line(slots=4, capacity=100)
    for record in own:
        four.join(record)
    assert four.running == 4
    (alone,) = tasks_of("a", 1)
    assert line(slots=1).join(alone) == [alone]


def test_a_slot_goes_to_the_client_with_the_fewest_running_tasks() -> None:
    """A free slot goes to the client with the fewest running tasks; equal clients take turns."""
    two = line(slots=2, capacity=100)
    first, second, third = tasks_of("a", 3)
    (one,) = records(1)
    for record in (first, one, second, third):
        two.join(record)
    late = tasks_of("b", 3)
    for record in late:
        two.join(record)
    assert two.running == 2
    assert end(two, one) == ["b0"], "a has one running already"
    assert end(two, first) == ["a1"], "b has one running"
    assert end(two, late[0]) == ["b1"], "a has one running"
    assert end(two, late[1]) == ["b2"]
    single = line(slots=1, capacity=100)
    crowd = [tasks_of(name, 3) for name in "abc"]
    for own in crowd:
        for record in own:
            single.join(record)
    order: list[str] = []
    running: TaskRecord | None = crowd[0][0]
    every = {record.task_id: record for own in crowd for record in own}
    while running:
        order.append(running.task_id)
        running = every.get("".join(end(single, running)))
    assert order == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]
    assert single.is_empty


def test_the_limit_of_one_client() -> None:
    """A client at its limit is refused until one of its tasks ends."""
    one = line(slots=1, per_client=2)
    a, b, c = tasks_of("a", 3)
    one.join(a)
    one.join(b)
    with pytest.raises(
        TaskRefused, match=r"^Your address has reached its limit of 2 unfinished tasks;"
    ) as caught:
        one.join(c)
    assert caught.value.reason == "tasks_per_address"
    (other,) = tasks_of("b", 1)
    one.join(other)
    own = records(5)
    for record in own:
        one.join(record)
    one.leave(b)
    end(one, b)
    assert one.join(c) == []


def test_the_parameters_of_waiting_tasks_are_bounded() -> None:
    """Only the parameters of waiting tasks count towards the limit of bytes."""
    one = line(slots=1, waiting_bytes=100)
    running, *waiting = tasks_of("", 4, size=60)
    one.join(running)
    one.join(waiting[0])
    with pytest.raises(TaskRefused, match=r"may have 100 bytes") as caught:
        one.join(waiting[1])
    assert caught.value.reason == "task_line_bytes"
    one.leave(waiting[0])
    one.finished(waiting[0])
    one.join(waiting[1])
    assert end(one, running) == [waiting[1].task_id]
    one.join(waiting[2])


def test_a_refused_task_leaves_nothing_behind() -> None:
    """After a refusal, the line is empty as soon as the other tasks have ended."""
    one = line(slots=1, capacity=0)
    a, b = tasks_of("a", 1) + tasks_of("b", 1)
    one.join(a)
    with pytest.raises(TaskRefused) as caught:
        one.join(b)
    assert caught.value.reason == "task_line"
    end(one, a)
    assert one.is_empty
