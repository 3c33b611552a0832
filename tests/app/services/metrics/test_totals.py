"""The counts of the metrics as plain numbers."""

from __future__ import annotations

from app.services.metrics.totals import MetricsTotals
from app.services.metrics_service import MetricsService


def test_every_call_counts() -> None:
    """The totals follow the metrics."""
    metrics = MetricsService()
    metrics.connection_opened()
    metrics.connection_opened()
    metrics.connection_closed()
    metrics.set_active_connections(1)
    metrics.append_failed()
    metrics.tasks_active(3, 2)
    assert metrics.totals == MetricsTotals(
        streams=1, opened=2, closed=1, appends_failed=1, tasks_running=3, tasks_waiting=2
    )


def test_deliveries() -> None:
    """A broadcast is one event, and as many deliveries as streams took it; samples do not count."""
    totals = MetricsTotals()
    totals.broadcast_finished(5, 0.25)
    totals.event_sent("task", "success")
    totals.event_sent("task", "success")  # to one stream
    totals.broadcast_finished(0, 0.5)
    totals.event_sent("task", "no_stream")
    totals.event_sent("version", "error")
    totals.event_sent("operations", "success")
    assert (totals.events, totals.deliveries, totals.broadcasts) == (4, 6, 2)
    assert totals.broadcast_seconds == 0.75


def test_the_longest_broadcast() -> None:
    """The longest broadcast is that since the last reading; the sums go on."""
    totals = MetricsTotals()
    seen = []
    for durations in ((0.5, 1.0, 0.25), (0.125,), ()):
        for seconds in durations:
            totals.broadcast_finished(1, seconds)
        taken = totals.take()
        seen.append((taken.longest_broadcast, taken.broadcast_seconds))
    assert seen == [(1.0, 1.75), (0.125, 1.875), (0.0, 1.875)]
