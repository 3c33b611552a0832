"""gateway_shim.fair_work: one slice for all, then one step in each turn of the loop."""

from __future__ import annotations

import gevent
import pytest

from gateway_shim import fair_work
from gateway_shim.fair_work import FairWork


class Clock:
    """Monotonic seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collects an item for each turn of the event loop."""
    turns: list[int] = []
    let_others_run = fair_work.let_others_run

    def count() -> None:
        turns.append(1)
        let_others_run()

    monkeypatch.setattr(fair_work, "let_others_run", count)
    return turns


def test_a_short_piece_of_work_does_not_wait(turns: list[int]) -> None:
    """Others run once the slice is used up, and then it begins anew."""
    clock = Clock()
    work = FairWork(seconds=2, clock=clock)
    for now, expected in ((0, 0), (1.9, 0), (2, 1), (3.9, 1), (4, 2)):
        clock.now = now
        work.pause()
        assert len(turns) == expected


def test_one_step_in_a_turn(turns: list[int]) -> None:
    """Work that goes on takes its turns in order, however much of it there is."""
    work = FairWork(seconds=0)
    steps = []

    def run(number: int) -> None:
        for _ in range(3):
            work.pause()
            steps.append((number, len(turns)))

    gevent.joinall([gevent.spawn(run, number) for number in range(4)], raise_error=True)
    assert [number for number, _ in steps] == [0, 1, 2, 3] * 3
    assert [turn for _, turn in steps] == list(range(1, 13))


def test_nobody_overtakes_those_who_wait(turns: list[int]) -> None:
    """Work that begins while others wait for their turn waits behind them."""
    clock = Clock()
    work = FairWork(seconds=1, clock=clock)
    clock.now = 1
    order = []

    def run(name: str) -> None:
        work.pause()
        order.append(name)

    first = gevent.spawn(run, "first")
    gevent.sleep(0)
    clock.now = 0  # as if the loop had just gone round
    run("second")
    first.join()
    assert order == ["first", "second"]
    assert len(turns) == 1


def test_as_much_of_the_line_as_a_slice_is_enough_for(turns: list[int]) -> None:
    """Else two thousand short requests would need as many turns, and fill all handlers."""
    clock = Clock()
    work = FairWork(seconds=2, clock=clock)
    clock.now = 2
    seen = []

    def run() -> None:
        work.pause()
        seen.append(len(turns))
        clock.now += 1  # the work that follows

    gevent.joinall([gevent.spawn(run) for _ in range(6)], raise_error=True)
    assert seen == [1, 1, 2, 2, 3, 3]


def test_one_that_is_ended_in_the_line(turns: list[int]) -> None:
    """Wherever it stands: the next one gets its turn."""
    work = FairWork(seconds=0)
    steps = []

    def run(number: int) -> None:
        work.pause()
        steps.append(number)

    greenlets = [gevent.spawn(run, number) for number in range(4)]
    gevent.sleep(0)
    for number in (0, 2):
        greenlets[number].kill()
    gevent.joinall(greenlets, raise_error=True)
    assert steps == [1, 3]
    assert not work._line
