"""A gateway's own counters as metrics, read at each scrape.

At 100,000 deliveries a second, counting has to be ``+= 1`` on a plain number. The cost of a metric
object is paid here, once per scrape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway_shim.event_log.log import LogStats

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

    @property
    def resyncs(self) -> Mapping[str, int]:
        """The events ``resync``, by reason."""
        ...

    @property
    def joiners(self) -> int:
        """The streams that have caught up, and wait to get new events directly."""
        ...

    @property
    def streams_behind(self) -> int:
        """The streams that read the log themselves, because they are behind; joiners included."""
        ...

    @property
    def bytes_behind(self) -> int:
        """The bytes of the log between its end and the stream that is furthest behind."""
        ...

    @property
    def delivered_for_others(self) -> int:
        """The times that a stream took an event for everyone that another process has published."""
        ...

    @property
    def log(self) -> LogStats | None:
        """The extent of the log; None if there is no log."""
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
        if counters.log is not None:
            yield from _replay_metrics(counters)
            yield from _log_metrics(counters.log)


def _replay_metrics(counters: GatewayCounters) -> Iterator[Metric]:
    resyncs = CounterMetricFamily(
        "sse_gateway_resyncs",
        "Streams that were told that they have missed events, by reason",
        labels=["reason"],
    )
    for reason, count in sorted(counters.resyncs.items()):
        resyncs.add_metric([reason], count)
    yield resyncs
    yield GaugeMetricFamily(
        "sse_gateway_joiners",
        "Streams that have caught up with the log, and wait to get new events directly",
        value=counters.joiners,
    )
    yield GaugeMetricFamily(
        "sse_gateway_streams_behind",
        "Streams that read the log themselves, because they are behind or have just caught up",
        value=counters.streams_behind,
    )
    yield GaugeMetricFamily(
        "sse_gateway_behind_bytes",
        "Bytes of the log between its end and the stream that is furthest behind",
        value=counters.bytes_behind,
    )


def _log_metrics(log: LogStats) -> Iterator[Metric]:
    for name, text, value in (
        ("oldest_position", "Position of the oldest event in the log", log.oldest),
        ("newest_position", "Position of the newest event in the log", log.newest),
        ("bytes", "Bytes of all events in the log", log.size),
        ("oldest_age_seconds", "Age of the oldest events in the log", log.oldest_age),
        ("in_memory", "1 if the log ends with this process, else 0", int(log.in_memory)),
    ):
        yield GaugeMetricFamily(f"sse_log_{name}", text, value=value)


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
