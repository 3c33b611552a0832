"""The metrics of the process, in the text format of Prometheus."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from app.program.version import application_version
from app.services.gateway_collector import (
    GatewayCollector,
    GatewayCounters,
    RefusalsCollector,
)
from app.services.metrics.families import Families, read_families
from app.services.metrics.null_metrics import NullMetrics
from app.services.metrics.totals import MetricsTotals

__all__ = ["CONTENT_TYPE", "MetricsService", "MetricsServiceProtocol", "NullMetrics"]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""The media type of :meth:`MetricsService.render`. Every version of Prometheus reads it."""

# A send to one stream takes tens of microseconds in this process, up to 5 s over HTTP.
_SEND_BUCKETS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
# 5,000 streams take about 50 ms.
_BROADCAST_BUCKETS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_TASK_BUCKETS = (0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class MetricsServiceProtocol(Protocol):
    """The metrics as the services use them. No method blocks or raises."""

    def connection_opened(self) -> None:
        """Count a stream's connect."""
        ...

    def connection_closed(self) -> None:
        """Count a stream's disconnect."""
        ...

    def set_active_connections(self, count: int) -> None:
        """Set the number of streams that are registered now."""
        ...

    def event_sent(self, service: str, status: str, seconds: float) -> None:
        """Count one send, to one stream or to all.

        Args:
            service: the service that sent: the value of a ``ServiceType``.
            status: the outcome: ``success``, ``no_stream`` or ``error``.
            seconds: the duration of the send.
        """
        ...

    def broadcast_finished(self, streams: int, seconds: float) -> None:
        """Count one broadcast.

        Args:
            streams: the number of streams that took the event.
            seconds: the time from the first stream to the last.
        """
        ...

    def append_failed(self) -> None:
        """Count an event that the log did not take."""
        ...

    def task_finished(self, task_type: str, status: str, seconds: float) -> None:
        """Count a task that has ended.

        Args:
            task_type: the registered name of the task.
            status: its terminal status.
            seconds: the time for which the task ran.
        """
        ...

    def tasks_active(self, running: int, waiting: int) -> None:
        """Set the number of tasks that run now, and of those that wait for a slot."""
        ...

    def loop_measured(self, longest: float, blocked: float) -> None:
        """Report one measurement of the event loop.

        Args:
            longest: the longest round of the loop since the last measurement, seconds.
            blocked: all long rounds together, seconds.
        """
        ...


class MetricsService:
    """The metrics of one application.

    Each application has a separate registry, so that two applications never share a number. Call
    :meth:`watch_gateway` if the gateway is in this process. After that, call :meth:`render` at any
    time.

    Args:
        version: the version in ``build_info``; the application's own version if not given.

    Attributes:
        totals: the same counts as plain numbers, for the operations page.
    """

    def __init__(self, version: str | None = None) -> None:
        self.totals = MetricsTotals()
        self._registry = registry = CollectorRegistry()
        self._gateway: GatewayCollector | None = None
        self._read_gateway: Callable[[], GatewayCounters] | None = None
        self._counted_for_others = 0  # of the gateway's deliveries
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        Info("build", "The version of the server and of Python", registry=registry).info(
            {"version": version or application_version(), "python": platform.python_version()}
        )
        connections = Counter(
            "sse_gateway_connections_total",
            "Streams that connected or disconnected",
            ["action"],
            registry=registry,
        )
        self._connected = connections.labels("connect")
        self._disconnected = connections.labels("disconnect")
        self._active = Gauge(
            "sse_gateway_active_connections", "Streams registered now", registry=registry
        )
        self._sent = Counter(
            "sse_gateway_events_sent_total",
            "Events sent; a broadcast counts once",
            ["service", "status"],
            registry=registry,
        )
        self._sent_children: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        self._send_seconds = Histogram(
            "sse_gateway_send_duration_seconds",
            "Duration of sending an event",
            ["service"],
            buckets=_SEND_BUCKETS,
            registry=registry,
        )
        self._broadcast_seconds = Histogram(
            "sse_gateway_broadcast_duration_seconds",
            "Duration of a broadcast, from the first stream to the last",
            buckets=_BROADCAST_BUCKETS,
            registry=registry,
        )
        self._delivered = Counter(
            "sse_gateway_broadcast_deliveries_total",
            "Events that streams took from broadcasts",
            registry=registry,
        )
        self._appends_failed = Counter(
            "sse_log_appends_failed_total",
            "Events that the log did not take, so that no stream got them",
            registry=registry,
        )
        self._tasks = Counter(
            "tasks_total",
            "Tasks that ended, by status",
            ["task_type", "status"],
            registry=registry,
        )
        self._task_seconds = Histogram(
            "task_duration_seconds",
            "Time for which tasks ran",
            ["task_type"],
            buckets=_TASK_BUCKETS,
            registry=registry,
        )
        self._tasks_active = Gauge("tasks_active", "Tasks that run now", registry=registry)
        self._tasks_waiting = Gauge(
            "tasks_waiting", "Tasks that wait for a slot now", registry=registry
        )
        self._loop_blocked = Counter(
            "event_loop_blocked_seconds_total",
            "Seconds for which the event loop was blocked",
            registry=registry,
        )
        self._loop_lag = Gauge(
            "event_loop_lag_seconds",
            "Longest time for which the event loop was busy, of the last tenth of a second",
            registry=registry,
        )

    def watch_gateway(self, read_stats: Callable[[], GatewayCounters]) -> None:
        """Add a gateway's own counters. Another call replaces the gateway.

        Args:
            read_stats: returns the present counters.
        """
        if self._gateway is not None:
            self._registry.unregister(self._gateway)
        self._read_gateway, self._counted_for_others = read_stats, 0
        self._gateway = GatewayCollector(read_stats)
        self._registry.register(self._gateway)

    def watch(self, collector: Collector) -> None:
        """Add metrics that are read at each scrape. Call it once for each collector."""
        self._registry.register(collector)

    def watch_refusals(self, read_counts: Callable[[], Mapping[str, int]]) -> None:
        """Add the refused requests, by reason. Call it once.

        Args:
            read_counts: returns the present counts, with every reason.
        """
        self._registry.register(RefusalsCollector(read_counts))

    def render(self) -> bytes:
        """Return all metrics as text of the media type :data:`CONTENT_TYPE`."""
        self._count_for_others()
        return generate_latest(self._registry)

    def families(self) -> Families:
        """Return all metrics as values that can be added to those of other processes."""
        self._count_for_others()
        return read_families(self._registry)

    def connection_opened(self) -> None:
        """Count a stream's connect."""
        self._connected.inc()
        self.totals.opened += 1

    def connection_closed(self) -> None:
        """Count a stream's disconnect."""
        self._disconnected.inc()
        self.totals.closed += 1

    def set_active_connections(self, count: int) -> None:
        """Set the number of streams that are registered now."""
        self._active.set(count)
        self.totals.streams = count

    def event_sent(self, service: str, status: str, seconds: float) -> None:
        """Count one send; see :class:`MetricsServiceProtocol`."""
        key = service, status
        if key not in self._sent_children:  # labels() takes a third of the time of a send
            found = self._sent.labels(service, status), self._send_seconds.labels(service)
            self._sent_children[key] = found
        sent, send_seconds = self._sent_children[key]
        sent.inc()
        send_seconds.observe(seconds)
        self.totals.event_sent(service, status)

    def broadcast_finished(self, streams: int, seconds: float) -> None:
        """Count one broadcast; see :class:`MetricsServiceProtocol`."""
        self._delivered.inc(streams)
        self._broadcast_seconds.observe(seconds)
        self.totals.broadcast_finished(streams, seconds)

    def append_failed(self) -> None:
        """Count an event that the log did not take."""
        self._appends_failed.inc()
        self.totals.appends_failed += 1

    def task_finished(self, task_type: str, status: str, seconds: float) -> None:
        """Count a task's end; see :class:`MetricsServiceProtocol`."""
        self._tasks.labels(task_type, status).inc()
        self._task_seconds.labels(task_type).observe(seconds)

    def tasks_active(self, running: int, waiting: int) -> None:
        """Set the numbers of unfinished tasks; see :class:`MetricsServiceProtocol`."""
        self._tasks_active.set(running)
        self._tasks_waiting.set(waiting)
        self.totals.tasks_running, self.totals.tasks_waiting = running, waiting

    def loop_measured(self, longest: float, blocked: float) -> None:
        """Report one measurement; see :class:`MetricsServiceProtocol`."""
        self._loop_lag.set(longest)
        self._loop_blocked.inc(blocked)

    def _count_for_others(self) -> None:
        """Count what streams took of broadcasts of other processes. The gateway knows of them."""
        if self._read_gateway is not None:
            total = self._read_gateway().delivered_for_others
            self._delivered.inc(total - self._counted_for_others)
            self._counted_for_others = total
