"""TaskLine: slots, the line before them, and its end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.errors import InvalidOperationException, TooBusy
from app.services.task_line import TaskLine
from app.services.task_outcome import cancelled
from app.services.task_record import TaskRecord
from tests.app.services.task_support import Gate

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def records(count):
    """So many pending tasks."""
    return [TaskRecord(f"t{n}", Gate(), {}, NOW) for n in range(count)]


def line(slots=1, capacity=10):
    """A line in which time stands still."""
    return TaskLine(slots, capacity, lambda record: record.begin(NOW, 0.0))


def test_whoever_finds_a_free_slot_begins_and_the_others_wait():
    """Then each end lets the first of the line begin."""
    a, b, c = records(3)
    two = line(slots=2)
    assert [two.join(a), two.join(b), two.join(c)] == [[a], [b], []]
    assert two.running == 2
    a.end(cancelled(), NOW, 0.0)
    assert two.finished(a) == [c]
    assert two.running == 2


def test_whoever_leaves_the_line_takes_no_slot():
    """It counts as unfinished until its event was sent, but frees nothing."""
    a, b, c = records(3)
    one = line()
    for record in (a, b, c):
        one.join(record)
    one.leave(b)
    b.end(cancelled(), NOW, 0.0)
    assert one.finished(b) == []
    assert one.finished(a) == [c]
    assert (one.running, one.is_empty) == (1, False)
    assert one.finished(c) == []
    assert (one.running, one.is_empty) == (0, True)


def test_a_full_line_refuses():
    """Its capacity does not count those who run, and may be nothing at all."""
    a, b, c = records(3)
    assert line(capacity=0).join(c) == [c]
    (c,) = records(1)
    small = line(capacity=1)
    small.join(a)
    small.join(b)
    with pytest.raises(TooBusy):
        small.join(c)


def test_a_closed_line_refuses_and_names_those_who_wait():
    """Closing twice is closing."""
    a, b, c = records(3)
    one = line()
    one.join(a)
    one.join(b)
    assert [one.close(), one.close()] == [[b], [b]]
    with pytest.raises(InvalidOperationException):
        one.join(c)
