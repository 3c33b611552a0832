"""Tests of the metrics of Redis."""

from __future__ import annotations

from app.services.bus.collector import BusCollector
from app.services.metrics.adding import GAUGES
from app.services.metrics_service import MetricsService
from gateway_shim.event_log.brokers.presence import BusState


def text_of(state: BusState | None) -> str:
    """Return the metrics of a state, as they are scraped."""
    service = MetricsService()
    service.watch(BusCollector(lambda: state))
    return service.render().decode()


def test_all_values() -> None:
    """Each value of the state is a metric."""
    state = BusState(
        is_connected=True,
        since=1.0,
        problem=None,
        lag=7,
        waiting=3,
        carries=True,
        reconnects=2,
        new_epochs=1,
    )
    lines = [line for line in text_of(state).splitlines() if line.startswith("sse_bus_")]
    assert [line for line in lines if "_created" not in line] == [
        "sse_bus_connected 1.0",
        "sse_bus_ready 1.0",
        "sse_bus_carriers 1.0",
        "sse_bus_lag_events 7.0",
        "sse_bus_appends_waiting 3.0",
        "sse_bus_reconnects_total 2.0",
        "sse_bus_new_epochs_total 1.0",
    ]


def test_redis_is_away() -> None:
    """The lag is unknown in another epoch, and is not shown as a number."""
    text = text_of(BusState(is_connected=False, since=1.0, problem="no", lag=None))
    assert "sse_bus_connected 0.0" in text
    assert "sse_bus_ready 0.0" in text
    assert "sse_bus_lag_events" not in text


def test_before_the_log_is_open() -> None:
    """There are no values that nobody has measured."""
    assert "sse_bus" not in text_of(None)


def test_workers_are_added_by_a_rule() -> None:
    """Each gauge has a rule: a server is connected if all of its workers are."""
    service = MetricsService()
    state = BusState(is_connected=True, since=1.0, problem=None, lag=0)
    service.watch(BusCollector(lambda: state))
    gauges = {
        name
        for name, family in service.families().items()
        if name.startswith("sse_bus") and family.kind == "gauge"
    }
    assert gauges == {name for name in GAUGES if name.startswith("sse_bus_")}
