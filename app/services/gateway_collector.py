"""A gateway's own counters as metrics, read at each scrape.

At 100,000 deliveries a second, counting has to be ``+= 1`` on a plain number. The cost of a metric
object is paid here, once per scrape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

__all__ = ["GatewayCollector", "GatewayCounters", "RefusalsCollector"]


class GatewayCounters(Protocol):
    """The counters of a gateway, such as ``gateway_shim.streams.stats.GatewayStats``."""

    @property
    def bytes_buffered(self) -> int:
        """The bytes that slow clients have not read yet."""
        ...

    @property
    def pending_connects(self) -> int:
        """The connects that wait for the backend's answer."""
        ...

    @property
    def refused(self) -> int:
        """The streams that were refused."""
        ...

    @property
    def closed(self) -> Mapping[str, int]:
        """The streams that ended, by reason."""
        ...

    @property
    def slow_consumers_ended(self) -> int:
        """The streams that were ended because their client read too slowly."""
        ...

    @property
    def heartbeats(self) -> int:
        """The heartbeats that were written."""
        ...

    @property
    def callbacks_failed(self) -> int:
        """The disconnect callbacks that failed."""
        ...


class GatewayCollector(Collector):
    """A gateway's counters as metrics.

    Args:
        read: returns the present counters; called once per scrape.
    """

    def __init__(self, read: Callable[[], GatewayCounters]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, each with its present value."""
        counters = self._read()
        yield GaugeMetricFamily(
            "sse_gateway_bytes_buffered",
            "Bytes that slow clients have not read yet",
            value=counters.bytes_buffered,
        )
        yield GaugeMetricFamily(
            "sse_gateway_pending_connects",
            "Connects that wait for the backend's answer now",
            value=counters.pending_connects,
        )
        yield CounterMetricFamily(
            "sse_gateway_slow_consumers",
            "Streams that were ended because their client left too much unread",
            value=counters.slow_consumers_ended,
        )
        yield CounterMetricFamily(
            "sse_gateway_heartbeats", "Heartbeats that were written", value=counters.heartbeats
        )
        yield CounterMetricFamily(
            "sse_gateway_callbacks_failed",
            "Disconnect callbacks that failed",
            value=counters.callbacks_failed,
        )
        yield CounterMetricFamily(
            "sse_gateway_streams_refused",
            "Streams that the backend or a limit has refused",
            value=counters.refused,
        )
        closed = CounterMetricFamily(
            "sse_gateway_streams_closed", "Streams that ended, by reason", labels=["reason"]
        )
        for reason, count in sorted(counters.closed.items()):
            closed.add_metric([reason], count)
        yield closed


class RefusalsCollector(Collector):
    """The refused requests as a metric.

    Args:
        read: returns the counts by reason; called once per scrape.
    """

    def __init__(self, read: Callable[[], Mapping[str, int]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Yield the metric, with every reason."""
        refused = CounterMetricFamily(
            "requests_refused", "Requests and connections refused, by reason", labels=["reason"]
        )
        for reason, count in sorted(self._read().items()):
            refused.add_metric([reason], count)
        yield refused
