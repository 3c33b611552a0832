"""The samples of the last minutes, as the rules look at them."""

from __future__ import annotations

from app.console.operations.history import History, log_of, of_gateway, of_log
from app.console.operations.sample import Sample
from tests.app.console.operations.samples import LOG, sample


def failed(item: Sample) -> int:
    """Return a total."""
    return item.appends_failed


def test_last() -> None:
    """The samples of the last minute are those since a minute before the newest."""
    history = History([sample(at) for at in (0, 40, 41, 100)])
    assert [item.time for item in history.last(60)] == [1_041_000, 1_100_000]
    assert (history.oldest.time, history.newest.time) == (1_000_000, 1_100_000)


def test_increase() -> None:
    """A total is compared with the last sample from before the time."""
    totals = ((0, 5), (40, 6), (50, 8), (100, 9))
    history = History([sample(at, appends_failed=total) for at, total in totals])
    assert history.increase(failed, 60) == 3
    assert history.increase(failed, 300) == 9  # the process is young: from 0 on


def test_a_total_that_fell() -> None:
    """A total that fell, after a wrong clock, has not grown."""
    assert History([sample(0, appends_failed=5), sample(90)]).increase(failed, 60) == 0


def test_what_is_not_there() -> None:
    """The totals of a gateway and a log that are elsewhere are 0."""
    bare = sample(gateway=None)
    assert log_of(bare) is None
    assert of_gateway(lambda gateway: gateway.bytes_buffered)(bare) == 0
    assert of_log(lambda log: log.newest)(bare) == 0
    assert log_of(sample()) == LOG
    assert of_log(lambda log: log.newest)(sample()) == 9
    assert of_gateway(lambda gateway: gateway.bytes_buffered)(sample(bytes_buffered=3)) == 3
