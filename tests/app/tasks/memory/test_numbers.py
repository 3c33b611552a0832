"""TaskNumbers: the order of all starts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.tasks.memory.numbers import TaskNumbers

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_numbers_grow_even_if_the_clock_does_not() -> None:
    """A clock that stands still or is set back does not matter."""
    numbers = TaskNumbers()
    times = [NOW, NOW, NOW - timedelta(hours=1), NOW, NOW + timedelta(seconds=1)]
    given = [numbers.next(time) for time in times]
    assert given == sorted(set(given))
    assert len(str(given[-1])) == 19  # what a cursor of the list may have


def test_numbers_go_on_after_those_of_an_earlier_process() -> None:
    """After a restart with the clock set back, numbers are larger than all before."""
    earlier, later = TaskNumbers(), TaskNumbers()
    last = earlier.next(NOW)
    later.go_on_after(last, None)
    assert last < later.next(NOW - timedelta(days=1)) < later.next(NOW - timedelta(days=2))


def test_two_processes_do_not_give_out_the_same_number() -> None:
    """Not even in the same microsecond, and not after the clock was set back."""
    first, second = TaskNumbers(), TaskNumbers()
    for place, numbers in enumerate((first, second)):
        numbers.go_on_after(first.next(NOW), place)
    given = [
        numbers.next(NOW - timedelta(days=1)) for _ in range(50) for numbers in (first, second)
    ]
    assert len(set(given)) == 100
