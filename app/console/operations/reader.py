"""Reads samples: the gateway's counters, the metrics, the event loop's lag, and the memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from app.console.operations.sample import GatewaySample, LogSample, Sample
from app.services.metrics.totals import MetricsTotals
from gateway_shim.streams.stats import GatewayStats

__all__ = ["GatewaySource", "SampleReader", "read_memory_bytes"]

_STATM = Path("/proc/self/statm")


class GatewaySource(Protocol):
    """The gateway of this process, as the reader uses it."""

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event that this process has delivered."""
        ...

    def read_stats(self) -> GatewayStats:
        """Return the counters."""
        ...


class SampleReader:
    """Reads one sample after the other. The rates of a sample are those since the one before.

    Args:
        take_totals: returns the counts of the metrics.
        take_longest_lag: returns the longest round of the event loop since the last call, seconds.
        gateway: the gateway of this process; None: another process serves the streams.
        gateway_problem: returns why the gateway, or Redis, is not ready; None if it is. It may
            block cooperatively for a limited time.
        memory_bytes: returns the memory that the process uses; None if it is unknown.
        clock: monotonic seconds.
        now: seconds since 1970.
    """

    def __init__(
        self,
        take_totals: Callable[[], MetricsTotals],
        take_longest_lag: Callable[[], float],
        gateway: GatewaySource | None,
        gateway_problem: Callable[[], str | None],
        *,
        memory_bytes: Callable[[], int | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = lambda: datetime.now(UTC).timestamp(),
    ) -> None:
        self._take_totals = take_totals
        self._take_longest_lag = take_longest_lag
        self._gateway = gateway
        self._gateway_problem = gateway_problem
        self._memory_bytes = memory_bytes or read_memory_bytes
        self._clock = clock
        self._now = now
        self._before = MetricsTotals()
        self._before_at = clock()

    def begin(self) -> None:
        """Begin the first interval now. What happened before belongs to no interval."""
        self._before, self._before_at = self._take_totals(), self._clock()
        if self._gateway is not None:
            self._before.deliveries += self._gateway.read_stats().delivered_for_others
        self._take_longest_lag()

    def read(self) -> Sample:
        """Read a sample. May block cooperatively while another gateway is asked."""
        problem = self._gateway_problem()
        stats = None if self._gateway is None else self._gateway.read_stats()
        totals, at = self._take_totals(), self._clock()
        if stats is not None:
            totals.deliveries += stats.delivered_for_others
        before, seconds = self._before, max(at - self._before_at, 1e-3)
        self._before, self._before_at = totals, at
        broadcasts = totals.broadcasts - before.broadcasts
        average = longest = None
        if broadcasts:
            average = (totals.broadcast_seconds - before.broadcast_seconds) / broadcasts * 1000
            longest = totals.longest_broadcast * 1000
        return Sample(
            time=round(self._now() * 1000),
            deliveries_per_second=_rounded((totals.deliveries - before.deliveries) / seconds),
            events_per_second=_rounded((totals.events - before.events) / seconds),
            streams=totals.streams if stats is None else stats.active,
            opened=totals.opened if stats is None else stats.opened,
            closed=totals.closed if stats is None else stats.closed.total(),
            broadcast_ms=None if average is None else _rounded(average),
            longest_broadcast_ms=None if longest is None else _rounded(longest),
            loop_lag_ms=_rounded(self._take_longest_lag() * 1000),
            memory_bytes=self._memory_bytes(),
            tasks_running=totals.tasks_running,
            tasks_waiting=totals.tasks_waiting,
            appends_failed=totals.appends_failed,
            gateway=None if stats is None else self._gateway_sample(stats),
            gateway_problem=problem,
        )

    def _gateway_sample(self, stats: GatewayStats) -> GatewaySample:
        return GatewaySample(
            pending_connects=stats.pending_connects,
            bytes_buffered=stats.bytes_buffered,
            slow_consumers_ended=stats.slow_consumers_ended,
            callbacks_failed=stats.callbacks_failed,
            log=self._log_sample(stats),
        )

    def _log_sample(self, stats: GatewayStats) -> LogSample | None:
        newest_id = None if self._gateway is None else self._gateway.last_event_id
        if stats.log is None or newest_id is None:
            return None
        epoch = newest_id.rpartition("-")[0]
        return LogSample(
            newest_id=newest_id,
            oldest_id=f"{epoch}-{stats.log.oldest}",
            newest=stats.log.newest,
            oldest=stats.log.oldest,
            bytes=stats.log.size,
            oldest_age_seconds=_rounded(stats.log.oldest_age),
            in_memory=stats.log.in_memory,
            streams_behind=stats.streams_behind,
            streams_far_behind=stats.streams_far_behind,
            bytes_behind=stats.bytes_behind,
            resyncs=stats.resyncs.total(),
        )


def read_memory_bytes() -> int | None:
    """Return the memory that this process uses (its resident set), bytes; None if unknown."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None  # not Linux, or /proc is not mounted
    return pages * os.sysconf("SC_PAGE_SIZE")


def _rounded(value: float) -> float:
    """Round to a thousandth, so that the JSON is short."""
    return round(value, 3)
