"""The samples of a server, made from those of its workers."""

from __future__ import annotations

from typing import Any

from app.console.operations.sample import Sample
from app.console.operations.workers.merging import Series, merge, slot_of
from tests.app.console.operations.samples import sample

FIRST = 200  # the interval of samples.SAMPLE


def merged(*series: Series, newest: int = FIRST + 100) -> list[Sample]:
    """Return the samples of the server, one each five seconds."""
    return list(merge(series, 5.0, newest - 120, newest).values())


def one(worker: int, *samples: Sample, is_running: bool = True) -> Series:
    """Return the samples of a worker."""
    return Series(worker, is_running, samples)


def lag(found: Sample) -> dict[int, float]:
    """Return the lag of each worker."""
    return {worker.worker: worker.loop_lag_ms for worker in found.workers}


def test_figures_are_added() -> None:
    """Streams, rates and bytes are sums; durations are those of the slowest worker."""
    of_one: dict[str, Any] = {"streams": 2, "deliveries_per_second": 0.1, "loop_lag_ms": 5.0}
    of_two: dict[str, Any] = {"streams": 3, "deliveries_per_second": 0.2, "loop_lag_ms": 9.0}
    (found,) = merged(
        one(
            2,
            sample(0.1, broadcast_ms=2.0, longest_broadcast_ms=4.0, resyncs=1, newest=8, **of_two),
        ),
        one(
            1, sample(0, broadcast_ms=1.0, longest_broadcast_ms=3.0, resyncs=2, newest=9, **of_one)
        ),
    )
    assert (found.time, found.streams, found.deliveries_per_second) == (1_000_000, 5, 0.3)
    assert (found.broadcast_ms, found.longest_broadcast_ms, found.loop_lag_ms) == (1.5, 4.0, 9.0)
    assert found.memory_bytes == 200 << 20
    assert found.gateway is not None
    assert found.gateway.log is not None
    assert (found.gateway.log.resyncs, found.gateway.log.newest) == (3, 9)
    assert [(worker.worker, worker.streams) for worker in found.workers] == [(1, 2), (2, 3)]
    assert lag(found) == {1: 5.0, 2: 9.0}


def test_without_a_broadcast_or_a_gateway() -> None:
    """A value that no worker knows stays unknown."""
    quiet = sample(0, memory_bytes=None)
    (found,) = merged(one(1, quiet), one(2, quiet))
    assert (found.broadcast_ms, found.longest_broadcast_ms, found.memory_bytes) == (
        None,
        None,
        None,
    )


def test_a_worker_that_is_late() -> None:
    """Its last figures are shown, its rate is zero, and its loop counts as blocked."""
    found = merged(
        one(1, *(sample(at, streams=1, deliveries_per_second=1.0) for at in range(0, 25, 5))),
        one(2, sample(0, streams=4, deliveries_per_second=8.0), sample(5, streams=4)),
    )
    assert [item.streams for item in found] == [5, 5, 5, 5, 5]
    assert [item.deliveries_per_second for item in found] == [9.0, 1.0, 1.0, 1.0, 1.0]
    assert [lag(item)[2] for item in found] == [1.0, 1.0, 0.0, 5000.0, 10_000.0]
    assert [item.workers[1].silent_seconds for item in found] == [0, 0, 0, 5, 10]
    assert [item.loop_lag_ms for item in found] == [1.0, 1.0, 1.0, 5000.0, 10_000.0]


def test_a_gap_in_the_middle() -> None:
    """A worker that was stuck and goes on was stuck, also when one looks later."""
    found = merged(
        one(1, *(sample(at, streams=1) for at in range(0, 25, 5))),
        one(2, sample(0, streams=4), sample(20, streams=4), is_running=False),
    )
    assert [lag(item)[2] for item in found] == [1.0, 0.0, 5000.0, 10_000.0, 1.0]


def test_a_process_that_has_ended() -> None:
    """It has no streams any more, and what it has counted stays."""
    found = merged(
        one(1, *(sample(at, streams=1, opened=1, appends_failed=1) for at in (0, 5, 10))),
        one(2, sample(0, streams=4, opened=9, appends_failed=2), is_running=False),
        one(2, sample(10, streams=3, opened=3)),
    )
    assert [item.streams for item in found] == [5, 1, 4]
    assert [item.opened for item in found] == [10, 10, 13]
    assert [item.appends_failed for item in found] == [3, 3, 3]
    assert [len(item.workers) for item in found] == [2, 1, 2]


def test_a_reload() -> None:
    """While the old and the new process of a worker both run, they are one worker."""
    (found,) = merged(
        one(1, sample(0, streams=4, loop_lag_ms=9.0)), one(1, sample(0, streams=1, loop_lag_ms=2.0))
    )
    (worker,) = found.workers
    assert (worker.worker, worker.streams, worker.loop_lag_ms) == (1, 5, 9.0)
    assert worker.memory_bytes == 200 << 20


def test_the_time_that_is_shown() -> None:
    """Intervals that are not over, those from before ten minutes, and empty ones are not shown."""
    series = one(1, *(sample(at) for at in (0, 5, 600, 605)))
    assert [slot_of(item, 5.0) - FIRST for item in merged(series, newest=FIRST + 120)] == [1, 120]
    gone = one(1, sample(0), is_running=False)
    assert merged(gone, one(2)) == merged(gone)
    assert [item.streams for item in merged(gone)] == [10]
