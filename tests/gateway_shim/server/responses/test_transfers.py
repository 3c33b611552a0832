"""The transfer that makes room, and the end of a waiting transfer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.errors import TransferEnded
from gateway_shim.server.responses.transfers import Transfer, Transfers
from tests.support.timing import TIME_LIMIT


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Provide a budget that must be empty at the end of the test."""
    with ExitStack() as stack:
        yield stack


class Waiting:
    """A transfer that waits for its client in a greenlet."""

    def __init__(self, transfers: Transfers, owner: str, size: int, seconds: float = TIME_LIMIT):
        self.transfer = transfers.begin(owner)
        self.over = Signal()
        self.greenlet = gevent.spawn(self._run, size, seconds)
        gevent.sleep(0)

    def _run(self, size: int, seconds: float) -> str:
        with self.transfer:
            try:
                self.transfer.hold(size)
                with self.transfer.waiting(seconds):
                    self.over.wait()
            except TransferEnded as ended:
                return str(ended)
            return "whole"

    @property
    def outcome(self) -> str:
        """The outcome of the transfer."""
        outcome: str = self.greenlet.get(timeout=TIME_LIMIT)
        return outcome


def test_what_is_held_is_given_back() -> None:
    """The first bytes of each transfer do not count."""
    transfers = Transfers(limit=100, free=10)
    with transfers.begin("a") as first, transfers.begin("b") as second:
        first.hold(10)
        second.hold(50)
        assert transfers.held == 40
        second.hold(60)
        assert transfers.held == 50
        second.hold(20)
        assert transfers.held == 10
    assert (transfers.held, transfers._of_owner, transfers._held_by) == (0, {}, {})


def test_the_one_that_began_first_makes_room() -> None:
    """The oldest transfer is ended with made_room; the others continue."""
    transfers = Transfers(limit=100, free=0)
    first, second = (Waiting(transfers, "a", 50) for _ in range(2))
    third = Waiting(transfers, "a", 50)
    assert first.outcome == "the transfer was ended to make room for others"
    assert transfers.held == 100
    for each in (second, third):
        each.over.set()
        assert each.outcome == "whole"
    assert transfers.held == 0


def test_the_owner_of_most_makes_room() -> None:
    """The owner that fills the budget loses its own transfers."""
    transfers = Transfers(limit=100, free=0)
    honest = Waiting(transfers, "honest", 20)
    hostile = [Waiting(transfers, "hostile", 40) for _ in range(2)]
    newcomer = Waiting(transfers, "new", 10)
    assert hostile[0].outcome == "the transfer was ended to make room for others"
    another = Waiting(transfers, "hostile", 70)
    assert hostile[1].outcome == "the transfer was ended to make room for others"
    for each in (honest, newcomer, another):
        each.over.set()
        assert each.outcome == "whole"


def test_whoever_has_most_gets_no_more(stack: ExitStack) -> None:
    """A transfer that could only displace itself is refused, and stays refused."""
    transfers = Transfers(limit=100, free=0)
    busy, asking = ([stack.enter_context(transfers.begin("a")) for _ in range(n)] for n in (2, 1))
    for each in busy:  # they do not wait for their clients: they are never ended
        each.hold(40)
    asking[0].hold(20)
    for size in (21, 10):
        with pytest.raises(TransferEnded) as caught:
            asking[0].hold(size)
        assert caught.value.made_room is True
    assert [each.counted for each in busy] == [40, 40]


def test_one_that_is_larger_than_the_budget() -> None:
    """A huge transfer counts as half of the budget."""
    transfers = Transfers(limit=100, free=0)
    first = Waiting(transfers, "a", 50)
    large = Waiting(transfers, "b", 1000)
    assert transfers.held == 100
    for each in (first, large):
        each.over.set()
        assert each.outcome == "whole"


def test_out_of_time() -> None:
    """A transfer that takes too long ends."""
    waiting = Waiting(Transfers(100, 0), "a", 1, seconds=0.01)
    assert waiting.outcome == "the transfer has taken too long"


def test_somebody_elses_time_limit() -> None:
    """A time limit of the caller is raised to the caller."""
    with (
        pytest.raises(gevent.Timeout) as caught,
        gevent.Timeout(0.01) as outer,
        Transfers(100, 0).begin("a") as transfer,
        transfer.waiting(TIME_LIMIT),
    ):
        Signal().wait()
    assert caught.value is outer


def test_one_that_is_over_before_it_can_be_ended() -> None:
    """No exception is thrown into the greenlet after its block."""
    transfers = Transfers(100, 0)
    steps = []

    def run(transfer: Transfer) -> None:
        with transfer:
            transfer.hold(100)
            with transfer.waiting(TIME_LIMIT):
                gevent.sleep(0)
            steps.append(transfer.made_room)
            gevent.sleep(0.01)
            steps.append("went on")

    first = gevent.spawn(run, transfers.begin("a"))
    gevent.sleep(0)
    with transfers.begin("a") as second:
        # Both are ready now: the first one to leave its block, and the hub to throw.
        second.hold(100)
        first.get(timeout=TIME_LIMIT)
    assert steps in ([True, "went on"], [False, "went on"])
