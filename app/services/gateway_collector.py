"""A gateway's own counters as metrics, read when they are asked for.

Counting at 100,000 deliveries a second has to be ``+= 1`` on a plain number; the price of a
metric is paid here, once per scrape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

__all__ = ["GatewayCollector", "GatewayCounters", "RefusalsCollector"]


class GatewayCounters(Protocol):
    """What a gateway counts; ``gateway_shim.streams.stats.GatewayStats`` is one."""

    @property
    def bytes_buffered(self) -> int:
        """Bytes that slow clients have not taken yet, now."""
        ...

    @property
    def pending_connects(self) -> int:
        """Connects that wait for the backend's answer, now."""
        ...

    @property
    def refused(self) -> int:
        """Streams that were refused."""
        ...

    @property
    def closed(self) -> Mapping[str, int]:
        """Streams that ended, by reason."""
        ...

    @property
    def slow_consumers_ended(self) -> int:
        """Streams ended because their client read too slowly."""
        ...

    @property
    def heartbeats(self) -> int:
        """Heartbeats written."""
        ...

    @property
    def callbacks_failed(self) -> int:
        """Disconnect callbacks that did not arrive."""
        ...


class GatewayCollector(Collector):
    """Renders a gateway's counters.

    Args:
        read: returns the counters as they are now; called once per scrape.
    """

    def __init__(self, read: Callable[[], GatewayCounters]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """The metrics, each with its value now."""
        counters = self._read()
        yield GaugeMetricFamily(
            "sse_gateway_bytes_buffered",
            "Bytes that slow clients have not taken yet",
            value=counters.bytes_buffered,
        )
        yield GaugeMetricFamily(
            "sse_gateway_pending_connects",
            "Connects that wait for the backend's answer",
            value=counters.pending_connects,
        )
        yield CounterMetricFamily(
            "sse_gateway_slow_consumers",
            "Streams ended because their client left too much unread",
            value=counters.slow_consumers_ended,
        )
        yield CounterMetricFamily(
            "sse_gateway_heartbeats", "Heartbeats written", value=counters.heartbeats
        )
        yield CounterMetricFamily(
            "sse_gateway_callbacks_failed",
            "Disconnect callbacks that did not arrive",
            value=counters.callbacks_failed,
        )
        yield CounterMetricFamily(
            "sse_gateway_streams_refused",
            "Streams that the backend or a limit refused",
            value=counters.refused,
        )
        closed = CounterMetricFamily(
            "sse_gateway_streams_closed", "Streams that ended, by reason", labels=["reason"]
        )
        for reason, count in sorted(counters.closed.items()):
            closed.add_metric([reason], count)
        yield closed


class RefusalsCollector(Collector):
    """Renders what clients were refused.

    Args:
        read: returns the counts by reason; called once per scrape.
    """

    def __init__(self, read: Callable[[], Mapping[str, int]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """The one metric, with every reason."""
        refused = CounterMetricFamily(
            "requests_refused", "What clients were refused, by reason", labels=["reason"]
        )
        for reason, count in sorted(self._read().items()):
            refused.add_metric([reason], count)
        yield refused
