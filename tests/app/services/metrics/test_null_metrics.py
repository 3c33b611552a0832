"""Metrics that measure nothing. test_metrics_service.py compares them with the real ones."""

from __future__ import annotations

from app.services.metrics.null_metrics import NullMetrics


def test_nothing_is_measured() -> None:
    """Every call is allowed and returns nothing."""
    metrics = NullMetrics()
    metrics.connection_opened()
    metrics.event_sent("task", "success", 0.1)
    metrics.loop_measured(0.1, 0.1)
    assert vars(metrics) == {}
