"""The connection to Redis as metrics, read at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:  # imports the package redis, which is an extra
    from gateway_shim.event_log.brokers.presence import BusState

__all__ = ["BusCollector"]


class BusCollector(Collector):
    """The state of the connection as metrics. There are none before the log is open.

    Args:
        read: returns the present state; called once per scrape.
    """

    def __init__(self, read: Callable[[], BusState | None]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, each with its present value."""
        state = self._read()
        if state is None:
            return
        yield GaugeMetricFamily(
            "sse_bus_connected", "1 if Redis answers, else 0", value=int(state.is_connected)
        )
        yield GaugeMetricFamily(
            "sse_bus_ready",
            "1 if events can be published through Redis and arrive from it, else 0",
            value=int(state.is_ready),
        )
        yield GaugeMetricFamily(
            "sse_bus_carriers",
            "Processes of this server that copy events from Redis, which should be 1",
            value=int(state.carries),
        )
        if state.lag is not None:
            yield GaugeMetricFamily(
                "sse_bus_lag_events",
                "Events that Redis had 2 to 4 seconds ago, and that this server does not have",
                value=state.lag,
            )
        yield GaugeMetricFamily(
            "sse_bus_appends_waiting", "Events that wait for Redis now", value=state.waiting
        )
        yield CounterMetricFamily(
            "sse_bus_reconnects", "Times that Redis has answered again", value=state.reconnects
        )
        yield CounterMetricFamily(
            "sse_bus_new_epochs",
            "Times that events were lost in Redis, or before this server had copied them",
            value=state.new_epochs,
        )
