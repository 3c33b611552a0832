"""Makes the samples of a server from those of its workers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from app.console.operations.sample import GatewaySample, LogSample, Sample, WorkerSample

__all__ = ["Series", "merge", "slot_of"]

T = TypeVar("T")


class Series(NamedTuple):
    """The samples of one process.

    Args:
        worker: the number of the worker.
        is_running: False if the process has ended.
        samples: the samples, oldest first, at most one for each interval.
    """

    worker: int
    is_running: bool
    samples: Sequence[Sample]


class _Part(NamedTuple):
    """The share of one process in a sample.

    Args:
        worker: the number of the worker.
        sample: its last sample.
        late: the number of intervals for which it has not taken one; 0: it has, in this interval.
        is_gone: True if the process has ended: only its totals count.
    """

    worker: int
    sample: Sample
    late: int
    is_gone: bool


def slot_of(sample: Sample, interval: float) -> int:
    """Return the number of the interval that a sample belongs to.

    Args:
        sample: the sample; its process may have been some time late.
        interval: the seconds from one sample to the next.
    """
    return round(sample.time / 1000 / interval)


def merge(series: Iterable[Series], interval: float, after: int, newest: int) -> dict[int, Sample]:
    """Return the samples of the server by the number of their interval, oldest first.

    What is counted is added up, and of durations the longest is shown. A process that has not taken
    a sample in time is shown with its last one; it has served nobody since.

    Args:
        series: the samples of each process.
        interval: the seconds from one sample to the next.
        after: the number of the interval after which they are wanted.
        newest: the number of the last interval that is wanted.
    """
    readers = [_Reader(one, interval) for one in series if one.samples]
    slots = {slot for reader in readers for slot in reader.slots}
    merged = {}
    for slot in sorted(slot for slot in slots if after < slot <= newest):
        parts = [part for reader in readers if (part := reader.at(slot)) is not None]
        if any(not part.is_gone for part in parts):
            merged[slot] = _together(parts, round(slot * interval * 1000), interval)
    return merged


class _Reader:
    """Reads the samples of one process in their order."""

    def __init__(self, series: Series, interval: float) -> None:
        self._series = series
        self.slots = [slot_of(sample, interval) for sample in series.samples]
        self._next = 0

    def at(self, slot: int) -> _Part | None:
        """Return what the process adds to an interval; None before its first sample."""
        while self._next < len(self.slots) and self.slots[self._next] <= slot:
            self._next += 1
        if not self._next:
            return None
        late = slot - self.slots[self._next - 1]
        is_over = self._next == len(self.slots)
        is_gone = late > 0 and is_over and not self._series.is_running
        return _Part(self._series.worker, self._series.samples[self._next - 1], late, is_gone)


def _together(parts: Sequence[_Part], time: int, interval: float) -> Sample:
    present = [part for part in parts if not part.is_gone]
    current = [part.sample for part in present if not part.late]
    totals = [part.sample for part in parts]
    samples = [part.sample for part in present]
    workers = _workers(present, interval)
    averages = _known(sample.broadcast_ms for sample in current)
    return replace(
        samples[0],
        time=time,
        deliveries_per_second=_sum(sample.deliveries_per_second for sample in current),
        events_per_second=_sum(sample.events_per_second for sample in current),
        streams=sum(sample.streams for sample in samples),
        opened=sum(sample.opened for sample in totals),
        closed=sum(sample.closed for sample in totals),
        broadcast_ms=round(sum(averages) / len(averages), 3) if averages else None,
        longest_broadcast_ms=max(
            _known(sample.longest_broadcast_ms for sample in current), default=None
        ),
        loop_lag_ms=max(worker.loop_lag_ms for worker in workers),
        memory_bytes=sum(_known(sample.memory_bytes for sample in samples)) or None,
        tasks_running=sum(sample.tasks_running for sample in samples),
        tasks_waiting=sum(sample.tasks_waiting for sample in samples),
        appends_failed=sum(sample.appends_failed for sample in totals),
        gateway=_gateway(samples, totals),
        gateway_problem=next(iter(_known(sample.gateway_problem for sample in samples)), None),
        workers=workers,
    )


def _workers(parts: Iterable[_Part], interval: float) -> tuple[WorkerSample, ...]:
    """Return each worker. In a reload, the old and the new process of a worker are one."""
    found: dict[int, WorkerSample] = {}
    for part in parts:
        # Samples are taken at the same moments, but not written: one interval is not late.
        silent = max(part.late - 1, 0) * interval
        one = WorkerSample(
            part.worker,
            part.sample.streams,
            silent * 1000 if part.late else part.sample.loop_lag_ms,
            part.sample.memory_bytes,
            silent,
        )
        known = found.get(part.worker)
        if known is not None:
            one = WorkerSample(
                part.worker,
                known.streams + one.streams,
                max(known.loop_lag_ms, one.loop_lag_ms),
                sum(_known([known.memory_bytes, one.memory_bytes])) or None,
                max(known.silent_seconds, one.silent_seconds),
            )
        found[part.worker] = one
    return tuple(found[number] for number in sorted(found))


def _gateway(samples: Sequence[Sample], totals: Sequence[Sample]) -> GatewaySample | None:
    now = _known(sample.gateway for sample in samples)
    all_time = _known(sample.gateway for sample in totals)
    if not now:
        return None
    return GatewaySample(
        pending_connects=sum(gateway.pending_connects for gateway in now),
        bytes_buffered=sum(gateway.bytes_buffered for gateway in now),
        slow_consumers_ended=sum(gateway.slow_consumers_ended for gateway in all_time),
        callbacks_failed=sum(gateway.callbacks_failed for gateway in all_time),
        log=_log(_known(one.log for one in now), _known(one.log for one in all_time)),
    )


def _log(now: Sequence[LogSample], all_time: Sequence[LogSample]) -> LogSample | None:
    """Return the log that the workers share, as the one sees it that is furthest."""
    if not now:
        return None
    return replace(
        max(now, key=_newest),
        in_memory=any(log.in_memory for log in now),
        streams_behind=sum(log.streams_behind for log in now),
        streams_far_behind=sum(log.streams_far_behind for log in now),
        bytes_behind=max(log.bytes_behind for log in now),
        resyncs=sum(log.resyncs for log in all_time),
    )


def _newest(log: LogSample) -> int:
    return log.newest


def _known(values: Iterable[T | None]) -> list[T]:
    return [value for value in values if value is not None]


def _sum(values: Iterator[float]) -> float:
    return round(sum(values), 3)
