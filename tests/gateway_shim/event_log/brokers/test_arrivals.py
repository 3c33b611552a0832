"""Tests of those who wait until an entry has arrived."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.brokers.arrivals import Arrivals
from gateway_shim.event_log.brokers.carried_log import CarriedLog
from gateway_shim.event_log.cursor import Cursor
from gateway_shim.event_log.limits import LogLimits
from tests.support.timing import TIME_LIMIT


class Waiting:
    """A listener that wakes those who wait.

    Args:
        log: the log.
    """

    def __init__(self, log: CarriedLog) -> None:
        self.log = log
        self.arrivals = Arrivals(log)
        log.listen(self)

    def appended(self) -> None:
        """Wake them."""
        self.arrivals.look()

    def trimming(self, through: int) -> None:
        """Do nothing."""

    def wait(self, position: int, epoch: str = "e") -> gevent.Greenlet[..., bool]:
        """Wait for an entry in the background."""
        greenlet = gevent.spawn(self.arrivals.wait, Cursor(epoch, position), TIME_LIMIT)
        gevent.sleep(0)
        return greenlet

    def copy(self, count: int = 1) -> None:
        """Let some entries arrive."""
        self.log.copy(self.log.epoch, self.log.newest, [(EVERYONE, b"data: 1\n\n")] * count)


@pytest.fixture(name="waiting")
def fixture_waiting(tmp_path: Path) -> Iterator[Waiting]:
    """Return a copy that has begun the epoch ``e``."""
    log = CarriedLog(tmp_path / "log", LogLimits(), signature="")
    log.begin("e", 0)
    yield Waiting(log)
    log.close()


def test_an_entry_that_is_here(waiting: Waiting) -> None:
    """It is not waited for."""
    waiting.copy(3)
    assert waiting.arrivals.wait(Cursor("e", 3), 0)


def test_entries_that_arrive(waiting: Waiting) -> None:
    """Each wakes those who wait for it, and no others."""
    greenlets = [waiting.wait(position) for position in (3, 1, 2, 2)]
    waiting.copy(2)
    gevent.joinall(greenlets[1:], TIME_LIMIT, raise_error=True)
    assert [greenlet.value for greenlet in greenlets] == [None, True, True, True]
    waiting.copy()
    assert greenlets[0].get(timeout=TIME_LIMIT)


def test_an_entry_that_does_not_arrive(waiting: Waiting) -> None:
    """The wait is bounded, and leaves nothing behind."""
    assert not waiting.arrivals.wait(Cursor("e", 1), 0.01)
    assert not waiting.arrivals.wait(Cursor("f", 1), 0.01)
    assert waiting.arrivals._waiting == []


def test_an_epoch_that_has_ended(waiting: Waiting) -> None:
    """Its entries do not arrive any more; those of the next one do."""
    old, new = waiting.wait(5), waiting.wait(2, "f")
    waiting.log.begin("f", 0)
    assert old.get(timeout=TIME_LIMIT) is False
    waiting.copy(2)
    assert new.get(timeout=TIME_LIMIT)


def test_entries_that_another_reader_has_read(waiting: Waiting, tmp_path: Path) -> None:
    """A process is told of entries that it has already read when it is woken."""
    other = CarriedLog(tmp_path / "log", LogLimits(), signature="")
    greenlet = waiting.wait(1)
    other.copy("e", 0, [(EVERYONE, b"data: 1\n\n")])
    assert waiting.log.newest == 1  # before the hub has looked at the pipe
    assert greenlet.get(timeout=TIME_LIMIT)
    other.close()
